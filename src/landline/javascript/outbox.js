/**
 * Publishing exactly once, without I/O: what a client says and hears in a flow of its outbox, and the numbers that tell a repeat from
 * something new. Durable sends are said the same way.
 *
 * Whatever was not answered when a flow ended is said again, in order and with the same numbers, in the next one: on whatever session, to
 * whatever life of the server.
 */

import { ProtocolError } from "./errors.js";
import { CloseCode } from "./frames.js";
import { FIXED } from "./limits.js";
import { encode } from "./pack.js";
import { decode } from "./unpack.js";

export const PUBLISH_PURPOSE = "landline.publish";
export const SEND_PURPOSE = "landline.send";

/** Why something was not published: it may not be; there was no room; or nobody knows whether it was. */
export const Code = Object.freeze({ REFUSED: 0, FULL: 1, UNKNOWN: 2 });

/**
 * What became of a number: it is stored at a position, or it is not, or nobody knows.
 *
 * @typedef {{ number: number, epoch: string, offset: number }
 *   | { number: number, code: number, reason: string }} Answer
 */

const SAYS = { OPENING: 0, PUBLISH: 1 };
const HEARS = { OPENED: 0, PUBLISHED: 1, UNPUBLISHED: 2 };

export class Outbox {
  /** @type {Map<number, { topic: string, data: Uint8Array }>} published and not answered, by number, oldest first */
  unanswered = new Map();
  /** Bytes of data in it. */
  size = 0;
  /** All up to this number may have been heard by a server. */
  said = 0;
  /** The server has answered the beginning of the present flow. */
  isOpen = false;
  #isKept;
  #last;
  /** @type {Set<number>} not in the storage yet: not to be said */
  #unkept = new Set();
  /** @type {Set<number>} answered, and still in the storage */
  #unforgotten = new Set();
  /** Numbers from this one on are to be said in the present flow. */
  #next = 0;

  /**
   * @param {Uint8Array} id 16 random bytes
   * @param {object} [before] what an earlier life of this program left of it
   * @param {Map<number, { topic: string, data: Uint8Array }>} [before.unanswered]
   * @param {boolean} [before.wasOpened] a server opened it, so that any of these may have been said
   * @param {boolean} [before.isKept] it is in a storage: numbers are said when they are `kept`, and answered when they are `forgotten`
   */
  constructor(id, { unanswered = new Map(), wasOpened = false, isKept = false } = {}) {
    this.id = id;
    for (const [number, entry] of [...unanswered].sort(([one], [other]) => one - other)) {
      this.unanswered.set(number, entry);
      this.size += entry.data.length;
    }
    this.#last = Math.max(0, ...this.unanswered.keys());
    this.said = wasOpened ? this.#last : 0;
    this.#isKept = isKept;
  }

  /** All up to this number are answered, and will not be asked about again. */
  get answered() {
    return Math.min(this.#oldest, ...this.#unforgotten) - 1;
  }

  get #oldest() {
    const [oldest = this.#last + 1] = this.unanswered.keys();
    return oldest;
  }

  /** Whether another one may be published before the oldest is answered. */
  get hasRoom() {
    return this.unanswered.size + this.#unforgotten.size < FIXED.publishes;
  }

  /**
   * Adds one; the caller has seen to the room.
   *
   * @param {string} topic
   * @param {Uint8Array} data as it is stored
   * @returns {number}
   */
  publish(topic, data) {
    this.#last += 1;
    this.unanswered.set(this.#last, { topic, data });
    this.size += data.length;
    if (this.#isKept) this.#unkept.add(this.#last);
    return this.#last;
  }

  /** Uses no number any more that an earlier life of this program may have used. */
  skip() {
    this.#last += FIXED.publishes;
  }

  // Beyond this program...

  /** @param {number} number it outlives this program now, and may be said */
  kept(number) {
    this.#unkept.delete(number);
  }

  /** @param {number} number it could not be kept, and was not said */
  withdraw(number) {
    this.#unkept.delete(number);
    this.#settle(number);
  }

  /** @param {number} number it was answered, and does not outlive this program any more */
  forgotten(number) {
    this.#unforgotten.delete(number);
  }

  // In a flow...

  /** What a new flow begins with; the publishes follow when the server has answered it. */
  begin() {
    this.isOpen = false;
    return encode([SAYS.OPENING, this.id]);
  }

  /**
   * What to say next, if there is something.
   *
   * @returns {Uint8Array | undefined}
   */
  nextMessage() {
    if (!this.isOpen) return undefined;
    for (; this.#next <= this.#last; this.#next++) {
      if (this.#unkept.has(this.#next)) return undefined; // those after it wait, too: they are said in order
      const entry = this.unanswered.get(this.#next);
      if (!entry) continue;
      const number = this.#next++;
      this.said = Math.max(this.said, number);
      return encode([SAYS.PUBLISH, number, this.answered, entry.topic, entry.data]);
    }
    return undefined;
  }

  /**
   * Takes what the server said; returns what became of which numbers.
   *
   * @param {unknown} said
   * @returns {Answer[]}
   * @throws {ProtocolError} it cannot be read, or answers what was not asked
   */
  receive(said) {
    const answer = decodeAnswer(said);
    if ("known" in answer) {
      if (this.isOpen) throw new ProtocolError("an outbox that was opened twice", CloseCode.BAD_DATA);
      return this.#opened(answer.known);
    }
    if (!this.unanswered.has(answer.number)) {
      throw new ProtocolError(`an answer to number ${answer.number}, which was not asked`, CloseCode.BAD_DATA);
    }
    this.#answered(answer.number);
    return [answer];
  }

  /** @param {boolean} isKnown */
  #opened(isKnown) {
    this.isOpen = true;
    /** @type {Answer[]} */
    const lost = [];
    if (!isKnown) {
      // The server has never seen the outbox, or forgot it: what was said before may be stored or not, and is never said again.
      for (const number of [...this.unanswered.keys()].filter((each) => each <= this.said)) {
        lost.push({ number, code: Code.UNKNOWN, reason: "the server does not know what it had been sent before" });
        this.#answered(number);
      }
    }
    this.#next = this.#oldest;
    return lost;
  }

  /** @param {number} number */
  #answered(number) {
    this.#settle(number);
    if (this.#isKept) this.#unforgotten.add(number);
  }

  /** Nobody will answer any more. */
  clear() {
    this.unanswered.clear();
    this.size = 0;
  }

  /** @param {number} number */
  #settle(number) {
    this.size -= this.unanswered.get(number)?.data.length ?? 0;
    this.unanswered.delete(number);
  }
}

/**
 * @param {unknown} said
 * @returns {{ known: boolean } | Answer}
 */
function decodeAnswer(said) {
  const [what, first, second, third] = decodeArray(said);
  const isNumber = Number.isSafeInteger(first) && first >= 1;
  if (what === HEARS.OPENED && typeof first === "boolean") return { known: first };
  if (what === HEARS.PUBLISHED && isNumber && typeof second === "string" && isOffset(third)) {
    return { number: first, epoch: second, offset: third };
  }
  if (what === HEARS.UNPUBLISHED && isNumber && Object.values(Code).includes(second) && typeof third === "string") {
    return { number: first, code: second, reason: third };
  }
  throw new ProtocolError("an answer that cannot be read", CloseCode.BAD_DATA);
}

/**
 * The array that a message of such a flow is.
 *
 * @param {unknown} said
 * @returns {any[]}
 * @throws {ProtocolError} it is none
 */
export function decodeArray(said) {
  if (said instanceof Uint8Array) {
    try {
      const array = decode(said);
      if (Array.isArray(array)) return array;
    } catch {
      // As below.
    }
  }
  throw new ProtocolError("a message of such a flow is an array", CloseCode.BAD_DATA);
}

/** @param {unknown} value */
export function isOffset(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
}

// The other way round: what a receiver of durable sends hears and says...

/**
 * @param {unknown} said
 * @returns {{ outbox: Uint8Array } | { number: number, answered: number, data: Uint8Array }}
 */
export function decodePublish(said) {
  const [what, first, answered, topic, data] = decodeArray(said);
  if (what === SAYS.OPENING && first instanceof Uint8Array && first.length === 16) return { outbox: first };
  const isPublish = what === SAYS.PUBLISH && Number.isSafeInteger(first) && first >= 1 && isOffset(answered);
  if (isPublish && typeof topic === "string" && data instanceof Uint8Array) return { number: first, answered, data };
  throw new ProtocolError("a publish that cannot be read", CloseCode.BAD_DATA);
}

/** @param {boolean} isKnown */
export function encodeOpened(isKnown) {
  return encode([HEARS.OPENED, isKnown]);
}

/** @param {Answer} answer */
export function encodeAnswer(answer) {
  return "code" in answer
    ? encode([HEARS.UNPUBLISHED, answer.number, answer.code, answer.reason])
    : encode([HEARS.PUBLISHED, answer.number, answer.epoch, answer.offset]);
}
