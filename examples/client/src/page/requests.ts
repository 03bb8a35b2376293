/** Single requests of the page, beside those of the core's store: with the same server, and a token of the same person. */

import { placeOf } from '../core/address';
import { Requests } from '../core/requests';
import { Tokens } from '../core/tokens';
import { page } from './page';
import { givenToken, isAsked, tokensFor } from './tokens';

/** What asks the server about the organization that is shown. Throws `Refused` if the server's address is none. */
export function requests(): Requests {
  const tokens = new Tokens(tokensFor(page.place.organization));
  if (givenToken() && !isAsked()) tokens.give(givenToken());
  return new Requests(placeOf({ apiBaseUrl: page.place.api, graphqlUrl: page.place.graphql }), tokens);
}
