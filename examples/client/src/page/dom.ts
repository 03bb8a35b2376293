/** Small steps on the document. Everything that comes from a server is shown as text, never as markup. */

/** The element with this id, which the page's template has; of which kind it is, its caller knows. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function byId<Kind extends Element = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element ${id}`);
  return found as Element as Kind;
}

/** A new element. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A new element of a drawing. */
export function drawing(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** A link within the page: its click changes the address and the view, without a reload. */
export function inside(href: string, text: string, properties: Partial<HTMLAnchorElement> = {}): HTMLAnchorElement {
  const link = element('a', { href, textContent: text, ...properties });
  link.dataset['inside'] = '';
  return link;
}

/** Writes a text, unless it is there already: observers and screen readers see only changes. */
export function setText(target: string | Element, text: string): void {
  const found = typeof target === 'string' ? byId(target) : target;
  if (found.textContent !== text) found.textContent = text;
}

export function show(id: string, isShown: boolean): void {
  byId(id).hidden = !isShown;
}

/** The colour of an element and of what is in it. */
export function tone(target: HTMLElement | SVGElement, name: string): void {
  if (target.dataset['tone'] !== name) target.dataset['tone'] = name;
}

export function badge(text: string, color: string): HTMLElement {
  const made = element('span', { className: 'badge', textContent: text });
  tone(made, color);
  return made;
}

/** Has screen readers say something, once. */
export function say(text: string): void {
  setText('announcer', text);
}
