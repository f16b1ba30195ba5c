/**
 * Outboxes in a storage of the program's: what is in them survives a reload of the page, and goes out once when it is there again.
 *
 * Each life of the program begins an outbox of its own, and only finishes those of the lives before: a storage that was copied, or put back,
 * then never gives a number that was used already to something new, which the server would take for a repeat.
 */

import { LandlineError } from "./errors.js";
import { FIXED } from "./limits.js";
import { Outbox } from "./outbox.js";
import { encode } from "./pack.js";
import { decode } from "./unpack.js";

/**
 * Where a client keeps what is not answered. Of one client alone.
 *
 * @typedef {object} Storage
 * @property {(key: string) => Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>} get
 * @property {(key: string, value: Uint8Array | null) => void | Promise<void>} set null removes it
 * @property {() => void | Promise<void>} [open] called before all else
 * @property {() => void | Promise<void>} [close] called when the session is over
 */

export const PUBLISHES = "landline.publish";
export const SENDS = "landline.send";

const MOST = FIXED.outboxes / 2; // of publishes, and as many of sends: a session may have no more
const BLOCK = 64; // numbers that are reserved in the index at a time, so that most entries cost one write

/**
 * What the index says of an outbox: a server has opened it, and entries are to be looked for from `from` to `to`.
 *
 * @typedef {{ id: Uint8Array, wasOpened: boolean, from: number, to: number }} Row
 */

/** The outboxes at one place, and the index of them: a storage cannot be asked what keys it has. */
class Place {
  /** @type {Row[]} oldest first */
  rows = [];
  /** @type {Promise<void>} */
  #writing = Promise.resolve();

  /**
   * @param {Storage} storage
   * @param {string} name
   */
  constructor(storage, name) {
    this.storage = storage;
    this.name = name;
  }

  async read() {
    const index = await this.storage.get(this.name);
    if (!index) return;
    try {
      this.rows = decode(index).map((/** @type {any} */ row) => {
        const [id, wasOpened, from, to] = row;
        if (!(id instanceof Uint8Array && Number.isSafeInteger(from) && Number.isSafeInteger(to))) throw new TypeError("no row");
        return { id, wasOpened, from, to };
      });
    } catch (error) {
      throw new LandlineError("the outbox that is kept cannot be read", { cause: error });
    }
  }

  /** Writes the index, after what is being written of it. */
  write() {
    const index = encode(this.rows.map(({ id, wasOpened, from, to }) => [id, wasOpened, from, to]));
    this.#writing = this.#writing.catch(() => {}).then(() => this.storage.set(this.name, index));
    return this.#writing;
  }

  /**
   * @param {Row} row
   * @param {number} number
   */
  key({ id }, number) {
    return `${this.name}.${Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("")}.${number}`;
  }
}

/** Keeps one outbox beyond its program. */
export class KeptOutbox {
  outbox;
  #place;
  #row;
  /** @type {Promise<void> | undefined} the index being written */
  #reserved;

  /**
   * @param {Place} place
   * @param {Row} row
   * @param {Outbox} outbox
   */
  constructor(place, row, outbox) {
    this.#place = place;
    this.#row = row;
    this.outbox = outbox;
  }

  /** @param {number} number has an entry in the storage, so that it may be said */
  async keep(number) {
    const { topic, data } = /** @type {{ topic: string, data: Uint8Array }} */ (this.outbox.unanswered.get(number));
    if (number > this.#row.to) this.#reserved = this.#reserve(number);
    await this.#reserved;
    await this.#place.storage.set(this.#place.key(this.#row, number), encode([topic, data]));
    this.outbox.kept(number);
  }

  /** @param {number} number is found by the index from now on, and some after it */
  async #reserve(number) {
    const row = this.#row;
    const before = row.to;
    row.to = number + BLOCK;
    row.from = this.outbox.answered + 1;
    if (!this.#place.rows.includes(row)) this.#place.rows.push(row);
    try {
      await this.#place.write();
    } catch (error) {
      row.to = before; // the next one tries again
      throw error;
    }
  }

  /** A server has opened it: from now on anything in it may have been said. */
  async opened() {
    if (this.#row.wasOpened) return;
    this.#row.wasOpened = true;
    await this.#place.write();
  }

  /** @param {number[]} numbers these were answered */
  async forget(numbers) {
    for (const number of numbers) {
      await this.#place.storage.set(this.#place.key(this.#row, number), null);
      this.outbox.forgotten(number);
    }
  }
}

/**
 * The outboxes that are kept at this place and not empty, oldest first, and at the end one for what comes now. Where very many are left,
 * the last of them is for what comes now.
 *
 * @param {Storage} storage
 * @param {string} name
 * @returns {Promise<KeptOutbox[]>}
 * @throws {LandlineError} what is kept cannot be read
 */
export async function openOutboxes(storage, name) {
  const place = new Place(storage, name);
  await place.read();
  /** @type {KeptOutbox[]} */
  const left = [];
  for (const row of [...place.rows]) {
    const unanswered = await entries(place, row);
    if (!unanswered.size) {
      place.rows.splice(place.rows.indexOf(row), 1); // stored with the next index
      continue;
    }
    left.push(new KeptOutbox(place, row, new Outbox(row.id, { unanswered, wasOpened: row.wasOpened, isKept: true })));
  }
  const last = left.at(-1);
  if (last && left.length >= MOST) {
    last.outbox.skip(); // some above those that are kept may have been answered
    return left;
  }
  const id = crypto.getRandomValues(new Uint8Array(16));
  const row = { id, wasOpened: false, from: 1, to: 0 };
  return [...left, new KeptOutbox(place, row, new Outbox(id, { isKept: true }))];
}

/**
 * @param {Place} place
 * @param {Row} row
 */
async function entries(place, row) {
  /** @type {Map<number, { topic: string, data: Uint8Array }>} */
  const found = new Map();
  for (let number = row.from; number <= row.to; number++) {
    const entry = await place.storage.get(place.key(row, number));
    if (!entry) continue;
    try {
      const [topic, data] = decode(entry);
      if (typeof topic !== "string" || !(data instanceof Uint8Array)) throw new TypeError("no entry");
      found.set(number, { topic, data });
    } catch (error) {
      throw new LandlineError("the outbox that is kept cannot be read", { cause: error });
    }
  }
  return found;
}
