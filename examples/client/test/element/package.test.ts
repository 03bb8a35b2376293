// The declarations of the package, which are written by hand, against the sources. The compiler does the comparison.

import { expectTypeOf, it } from 'vitest';

import type * as published from '../../../element/index';
import type * as publishedResume from '../../../element/resume';
import type { GetToken, Sync } from '../../src/core';
import type { RoutiqSync } from '../../src/element';
import type { ElementLabels } from '../../src/element/RoutiqSync';
import type * as resume from '../../src/resume';

it('the package declares what the element has', () => {
  type Properties = Exclude<keyof published.RoutiqSync, keyof HTMLElement>;
  type Callbacks = `${'connected' | 'disconnected' | 'attributeChanged'}Callback`;
  expectTypeOf<Exclude<keyof RoutiqSync, keyof HTMLElement | Callbacks>>().toEqualTypeOf<Properties>();
  expectTypeOf<Pick<RoutiqSync, Properties>>().toExtend<Pick<published.RoutiqSync, Properties>>();
  expectTypeOf<ElementLabels>().toEqualTypeOf<published.Labels>();
  expectTypeOf<GetToken>().toEqualTypeOf<published.GetToken>();
  expectTypeOf<Sync>().toExtend<published.Sync>();
});

it('the package declares what its entry for resuming has', () => {
  expectTypeOf<typeof resume>().toEqualTypeOf<typeof publishedResume>();
  expectTypeOf<resume.SocketClient>().toEqualTypeOf<publishedResume.SocketClient>();
});
