/** A button with a menu below it, which closes by Escape, by a click elsewhere, and after a choice. */

import { byId } from './dom';

/** Makes the button with this id open and close the element `…-menu`. Returns what closes it. */
export function buildMenu(id: string): () => void {
  const [button, menu] = [byId(id), byId(`${id}-menu`)];
  const toggle = (isOpen: boolean): void => {
    if (menu.hidden === !isOpen) return;
    menu.hidden = !isOpen;
    button.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) menu.querySelector<HTMLElement>('button, input')?.focus();
  };
  button.addEventListener('click', () => toggle(menu.hidden === true));
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') toggle(false);
  });
  document.addEventListener('click', ({ target }) => {
    if (!(target as Element).closest('.menu')?.contains(menu)) toggle(false);
  });
  return () => toggle(false);
}
