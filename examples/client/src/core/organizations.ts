// Which organizations the viewer may see, for a page that has to ask which one is meant.

import { placeOf } from './address';
import { ReadOrganizationsDocument } from './gql/graphql';
import { Requests } from './requests';
import { Tokens } from './tokens';
import type { ClientOptions, OrganizationPage } from './types';

/** One page of them, by name or id. Throws an Error whose message is for people. */
export async function readOrganizations(
  options: Omit<ClientOptions, 'organizationId'>,
  { after = null, search = null }: { after?: string | null; search?: string | null } = {},
): Promise<OrganizationPage> {
  const requests = new Requests(placeOf(options), new Tokens(options.getToken));
  const { organizations } = await requests.ask(ReadOrganizationsDocument, { after, search });
  return organizations;
}
