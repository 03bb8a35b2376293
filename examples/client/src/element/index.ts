// The script of the custom element: it registers <routiq-sync>, unless the page has one already.

import { RoutiqSync } from './RoutiqSync';

export { RoutiqSync };

if (!customElements.get('routiq-sync')) customElements.define('routiq-sync', RoutiqSync);
