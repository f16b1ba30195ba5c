/**
 * What a person reads in one pane (a room, talk with one person, a call), in order: lines, notes about people and the line, what became
 * of their own lines. The page draws it; here is only what it holds.
 *
 * It is bounded: what is oldest goes, soon where the newest is read or nobody looks, and is asked for again by whoever scrolls back.
 */

export const MOST_ITEMS = 1500; // kept while the newest is in view
export const MOST_LOOKED_BACK = 10_000; // kept for whoever scrolled back

/**
 * @typedef {object} Item
 * @property {string} key tells it from all others of its pane; stays when a line of ours that waited is said
 * @property {"line" | "note" | "failed"} kind
 * @property {number} at seconds since 1970
 * @property {string} text
 * @property {string} [name] who said it
 * @property {boolean} [own]
 * @property {number} [offset] of a line that is kept
 * @property {"plain" | "line" | "trouble" | "gap" | "missed"} [tone] of a note
 * @property {string} [why] what became of a line that was not said, or may not have been
 */

export class Transcript {
  constructor() {
    /** @type {Item[]} */
    this.items = [];
    /** Nothing was said before the first of them. */
    this.isStart = false;
    /** What was said up to this offset is not among them: looking back begins here. */
    this.begins = 0;
    /** Why what was said before, or among them, cannot be told. */
    this.missing = "";
    this._count = 0;
  }

  /** A key that no other item of this pane has. */
  nextKey() {
    this._count += 1;
    return `n${this._count}`;
  }

  /** @param {Item} item */
  add(item) {
    this.items.push(item);
  }

  /** @param {Item[]} items what was said before all that is here */
  addBefore(items) {
    this.items.unshift(...items);
  }

  /** @param {string} key */
  remove(key) {
    this.items = this.items.filter((item) => item.key !== key);
  }

  /** Let the oldest go where there are more than this. @param {number} most */
  trim(most) {
    if (this.items.length <= most) return;
    const gone = this.items.splice(0, this.items.length - Math.floor(most * 0.8));
    const last = gone.findLast((item) => item.offset !== undefined);
    if (!last) return;
    this.begins = Number(last.offset);
    this.isStart = false;
    this.missing = "";
  }
}
