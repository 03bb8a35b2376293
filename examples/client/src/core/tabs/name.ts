// Which tabs belong together: those with the same server, organization and person. Different people never share.

import type { Place } from '../address';
import { personOf } from '../tokens';

const FORMAT = 1; // of what tabs say to each other; tabs of another version of this code do not take part

/** The name of the group's lock and channel; null if this tab must stay alone, as its token does not say whose it is. */
export async function groupName(place: Place, organizationId: string, token: string, digest: (text: string) => Promise<string>): Promise<string | null> {
  const person = token ? personOf(token) : '';
  if (person === null) return null;
  const hash = person && (await digest(person));
  return ['routiq', FORMAT, place.graphql, organizationId, hash].join(' ');
}
