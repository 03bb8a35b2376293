// The element's attributes and their properties. An attribute is where its value is kept, as for the elements of HTML, so
// that pages, frameworks and developer tools see the same.

/** The attribute of each property. */
export const ATTRIBUTES = {
  organizationId: 'organization-id',
  apiBaseUrl: 'api-base-url',
  graphqlUrl: 'graphql-url',
  dashboardUrl: 'dashboard-url',
  heading: 'heading',
  locale: 'locale',
  parts: 'parts',
} as const;

/** Gives the class a property for each attribute; null and undefined remove the attribute. */
export function defineProperties(target: { prototype: HTMLElement }): void {
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    Object.defineProperty(target.prototype, name, {
      configurable: true,
      enumerable: true,
      get(this: HTMLElement): string | null {
        return this.getAttribute(attribute);
      },
      set(this: HTMLElement, value: string | null | undefined) {
        if (value === null || value === undefined) this.removeAttribute(attribute);
        else this.setAttribute(attribute, value);
      },
    });
  }
}

/** Hands values that a page has set before the element was defined to the properties that they were meant for. */
export function takeEarlyProperties(element: HTMLElement, names: readonly string[]): void {
  const values = element as unknown as Record<string, unknown>;
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value = values[name];
    // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- the own property hides that of the class
    delete values[name];
    values[name] = value;
  }
}
