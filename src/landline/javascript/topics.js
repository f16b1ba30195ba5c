/**
 * Topics, as a client uses them: publishing exactly once, and subscriptions that go on where they were, on whatever line and server.
 */

import {
  FlowReset, NotAllowed, ProtocolError, PublishFailed, PublishUnknown, SessionClosed, TopicError,
} from "./errors.js";
import { isRenewed } from "./flowend.js";
import { CloseCode, ResetCode, wordsOf } from "./frames.js";
import { FIXED } from "./limits.js";
import { Code, Outbox, PUBLISH_PURPOSE, decodeArray, isOffset } from "./outbox.js";
import { Outgoing, chain } from "./outgoing.js";
import { encode } from "./pack.js";
import { decodeStored, encodeStored } from "./stored.js";

const SUBSCRIBE_PURPOSE = "landline.subscribe";

/** A place in the history, and which life of that history. Compare offsets only within one store. */
export class Position {
  /**
   * @param {string} epoch
   * @param {number} offset rises by one with each publication over the whole store
   */
  constructor(epoch, offset) {
    this.epoch = epoch;
    this.offset = offset;
    Object.freeze(this);
  }
}

/** One item of a topic. */
export class Publication {
  /**
   * @param {string} topic
   * @param {Position} position
   * @param {any} data what was published
   */
  constructor(topic, position, data) {
    this.topic = topic;
    this.position = position;
    this.data = data;
  }
}

/** From `after` (excluded) to `to` (included) something of this topic, or of topics of this pattern, is missing, and why. */
export class Gap {
  /**
   * @param {string} topic
   * @param {Position} after
   * @param {Position} to
   * @param {string} reason `expired`, `the reader was behind`, `history replaced`, or another readable clause
   */
  constructor(topic, after, to, reason) {
    this.topic = topic;
    this.after = after;
    this.to = to;
    this.reason = reason;
  }
}

/** Gaps up to whose end everything was told; those that retention made may reach further than what comes after them. */
const PASSED = new Set(["history replaced", "the reader was behind", "superseded", "too large for the reader"]);

/** @typedef {Position | "start" | "now" | "last"} Beginning */

/** What one session publishes. */
export class Publishing {
  /** What was in the storage at the beginning: published earlier, not answered, and going out by itself, oldest first. */
  earlier;
  outgoing;
  #bare;

  /**
   * @param {import("./bare.js").Bare} bare
   * @param {import("./kept.js").KeptOutbox[]} [kept]
   */
  constructor(bare, kept) {
    this.#bare = bare;
    const all = kept
      ? chain(bare, PUBLISH_PURPOSE, kept)
      : [new Outgoing(bare, PUBLISH_PURPOSE, new Outbox(crypto.getRandomValues(new Uint8Array(16))))];
    this.outgoing = /** @type {Outgoing} */ (all.at(-1));
    this.earlier = all.flatMap(({ outbox, answers }) =>
      [...outbox.unanswered].map(([number, { topic, data }]) => {
        const position = /** @type {import("./waiting.js").Deferred<any>} */ (answers.get(number)).promise.then(positionOf);
        position.catch(() => {}); // nobody has to ask
        return { topic, data: decodeStored(data), position };
      }),
    );
  }

  /**
   * @param {string} topic
   * @param {unknown} data
   * @param {() => void} [onKept]
   */
  async publish(topic, data, onKept) {
    checkTopic(topic);
    const stored = encodeStored(data, this.#bare.core.maxMessage);
    const { number, answer } = await this.outgoing.add(topic, stored, onKept);
    try {
      return positionOf(await answer);
    } finally {
      this.outgoing.noLongerAwaited(number);
    }
  }
}

/** @param {import("./outbox.js").Answer} answer */
function positionOf(answer) {
  if (!("code" in answer)) return new Position(answer.epoch, answer.offset);
  throw answer.code === Code.UNKNOWN ? new PublishUnknown(answer.reason) : new PublishFailed(answer.reason);
}

/**
 * Publications of a pattern, as they come. It goes on by itself over dropped lines, and over a restart of a server that keeps sessions; leaving
 * the loop ends it.
 *
 * It throws `NotAllowed` where the server has no such topic, or does not let this client have it, and `SessionLost` after what arrived; a
 * session that is closed ends it.
 *
 * @implements {AsyncIterableIterator<Publication | Gap>}
 */
export class Subscription {
  pattern;
  #bare;
  #place;
  /** @type {Position | undefined} */
  #position;
  #isClosed = false;
  #end;

  /**
   * @param {import("./bare.js").Bare} bare
   * @param {string} pattern
   * @param {Beginning} after
   */
  constructor(bare, pattern, after) {
    checkPattern(pattern);
    this.pattern = pattern;
    this.#bare = bare;
    this.#place = new Place(pattern, after);
    this.#position = this.#place.position;
    this.#end = this.#begin();
  }

  /** Up to here everything was handed out: `after` for one that goes on from there. Undefined while that is not known. */
  get position() {
    return this.#position;
  }

  #begin() {
    const end = this.#bare.openFlow(SUBSCRIBE_PURPOSE);
    end.put(this.#place.begin());
    return end;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<Publication | Gap, undefined>>} */
  async next() {
    while (!this.#isClosed) {
      try {
        const said = this.#place.receive(await this.#received());
        this.#position = this.#place.position;
        if (said) return { done: false, value: said };
      } catch (error) {
        if (this.#isClosed || error instanceof SessionClosed) break;
        throw this.#why(error);
      }
    }
    this.#isClosed = true;
    return { done: true, value: undefined };
  }

  /** What the server says next, in whatever life. */
  async #received() {
    for (;;) {
      try {
        return await this.#end.receive();
      } catch (error) {
        if (this.#isClosed || !isRenewed(error)) throw error;
        this.#end = this.#begin();
      }
    }
  }

  /** Wants no more of it. */
  close() {
    this.#isClosed = true;
    this.#end.reset(ResetCode.CANCELLED);
  }

  /** @returns {Promise<IteratorResult<Publication | Gap, undefined>>} */
  async return() {
    this.close();
    return { done: true, value: undefined };
  }

  /** @param {unknown} error */
  #why(error) {
    if (error instanceof ProtocolError) this.#end.reset(ResetCode.BAD_DATA, error.reason);
    this.#isClosed = true;
    const isUnwanted = error instanceof FlowReset && error.code === wordsOf(ResetCode, ResetCode.UNWANTED);
    return isUnwanted ? new NotAllowed(error.reason) : error;
  }
}

/** Where a subscription is in the history, so that another flow can go on there. */
class Place {
  /** @type {Position | undefined} everything up to here has been told, where that is known */
  position;
  #pattern;
  #after;
  #epoch = "";

  /**
   * @param {string} pattern
   * @param {Beginning} after
   */
  constructor(pattern, after) {
    this.#pattern = pattern;
    this.#after = typeof after === "string" ? ["", "start", "now", "last"].indexOf(after) : 0;
    if (typeof after === "string" ? this.#after < 1 : !(typeof after?.epoch === "string" && isOffset(after.offset))) {
      throw new TopicError(`a subscription begins after a Position, or at "start", "now" or "last"`);
    }
    if (typeof after !== "string") this.position = new Position(after.epoch, after.offset); // of one that went through a storage, too
  }

  /** What a new flow says: to begin, or to go on where the one before had come to. */
  begin() {
    this.#epoch = "";
    const { epoch, offset } = this.position ?? { epoch: "", offset: 0 };
    return encode([this.#pattern, this.position ? 0 : this.#after, epoch, offset]);
  }

  /**
   * Takes what the server says; returns what the program is to be told.
   *
   * @param {unknown} said
   * @returns {Publication | Gap | undefined}
   * @throws {ProtocolError} it cannot be read
   */
  receive(said) {
    const [what, ...rest] = decodeArray(said);
    if (what === 0) {
      const [topic, offset, data] = rest;
      if (this.#epoch && typeof topic === "string" && isOffset(offset) && data instanceof Uint8Array) {
        this.position = new Position(this.#epoch, offset);
        return new Publication(topic, this.position, decodeStored(data));
      }
    } else if (what === 1) {
      const [epoch, offset] = rest;
      if (typeof epoch === "string" && isOffset(offset)) {
        this.#epoch = epoch;
        this.position = new Position(epoch, offset);
        return undefined;
      }
    } else if (what === 2) {
      const [topic, afterEpoch, after, toEpoch, to, reason] = rest;
      const areTexts = [topic, afterEpoch, toEpoch, reason].every((each) => typeof each === "string");
      if (areTexts && isOffset(after) && isOffset(to)) {
        const end = new Position(toEpoch, to);
        if (PASSED.has(reason)) this.position = end;
        return new Gap(topic, new Position(afterEpoch, after), end, reason);
      }
    }
    throw new ProtocolError("a publication that cannot be read", CloseCode.BAD_DATA);
  }
}

// The names of topics: tokens joined by dots...

const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Zs}\p{Zl}\p{Zp}]/u;
const utf8 = new TextEncoder();

/** @param {string} topic */
function checkTopic(topic) {
  for (const token of tokens(topic, "topic")) checkToken(token, topic, "topic");
}

/** @param {string} pattern */
function checkPattern(pattern) {
  const all = tokens(pattern, "pattern");
  const wild = all.filter((token) => /^\*{1,2}$/.test(token));
  if (wild.length > FIXED.wildcards) throw new TopicError(`the pattern "${pattern}" has more than ${FIXED.wildcards} wildcards`);
  if (all.slice(0, -1).includes("**")) throw new TopicError(`in the pattern "${pattern}" "**" is not the last token`);
  for (const token of all) if (!wild.includes(token)) checkToken(token, pattern, "pattern");
}

/**
 * @param {string} text
 * @param {string} what
 */
function tokens(text, what) {
  if (typeof text !== "string") throw new TopicError(`a ${what} is text, not ${typeof text}`);
  if (text.length > FIXED.topic || utf8.encode(text).length > FIXED.topic) throw new TopicError(`the ${what} is longer than ${FIXED.topic} bytes`);
  const all = text.split(".");
  if (all.length > FIXED.tokens) throw new TopicError(`the ${what} "${text}" has more than ${FIXED.tokens} tokens`);
  if (all.includes("")) throw new TopicError(text ? `the ${what} "${text}" has an empty token` : `the ${what} is empty`);
  return all;
}

/**
 * @param {string} token
 * @param {string} text
 * @param {string} what
 */
function checkToken(token, text, what) {
  if (/[*>]/.test(token)) throw new TopicError(`the ${what} "${text}" has a wildcard within a name; they are whole tokens of a pattern`);
  if (UNFIT.test(token)) throw new TopicError(`the ${what} "${text}" has a space or an invisible character`);
}
