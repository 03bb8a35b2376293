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

/** Whose token was noted last. What one person has read is neither shown to the next one nor passed on to their tabs. */
export class Person {
  #name: string | null = null;

  /** Whether a token is of another person than the one before. `name` is that of the person's group. */
  isOther(name: string | null): boolean {
    if (name === null) return false;
    const isOther = this.#name !== null && this.#name !== name;
    this.#name = name;
    return isOther;
  }
}
