/**
 * A long list in a box that scrolls, such as a log or a list of patients: only the rows in sight, and some around them, are
 * in the document.
 *
 * Rows wrap, so their heights differ. A row counts with an estimate until it was in sight once; what is in sight stays
 * where it is when rows above it turn out to be higher or lower.
 */

const FEW = 150; // rows that are all in the document
const MARGIN_PX = 600; // above and below the box, so that scrolling meets rows and no gaps
const MOST_MOUNTED = 180;
const MOST_ATTEMPTS = 12; // to draw or reach rows of unknown heights: each attempt knows more of them

/** What a list consists of. */
export interface Rows<Item> {
  /** A number of the item that stays with it; small, as heights are stored by it. */
  keyOf: (item: Item) => number;
  make: (item: Item, position: number) => HTMLElement;
  /** Writes the position of a row into it, for screen readers. */
  place: (row: HTMLElement, position: number, count: number) => void;
  /** The height of a row that does not wrap, in pixels. */
  estimatedPx: () => number;
  /** The height of a header that covers the top of the box; none unless given. */
  headPx?: () => number;
  /** Called with the positions that are in the document now: from the first one to the one behind the last. */
  seen?: (first: number, last: number) => void;
}

export class VirtualList<Item> {
  private count = 0;
  private itemAt: (position: number) => Item = () => {
    throw new Error('The list is empty');
  };
  private tops = new Float64Array(1);
  private heights: number[] = []; // by key
  private rows = new Map<number, HTMLElement>(); // by key
  private width = 0;
  private left: number | null = null; // the row that had the focus when it was scrolled away: the box has it meanwhile

  constructor(
    private readonly box: HTMLElement,
    private readonly list: HTMLElement,
    private readonly kind: Rows<Item>,
  ) {
    box.addEventListener('scroll', this.update, { passive: true });
    new ResizeObserver(() => {
      if (box.clientWidth !== this.width) this.heights = [];
      this.width = box.clientWidth;
      this.place();
    }).observe(box);
  }

  /** Shows `count` items. Rows that are shown already stay as they are, unless `isAnew`. */
  show(count: number, itemAt: (position: number) => Item, isAnew = false): void {
    this.count = count;
    this.itemAt = itemAt;
    if (isAnew) {
      for (const row of this.rows.values()) row.remove();
      this.rows.clear();
    }
    this.place();
  }

  /** Forgets all rows: those of another list come. */
  clear(): void {
    this.heights = [];
    this.box.scrollTop = 0;
    this.show(0, this.itemAt, true);
  }

  /** Scrolls a row into sight, to the middle of the box unless it is in sight already. Gives the row. */
  reveal(position: number): HTMLElement | null {
    if (position < 0 || position >= this.count) return null;
    const key = this.keyAt(position);
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const distance = this.distance(position, key);
      if (distance !== 0) this.box.scrollTop = Math.max(0, this.box.scrollTop + distance); // better known once it was measured
      else if (this.rows.has(key)) break;
      this.update();
    }
    return this.rows.get(key) ?? null;
  }

  /** The row of an item, if it is in the document. */
  row(key: number): HTMLElement | undefined {
    return this.rows.get(key);
  }

  /** Makes the rows of these items anew, with the focus on the same control. */
  renew(keys: Iterable<number>): void {
    for (const key of keys) {
      const row = this.rows.get(key);
      if (!row) continue;
      if (row.contains(document.activeElement)) {
        this.left = key;
        this.box.focus({ preventScroll: true });
      }
      row.remove();
      this.rows.delete(key);
    }
    this.update();
  }

  private keyAt(position: number): number {
    return this.kind.keyOf(this.itemAt(position));
  }

  // How far to scroll so that a row is in the middle; 0 if it is in sight.
  private distance(position: number, key: number): number {
    const box = this.box.getBoundingClientRect();
    const head = this.kind.headPx?.() ?? 0;
    const row = this.rows.get(key)?.getBoundingClientRect();
    const top = row ? row.top - box.top : (this.tops[position] ?? 0) + head - this.box.scrollTop;
    const bottom = row ? row.bottom - box.top : top + this.kind.estimatedPx();
    return top >= head && bottom <= box.height ? 0 : (top + bottom - box.height - head) / 2;
  }

  private place(attempt = 0): void {
    this.tops = new Float64Array(this.count + 1);
    const estimate = this.kind.estimatedPx();
    for (let position = 0; position < this.count; position += 1) {
      this.tops[position + 1] = (this.tops[position] ?? 0) + (this.heights[this.keyAt(position)] ?? estimate);
    }
    this.draw(attempt);
  }

  private readonly update = (): void => {
    this.draw(0);
  };

  private draw(attempt: number): void {
    const [first, last] = this.window();
    const wanted = new Map<number, HTMLElement>();
    for (let position = first; position < last; position += 1) {
      const item = this.itemAt(position);
      const key = this.kind.keyOf(item);
      const row = this.rows.get(key) ?? this.kind.make(item, position);
      this.kind.place(row, position, this.count);
      wanted.set(key, row);
    }
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const isAtEnd = scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 2;
    this.mount(wanted);
    this.space(first, last);
    this.kind.seen?.(first, last);
    // A height that depends on the row's neighbours would change for ever; the next scroll measures again.
    if (attempt === MOST_ATTEMPTS || !this.measure(first, last)) return;
    this.place(attempt + 1);
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight; // and not where the end seemed to be
  }

  // From the first row in the document to the one behind the last.
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

  private mount(wanted: Map<number, HTMLElement>): void {
    for (const [key, row] of this.rows) {
      if (wanted.get(key) === row) continue;
      if (row.contains(document.activeElement)) {
        this.left = key;
        this.box.focus({ preventScroll: true });
      }
      row.remove();
    }
    let next = this.list.firstElementChild;
    for (const row of wanted.values()) {
      if (row === next) next = next.nextElementSibling;
      else this.list.insertBefore(row, next);
    }
    this.rows = wanted;
    if (document.activeElement !== this.box) this.left = null;
    else if (this.left !== null && this.rows.has(this.left)) this.focus(this.left);
  }

  private focus(key: number): void {
    this.left = null;
    this.rows.get(key)?.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true });
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
      const key = this.keyAt(position);
      const height = this.rows.get(key)?.getBoundingClientRect().height ?? 0;
      const before = this.heights[key] ?? this.kind.estimatedPx();
      if (height === 0 || Math.abs(height - before) < 0.5) continue;
      this.heights[key] = height;
      hasChanged = true;
      if ((this.tops[position] ?? 0) < scrollTop) moved += height - before;
    }
    if (moved !== 0) this.box.scrollTop = scrollTop + moved;
    return hasChanged;
  }
}
