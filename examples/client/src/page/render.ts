/** Renders soon and once, however many things have changed. */

let isDue = false;
let render: () => void = () => undefined;

export function rendersBy(all: () => void): void {
  render = all;
}

export function renderSoon(): void {
  if (isDue) return;
  isDue = true;
  setTimeout(renderNow);
}

export function renderNow(): void {
  isDue = false;
  render();
}
