/** The notice while webhooks fail or are disabled: which one, and what to do. */

import { setText, show } from '../dom';
import { type FailingWebhook, failingWebhooks } from '../live/webhooks';
import { words } from '../page';

export function renderWebhooks(): void {
  const found = failingWebhooks();
  show('webhooks', found.length > 0);
  setText('webhooks-text', textOf(found));
}

function textOf(found: readonly FailingWebhook[]): string {
  const [one, ...others] = found;
  if (!one) return '';
  if (others.length) {
    return `${found.length} webhooks fail or are disabled: repair their receivers, enable the disabled webhooks, and send the others a test.`;
  }
  const host = new URL(one.url).host;
  if (one.isDisabled) return `The webhook for ${host} is disabled and its events wait: enable it once its receiver works.`;
  const since = one.failingSince ? ` since ${words.dayAndTime(one.failingSince)}` : '';
  return `The webhook for ${host} has failed${since}: repair its receiver, then send it a test (routiq-gql webhooks test).`;
}
