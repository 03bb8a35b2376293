/**
 * Links within the page: the address changes, the page stays. The back button returns to the same place of the page, with
 * the focus on the link that was used.
 */

import { type Route, routeOf } from './address';

interface Left {
  scrollTop: number;
  /** The link that was used, as the page writes it; of several such links, which one. */
  href: string;
  index: number;
}

/** Keeps something with this entry of the browser's history, for when a person comes back to it or reloads. */
export function keepInHistory(part: Readonly<Record<string, unknown>>): void {
  history.replaceState({ ...(history.state as object | null), ...part }, '');
}

/** What was kept under this name; undefined for nothing. */
export const keptInHistory = (name: string): unknown => (history.state as Record<string, unknown> | null)?.[name];

const isLeft = (state: unknown): state is Left => typeof state === 'object' && state !== null && 'scrollTop' in state;

/** Goes to an address of this page. */
export type Navigate = (href: string, link?: Element) => void;

/**
 * Begins. `go` is called with the new route, and with a function that returns to where a person left the page, if they come
 * back to it.
 */
export function watchRoute(go: (route: Route, restore: (() => void) | null) => void): Navigate {
  history.scrollRestoration = 'manual';
  const navigate: Navigate = (href, link) => {
    const left: Left = { scrollTop: scrollY, href, index: link ? linksTo(href).indexOf(link) : 0 };
    keepInHistory({ ...left });
    history.pushState(null, '', href);
    go(routeOf(location), null);
  };
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest('a[data-inside]');
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented) return;
    event.preventDefault();
    navigate(link.getAttribute('href') ?? '', link);
  });
  addEventListener('popstate', ({ state }: PopStateEvent) => {
    go(routeOf(location), isLeft(state) ? () => returnTo(state) : null);
  });
  return navigate;
}

const linksTo = (href: string): Element[] =>
  [...document.querySelectorAll('a[data-inside]')].filter((link) => link.getAttribute('href') === href);

function returnTo({ scrollTop, href, index }: Left): void {
  const used = linksTo(href)[index] as HTMLAnchorElement | SVGAElement | undefined;
  used?.focus({ preventScroll: true });
  scrollTo(0, scrollTop);
}
