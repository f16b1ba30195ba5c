/**
 * What goes out of an outbox, exactly once: over one flow after another, on whatever line and server, until each of it is answered.
 */

import {
  FlowEnded, FlowReset, LandlineError, ProtocolError, PublishFailed, PublishUnknown, SessionEnded,
} from "./errors.js";
import { isRenewed } from "./flowend.js";
import { ResetCode, wordsOf } from "./frames.js";
import { Bell, deferred } from "./waiting.js";

/** @typedef {import("./outbox.js").Answer} Answer */

const UNWANTED = wordsOf(ResetCode, ResetCode.UNWANTED);

/** One outbox during one session. */
export class Outgoing {
  /** @type {Map<number, import("./waiting.js").Deferred<Answer>>} the answer to each number that somebody may wait for */
  answers = new Map();
  /** @type {Set<number>} the numbers that an orderly close waits for */
  awaited = new Set();
  outbox;
  #bare;
  #purpose;
  #kept;
  #after;
  #isRest;
  #givenUp = "";
  /** @type {Map<number, Promise<void>>} what is on its way into the storage */
  #keeping = new Map();
  #room = new Bell();
  /** @type {import("./flowend.js").FlowEnd | undefined} */
  #end;
  #maySay = false;
  /** @type {Promise<void> | undefined} */
  #running;

  /**
   * @param {import("./bare.js").Bare} bare
   * @param {string} purpose of its flows; says what the server does with it
   * @param {import("./outbox.js").Outbox} outbox
   * @param {object} [how]
   * @param {import("./kept.js").KeptOutbox} [how.kept] keeps it, where it is to survive this program
   * @param {Outgoing} [how.after] another one, which goes first
   * @param {boolean} [how.isRest] nothing more is put into it: it is through when all of it is answered
   */
  constructor(bare, purpose, outbox, { kept, after, isRest = false } = {}) {
    this.#bare = bare;
    this.#purpose = purpose;
    this.outbox = outbox;
    this.#kept = kept;
    this.#after = after;
    this.#isRest = isRest;
    for (const number of outbox.unanswered.keys()) this.answers.set(number, deferred());
    // What the last life of the server would not take, the next one may.
    if (kept) bare.onRenewed.push(() => this.outbox.unanswered.size && this.start());
  }

  /**
   * Puts one in, waiting while there is no room. An outbox that is full of what the server refused does not wait: it is tried again, and
   * meanwhile the answer is `PublishFailed`.
   *
   * @param {string} topic
   * @param {Uint8Array} data as it is stored
   * @param {() => void} [onKept]
   * @returns {Promise<{ number: number, answer: Promise<Answer>, kept: Promise<void> }>}
   * @throws {SessionEnded} the session is over
   */
  async add(topic, data, onKept) {
    const { outbox } = this;
    for (let hasTried = false; !this.#bare.whyUnwritable && !this.#hasRoom; await this.#room.heard()) {
      if (this.#running) continue;
      if (hasTried) throw new PublishFailed(`the outbox is full of what could not be sent: ${this.#givenUp}`);
      hasTried = true;
      this.start();
    }
    const error = this.#bare.whyUnwritable;
    if (error) throw error;
    const number = outbox.publish(topic, data);
    this.awaited.add(number);
    /** @type {import("./waiting.js").Deferred<Answer>} */
    const answer = deferred();
    this.answers.set(number, answer);
    const kept = this.#kept ? this.#keep(this.#kept, number, onKept) : Promise.resolve();
    this.start();
    this.#fill();
    return { number, answer: answer.promise, kept };
  }

  get #hasRoom() {
    return this.outbox.hasRoom && this.outbox.size < this.#bare.limits.outboxBytes;
  }

  /** @param {number} number nobody waits for its answer any more */
  noLongerAwaited(number) {
    this.awaited.delete(number);
    this.#room.ring();
  }

  /** Waits until all is answered that is awaited by now, or the session is over. */
  async whenAnswered() {
    const last = Math.max(0, ...this.awaited);
    while ([...this.awaited].some((number) => number <= last) && !this.#bare.ended) await this.#room.heard();
  }

  /**
   * Waits until all is answered that is in it by now, and in those before it.
   *
   * @throws {SessionEnded} the session ended before that was known
   */
  async flush() {
    await this.#after?.flush();
    if (this.#isRest) await this.#running;
    else await this.whenAnswered();
    const error = this.#bare.whyUnwritable;
    if (error && (this.awaited.size || this.#givenUp)) throw error;
  }

  /** Waits until nothing of it, nor of those before it, is at work any more. */
  async whenThrough() {
    await this.#after?.whenThrough();
    await this.#running;
  }

  /**
   * @param {import("./kept.js").KeptOutbox} kept
   * @param {number} number
   * @param {(() => void) | undefined} onKept
   */
  #keep(kept, number, onKept) {
    const keeping = kept.keep(number).then(
      () => onKept?.(),
      (error) => {
        this.outbox.withdraw(number);
        this.#settle(number, new PublishFailed(`it could not be kept: ${error}`));
        this.#room.ring();
      },
    );
    const done = keeping.finally(() => {
      this.#keeping.delete(number);
      this.#fill();
    });
    this.#keeping.set(number, done.catch(() => {})); // what `onKept` throws is told to who published
    return done;
  }

  /**
   * @param {number} number
   * @param {Answer | LandlineError} outcome
   */
  #settle(number, outcome) {
    this.awaited.delete(number);
    const answer = this.answers.get(number);
    this.answers.delete(number);
    if (outcome instanceof Error) answer?.reject(outcome);
    else answer?.resolve(outcome);
  }

  // In a flow...

  /** Opens a flow for it, if there is none. */
  start() {
    this.#running ??= this.#run();
  }

  /** Says what the flow takes now. */
  #fill() {
    while (this.#maySay && this.#end?.takesMore) {
      const message = this.outbox.nextMessage();
      if (!message) return;
      this.#end.put(message);
    }
  }

  /** Keeps a flow for it, on this life of the server and the next; ends with the session. */
  async #run() {
    let reason = "";
    let maybe = true;
    try {
      await this.#after?.whenThrough();
      while (!this.#isThrough) {
        try {
          await this.#serve(this.#bare.openFlow(this.#purpose));
        } catch (error) {
          if (!isRenewed(error)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof LandlineError)) reason = `${error}`; // of the storage
      else if (error instanceof ProtocolError) reason = `what the server said cannot be read: ${error.reason}`;
      else reason = (error instanceof FlowReset && error.reason) || error.message;
      maybe = !(error instanceof FlowReset && error.code === UNWANTED);
    }
    this.#end = undefined;
    await this.#giveUp(reason, maybe);
    this.#running = undefined;
  }

  get #isThrough() {
    return this.#isRest && this.outbox.unanswered.size === 0;
  }

  /** @param {import("./flowend.js").FlowEnd} end */
  async #serve(end) {
    end.put(this.outbox.begin());
    this.#end = end;
    this.#bare.onRoom.set(end, () => this.#fill());
    try {
      while (!this.#isThrough) {
        const answers = this.outbox.receive(await end.receive());
        this.#givenUp = "";
        for (const answer of answers) this.#settle(answer.number, answer);
        await this.#kept?.forget(answers.map(({ number }) => number));
        await this.#kept?.opened();
        this.#maySay = this.outbox.isOpen;
        this.#room.ring();
        this.#fill();
      }
      end.reset();
    } catch (error) {
      if (!(error instanceof FlowEnded || error instanceof SessionEnded)) end.reset(); // it would be one of the few, to no use
      throw error;
    } finally {
      this.#bare.onRoom.delete(end);
      this.#end = undefined;
      this.#maySay = false;
    }
  }

  /**
   * Nobody answers any more: what was never said certainly did not arrive, unless it is kept and will be said later.
   *
   * @param {string} reason
   * @param {boolean} maybe what was said may have arrived
   */
  async #giveUp(reason, maybe) {
    await Promise.all(this.#keeping.values()); // what cannot be kept is told by itself
    if (this.outbox.unanswered.size) this.#givenUp = reason;
    for (const number of [...this.answers.keys()]) {
      if (this.#kept) this.#settle(number, new PublishUnknown(`${reason}; it is kept, and goes out later`, true));
      else if (maybe && number <= this.outbox.said) this.#settle(number, new PublishUnknown(reason));
      else this.#settle(number, new PublishFailed(reason));
    }
    if (!this.#kept) this.outbox.clear(); // else another flow of this session would say that all of it is answered
    this.#room.ring();
  }
}

/**
 * What goes out of outboxes one after another, on its way; the last takes what comes.
 *
 * @param {import("./bare.js").Bare} bare
 * @param {string} purpose
 * @param {import("./kept.js").KeptOutbox[]} kept
 * @returns {Outgoing[]}
 */
export function chain(bare, purpose, kept) {
  /** @type {Outgoing[]} */
  const outgoing = [];
  for (const each of kept) {
    const after = outgoing.at(-1);
    const isRest = outgoing.length < kept.length - 1;
    const next = new Outgoing(bare, purpose, each.outbox, { kept: each, isRest, ...(after && { after }) });
    if (each.outbox.unanswered.size) next.start();
    outgoing.push(next);
  }
  return outgoing;
}
