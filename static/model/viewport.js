/** Browsers limit the height of an element; the lowest limit is Firefox's, 17,895,697 px. */
export const MAX_HEIGHT = 17_000_000;

/**
 * Which rows of a list of equal heights to draw.
 * @param {{top: number, height: number, row: number, count: number, extra: number}} view scroll position, height of the
 *   view and of a row in px; number of rows; rows to draw above and below the view
 * @returns {{first: number, end: number}} indexes of the rows, `end` excluded
 */
export function visibleRows({ top, height, row, count, extra }) {
  const first = Math.floor(Math.max(0, top) / row) - extra;
  const end = Math.ceil((Math.max(0, top) + height) / row) + extra;
  return { first: Math.max(0, Math.min(first, count)), end: Math.max(0, Math.min(end, count)) };
}

/**
 * The scroll position that makes a row visible with the least movement.
 * @param {{top: number, height: number, row: number}} view in px
 * @param {number} index of the row
 * @returns {number} px
 */
export function reveal({ top, height, row }, index) {
  const rowTop = index * row;
  if (rowTop < top) return rowTop;
  return Math.max(top, rowTop + row - height);
}

/** Whether the list stays at its end while rows arrive. Only the reader ends it: by scrolling up or by selecting. */
export class Following {
  #top = 0;

  constructor() {
    this.on = true;
  }

  /**
   * Learn a scroll position. A view that grew or a list that shrank also moves it, so only a move upwards while the
   * heights stayed the same is the reader's.
   * @param {{top: number, height: number, total: number}} view in px; `total` is the height of all rows
   */
  scrolled({ top, height, total }) {
    if (Math.abs(top - this.#top) < 1) return; // the page itself has moved the list there
    const atEnd = total - top - height < 4;
    if (atEnd) this.on = true;
    else if (top < this.#top - 1 && this.#heights === `${height} ${total}`) this.on = false;
    this.placed({ top, height, total });
  }

  /**
   * Learn a scroll position that the page has chosen.
   * @param {{top: number, height: number, total: number}} view in px
   */
  placed({ top, height, total }) {
    this.#top = top;
    this.#heights = `${height} ${total}`;
  }

  #heights = "";
}
