/**
 * The page: one organization's syncs, live, and any of them whole. It knows how things look; what is true comes from the
 * core's store. In this order: opening an organization, rendering, what people do.
 */

import { NOTHING_YET, organizationOf, SyncStore } from '../core';
import { filledIn, hrefOf, IS_SERVED, placeOf, type Route, routeOf, VIEW_PARAMETERS } from './address';
import { byId, say, setText } from './dom';
import { isFocusLost, moveFocus, watchFocus } from './focus';
import { renewChanges } from './live/changes';
import { renewMode } from './live/mode';
import { renewWebhooks } from './live/webhooks';
import { page } from './page';
import { renderNow, renderSoon, rendersBy } from './render';
import { watchRoute } from './routing';
import { canFetchToken, givenToken, giveToken, isAsked, tokensFor } from './tokens';
import { buildChooser, offerOrganizations } from './views/chooser';
import { askForKey, buildConnection, renderConnection, renderConnectTimes } from './views/connection';
import { renderLink, renderLostTimes, renderSignIn } from './views/connectionState';
import { renderFreshness } from './views/freshness';
import { buildHistory, focusRowOf, renderHistory } from './views/history';
import { renderLive, renderLiveTimes } from './views/live';
import { buildLog, renderLog } from './views/log';
import { announce, renderMessages } from './views/messages';
import { openSync, renderOpened, renderOpenedTimes } from './views/opened';
import { buildOpenedLog, seekLine } from './views/openedLog';
import { buildChanges, openChanges, renderChanges } from './views/patientChanges';
import { buildPatientDetails } from './views/patientDetails';
import { buildPatientList, openList, renderPatientList } from './views/patientList';
import { renderPatients } from './views/patients';
import { buildSteps } from './views/steps';
import { buildStrip, renderStrip } from './views/strip';
import { renderSync, renderSyncTimes } from './views/sync';
import { buildTaking } from './views/taking';
import { renderTitle } from './views/title';
import { buildTrouble, renderTrouble } from './views/trouble';
import { renderWebhooks } from './views/webhooks';

const OFFER_MS = 1000; // how long the focus waits for the list of organizations

const given = new URLSearchParams(location.search);
let stop: () => void = () => undefined;
const navigate = watchRoute((route, restore) => {
  if ((route.organization || ownOrganization()) !== page.place.organization) {
    location.reload();
    return;
  }
  showRoute(route);
  if (restore) restore();
});

/** The organization of an address that names none. */
const ownOrganization = (): string => filledIn('organization') || organizationOf(givenToken());

function openOrganization(organization: string, api: string): boolean {
  try {
    page.place = placeOf(organization, api);
  } catch (error) {
    const isNoAddress = error instanceof TypeError;
    const text = isNoAddress ? 'The API address is not a web address. Write it like http://localhost:8000/api/v1.' : (error as Error).message;
    setText('place-message', text);
    togglePlace(true);
    return false;
  }
  stop();
  setText('place-message', '');
  page.client = null;
  page.view = NOTHING_YET;
  page.liveSince = 0;
  setText('organization-id', organization);
  byId<HTMLInputElement>('organization').value = organization;
  byId<HTMLInputElement>('api').value = page.place.api;
  togglePlace(!organization);
  if (organization) follow();
  else void choose(IS_SERVED && !filledIn('organizations') && !givenToken() && !canFetchToken());
  renderSoon();
  return true;
}

function follow(): void {
  const { organization, api, graphql } = page.place;
  const client = new SyncStore({
    organizationId: organization,
    apiBaseUrl: api,
    graphqlUrl: graphql,
    getToken: tokensFor(organization),
  });
  if (!isAsked() && givenToken()) client.setToken(givenToken());
  page.client = client;
  stop = client.subscribe(() => {
    if (client === page.client) renderSoon();
  });
}

// What a route shows, apart from what can be changed within it.
const viewOf = ({ sync, list, changes }: Route): string => sync || (list ? 'list' : changes ? `${changes.sync} ${changes.since}` : '');

const titleIdOf = ({ sync, list, changes }: Route): string =>
  sync ? 'opened-title' : list ? 'list-title' : changes ? 'changes-title' : 'title';

// The dashboard, or one of its syncs at a line of its log, or a list of its patients.
function showRoute(route: Route): void {
  const before = page.route;
  const isOther = viewOf(route) !== viewOf(before);
  page.route = route;
  openSync(route.sync);
  openList(route.list);
  openChanges(route.changes);
  renderNow();
  if (route.sync) seekLine();
  if (!isOther) return;
  scrollTo(0, 0);
  if (before.sync && viewOf(route) === '' && focusRowOf(before.sync)) return;
  moveFocus(byId(titleIdOf(route)), { preventScroll: true });
}

async function tryAgain(): Promise<void> {
  const { client } = page;
  await client?.start();
  if (!client || client !== page.client || client.getView().results.get('start')?.isError) return;
  if (page.route.sync) navigate(hrefOf(''));
}

function enterKey(): void {
  if (page.route.sync) navigate(hrefOf(''));
  askForKey();
}

async function cancelOpened(): Promise<void> {
  await page.client?.cancel();
}

function takeView(): void {
  if (!page.client) return;
  const before = page.view;
  page.view = page.client.getView();
  if (page.view.connection !== 'live') page.liveSince = 0;
  else if (before.connection !== 'live') page.liveSince = Date.now();
  announce(before, page.view);
  if (before.overview === null && page.view.overview !== null) void page.client.loadHistory(); // the server accepts the token
}

// Offers the organizations, unless a request for them would only be refused. The focus goes to what is offered.
async function choose(isRefused = false): Promise<void> {
  togglePlace(true);
  const isOffered = isRefused ? undefined : offerOrganizations();
  await Promise.race([isOffered, new Promise((late) => setTimeout(late, OFFER_MS))]);
  const isElsewhere = !isFocusLost() && document.activeElement !== byId('change');
  if (isElsewhere || byId('place').hidden) return;
  byId(byId('chooser').hidden ? 'organization' : 'chooser-search').focus();
}

function togglePlace(isOpen: boolean): void {
  byId('place').hidden = !isOpen;
  byId('change').setAttribute('aria-expanded', String(isOpen));
}

rendersBy(() => {
  takeView();
  renewMode();
  renewChanges();
  renewWebhooks();
  renderLink();
  renderWebhooks();
  renderSignIn();
  renderSync();
  renderTimes();
  renderLog();
  renderPatients();
  renderLive();
  renderPatientList();
  renderChanges();
  renderConnection();
  renderHistory();
  renderTrouble();
  renderMessages();
  renderOpened();
  renderStrip();
  renderTitle();
});

function renderTimes(): void {
  renderSyncTimes();
  renderFreshness();
  renderLiveTimes();
  renderOpenedTimes();
  renderLostTimes();
  renderConnectTimes();
}

function onClick(id: string, action: () => unknown): void {
  byId(id).addEventListener('click', () => void action());
}

async function refresh(): Promise<void> {
  const { client } = page;
  if (!client) return;
  await client.refresh();
  if (client !== page.client) return;
  renderNow();
  if (!client.getView().results.get('refresh')?.isError) say('Refreshed.');
}

onClick('start', () => page.client?.start());
onClick('start-full', () => page.client?.start('FULL'));
onClick('cancel', () => page.client?.cancel());
onClick('refresh', refresh);
onClick('problem-again', () => page.client?.retryNow());
onClick('failure-key', enterKey);
onClick('failure-again', tryAgain);
onClick('opened-key', enterKey);
onClick('opened-again', tryAgain);
onClick('opened-cancel', cancelOpened);
onClick('opened-retry', () => page.opened?.retry());
onClick('change', () => {
  const isOpen = byId('place').hidden === false;
  if (isOpen && page.place.organization) togglePlace(false); // without an organization there is nothing else to see
  else void choose();
});
byId('place-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const organization = byId<HTMLInputElement>('organization').value.trim();
  if (!openOrganization(organization, byId<HTMLInputElement>('api').value.trim())) return;
  given.set('organization', organization);
  for (const name of VIEW_PARAMETERS) given.delete(name);
  if (!IS_SERVED) given.set('api', page.place.api);
  history.pushState(null, '', `?${given}`);
});
byId('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId<HTMLInputElement>('token');
  giveToken(field.value);
  field.value = '';
  if (canFetchToken()) page.client?.retryNow();
  else page.client?.setToken(givenToken());
});
addEventListener('hashchange', () => showRoute(routeOf(location)));
addEventListener('online', () => page.client?.retryNow());
setInterval(renderTimes, 250);
setInterval(renewWebhooks, 1000);

buildSteps();
buildLog();
buildConnection();
buildHistory();
buildOpenedLog();
buildPatientDetails();
buildPatientList(navigate);
buildChanges();
buildTaking();
buildChooser();
buildStrip();
watchFocus(renderSoon);

byId('api-field').hidden = IS_SERVED;
page.route = routeOf(location);
const api = given.get('api') || '';
openOrganization(page.route.organization || ownOrganization(), api);
if (viewOf(page.route)) showRoute({ ...page.route });
if (!page.place.organization && isAsked()) {
  // without a token, the form asks for the organization
  void Promise.resolve(window.routiqGetToken?.()).then(
    (token) => {
      const own = organizationOf(token || '');
      if (own && !page.place.organization && !byId<HTMLInputElement>('organization').value) openOrganization(own, api);
    },
    () => undefined,
  );
}
buildTrouble().catch(() => undefined); // the panel is not there then
