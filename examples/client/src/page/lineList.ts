/**
 * A long list of log lines in a box that scrolls: only the lines in sight, and some around them, are in the document.
 *
 * Lines wrap, so their heights differ. A line counts with an estimate until it was in sight once; what is in sight stays
 * where it is when lines above it turn out to be higher or lower.
 */

import type { LogLine } from '../core/types';

const FEW = 150; // lines that are all in the document
const MARGIN_PX = 600; // above and below the box, so that scrolling meets lines and no gaps
const MOST_MOUNTED = 180;
const ESTIMATED_PX = 33; // a line that does not wrap

export class LineList {
  private count = 0;
  private lineAt: (position: number) => LogLine = () => {
    throw new Error('The list is empty');
  };
  private tops = new Float64Array(1);
  private heights: number[] = []; // by seq
  private rows = new Map<number, HTMLLIElement>(); // by seq
  private width = 0;

  constructor(
    private readonly box: HTMLElement,
    private readonly list: HTMLElement,
    private readonly makeRow: (line: LogLine, position: number) => HTMLLIElement,
  ) {
    box.addEventListener('scroll', this.update, { passive: true });
    new ResizeObserver(() => {
      if (box.clientWidth !== this.width) this.heights = [];
      this.width = box.clientWidth;
      this.place();
    }).observe(box);
  }

  /** Shows `count` lines. Rows that are shown already stay as they are, unless `isAnew`. */
  show(count: number, lineAt: (position: number) => LogLine, isAnew = false): void {
    this.count = count;
    this.lineAt = lineAt;
    if (isAnew) {
      for (const row of this.rows.values()) row.remove();
      this.rows.clear();
    }
    this.place();
  }

  /** Forgets all lines: those of another sync come. */
  clear(): void {
    this.heights = [];
    this.box.scrollTop = 0;
    this.show(0, this.lineAt, true);
  }

  /** Scrolls a line into sight, to the middle of the box unless it is in sight already. Gives its row. */
  reveal(position: number): HTMLLIElement | null {
    if (position < 0 || position >= this.count) return null;
    const { seq } = this.lineAt(position);
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const distance = this.distance(position, seq);
      if (distance === 0) break;
      this.box.scrollTop = Math.max(0, this.box.scrollTop + distance); // better known once it was measured
      this.update();
    }
    return this.rows.get(seq) ?? null;
  }

  /** The row of a line, if it is in the document. */
  row(seq: number): HTMLLIElement | undefined {
    return this.rows.get(seq);
  }

  // How far to scroll so that a line is in the middle; 0 if it is in sight.
  private distance(position: number, seq: number): number {
    const box = this.box.getBoundingClientRect();
    const row = this.rows.get(seq)?.getBoundingClientRect();
    const top = row ? row.top - box.top : (this.tops[position] ?? 0) - this.box.scrollTop;
    const bottom = row ? row.bottom - box.top : top + ESTIMATED_PX;
    return top >= 0 && bottom <= box.height ? 0 : (top + bottom - box.height) / 2;
  }

  private place(): void {
    this.tops = new Float64Array(this.count + 1);
    for (let position = 0; position < this.count; position += 1) {
      this.tops[position + 1] = (this.tops[position] ?? 0) + (this.heights[this.lineAt(position).seq] ?? ESTIMATED_PX);
    }
    this.update();
  }

  private readonly update = (): void => {
    const [first, last] = this.window();
    const wanted = new Map<number, HTMLLIElement>();
    for (let position = first; position < last; position += 1) {
      const line = this.lineAt(position);
      const row = this.rows.get(line.seq) ?? this.makeRow(line, position);
      row.ariaPosInSet = String(position + 1);
      row.ariaSetSize = String(this.count);
      wanted.set(line.seq, row);
    }
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const isAtEnd = scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 2;
    this.mount(wanted);
    this.space(first, last);
    if (!this.measure(first, last)) return;
    this.place();
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight; // and not where the end seemed to be
  };

  // From the first line in the document to the one behind the last.
  private window(): [number, number] {
    if (this.count <= FEW) return [0, this.count];
    const { scrollTop, clientHeight } = this.box;
    const first = this.positionAt(scrollTop - MARGIN_PX);
    const last = Math.min(this.count, this.positionAt(scrollTop + clientHeight + MARGIN_PX) + 1);
    return [first, Math.min(last, first + MOST_MOUNTED)];
  }

  private positionAt(top: number): number {
    let [low, high] = [0, this.count - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.tops[middle] ?? 0) <= top) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private mount(wanted: Map<number, HTMLLIElement>): void {
    for (const [seq, row] of this.rows) {
      if (wanted.get(seq) === row) continue;
      if (row.contains(document.activeElement)) this.box.focus({ preventScroll: true });
      row.remove();
    }
    let next = this.list.firstElementChild;
    for (const row of wanted.values()) {
      if (row === next) next = next.nextElementSibling;
      else this.list.insertBefore(row, next);
    }
    this.rows = wanted;
  }

  private space(first: number, last: number): void {
    const [top = 0, bottom = 0, total = 0] = [this.tops[first], this.tops[last], this.tops[this.count]];
    this.list.style.paddingTop = `${top}px`;
    this.list.style.paddingBottom = `${total - bottom}px`;
  }

  // Whether a height was not known yet. Keeps what is in sight where it is.
  private measure(first: number, last: number): boolean {
    if (this.box.clientHeight === 0 || this.count <= FEW) return false;
    const { scrollTop } = this.box;
    let [moved, hasChanged] = [0, false];
    for (let position = first; position < last; position += 1) {
      const { seq } = this.lineAt(position);
      const height = this.rows.get(seq)?.getBoundingClientRect().height ?? 0;
      const before = this.heights[seq] ?? ESTIMATED_PX;
      if (height === 0 || Math.abs(height - before) < 0.5) continue;
      this.heights[seq] = height;
      hasChanged = true;
      if ((this.tops[position] ?? 0) < scrollTop) moved += height - before;
    }
    if (moved !== 0) this.box.scrollTop = scrollTop + moved;
    return hasChanged;
  }
}
