// @vitest-environment jsdom
import { expect, test } from 'vitest';

import { mark } from '../../src/page/views/marks';

function marked(text: string, query: string): { text: string; marks: string[] } {
  const target = document.createElement('span');
  target.textContent = text;
  mark(target, query);
  return { text: target.textContent, marks: [...target.querySelectorAll('mark')].map((one) => one.textContent) };
}

test('every occurrence is marked, in any case, and the text stays the same', () => {
  expect(marked('Patients: 641 patients', 'PATIENTS')).toEqual({ text: 'Patients: 641 patients', marks: ['Patients', 'patients'] });
  expect(marked('aaa', 'aa')).toEqual({ text: 'aaa', marks: ['aa'] });
  expect(marked('none here', 'x')).toEqual({ text: 'none here', marks: [] });
  expect(marked('all', '')).toEqual({ text: 'all', marks: [] });
});

test('markup is text', () => {
  expect(marked('<b>bold</b>', '<b>')).toEqual({ text: '<b>bold</b>', marks: ['<b>'] });
  expect(marked('İstanbul Patients', 'patients').text).toBe('İstanbul Patients');
});
