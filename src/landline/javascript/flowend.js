/**
 * One end of a flow, for a program that waits: for its messages, and for what became of those that it sent.
 */

import { FlowEnded, FlowReset, ProtocolError, SessionInterrupted } from "./errors.js";
import { ENDED, RESET } from "./flow.js";
import { CloseCode, ResetCode, wordsOf } from "./frames.js";
import { FIXED } from "./limits.js";
import { Bell, deferred } from "./waiting.js";

/** The code of flows that ended because another life of the server goes on with the session. */
export const RENEWED = "renewed";
export const RESTARTED = "the server was restarted";

/**
 * What became of something that was sent: the peer's program handled it; it certainly never got there; or nobody can know.
 *
 * @typedef {{ status: "acked" | "failed" | "unknown", reason: string }} Outcome
 */

/** What `send` gives. */
export class Receipt {
  #outcome;
  /** @type {Promise<Outcome> | undefined} */
  #asked;

  /** @param {() => Promise<Outcome>} outcome */
  constructor(outcome) {
    this.#outcome = outcome;
  }

  /** What became of it. Never rejects: a session that ends settles every receipt. Not to ask costs nothing. */
  get outcome() {
    return (this.#asked ??= this.#outcome());
  }
}

export class FlowEnd {
  /** Rings when there may be something to take, or never will be. */
  arrived = new Bell();
  flow;
  #bare;
  #core;
  /** @type {{ index: number, handled: import("./waiting.js").Deferred<void> }[]} by index */
  #waiting = [];
  /** @type {FlowReset | undefined} */
  #reset;

  /**
   * @param {import("./bare.js").Bare} bare
   * @param {import("./core.js").Core} core the session's, as it was when the flow began
   * @param {import("./flow.js").Flow} flow
   */
  constructor(bare, core, flow) {
    this.#bare = bare;
    this.#core = core;
    this.flow = flow;
  }

  // The program sends...

  /** Whether the flow takes another message. */
  get hasRoom() {
    return this.#core.hasRoom(this.flow);
  }

  /** Why no more can be sent, if so. */
  get whyUnwritable() {
    if (this.#reset) return this.#reset;
    if (this.flow.isEnding || this.flow.ours & (ENDED | RESET)) return new FlowEnded("this end has said that it sends no more");
    return undefined;
  }

  /** Whether little of it waits to be written: who has much to send keeps that to itself, and may still change its mind. */
  get takesMore() {
    return this.flow.pendingBytes < FIXED.pending && !this.whyUnwritable && this.hasRoom;
  }

  /**
   * Queues a value; nothing happens when the flow takes none any more. The caller has seen to the room.
   *
   * @param {unknown} value
   */
  put(value) {
    if (!this.whyUnwritable) this.#core.send(this.flow, value);
  }

  /**
   * Queues a value; the caller has seen that it may, and to the room.
   *
   * @param {unknown} value
   * @returns {Receipt}
   */
  send(value) {
    const index = this.#core.send(this.flow, value);
    return new Receipt(async () => {
      await this.#untilHandled(index);
      if (index < this.flow.handledByPeer) return { status: "acked", reason: "" };
      const ended = this.flow.reset ? this.whyUnreadable : this.#bare.ended;
      return { status: index < this.flow.reach ? "unknown" : "failed", reason: ended?.message ?? "" };
    });
  }

  /**
   * Waits until the peer's program handled everything sent so far.
   *
   * @throws {SessionInterrupted | import("./errors.js").LandlineError} the session or the flow ended before that was known
   */
  async flush() {
    const index = this.flow.queued - 1;
    await this.#untilHandled(index);
    if (this.flow.handledByPeer > index) return;
    const error = this.#bare.ended ?? this.whyUnreadable;
    if (isRenewed(error)) throw new SessionInterrupted(RESTARTED, this.unacked);
    if (error) throw error;
  }

  get unacked() {
    return this.flow.queued - this.flow.handledByPeer;
  }

  /** @param {number} index */
  #untilHandled(index) {
    if (this.#bare.ended || this.flow.handledByPeer > index || this.flow.reset) return Promise.resolve();
    this.#core.ask(this.flow);
    const waiting = { index, handled: deferred() };
    let place = this.#waiting.length; // mostly the last
    while (place > 0 && /** @type {{ index: number }} */ (this.#waiting[place - 1]).index > index) place--;
    this.#waiting.splice(place, 0, waiting);
    return waiting.handled.promise;
  }

  // ... and receives...

  /** Why no more can be taken, if so. */
  get whyUnreadable() {
    if (this.#reset) return this.#reset;
    return this.flow.isReadOut ? new FlowEnded("the other end has sent everything") : undefined;
  }

  /** Whether there is something to take. */
  get hasMore() {
    return this.flow.inbox.length > 0;
  }

  /**
   * The oldest value that arrived; there is one (`hasMore`).
   *
   * @returns {any}
   */
  take() {
    try {
      return this.#core.take(this.flow);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.flow.inbox = []; // what came after it would have a hole before it
      this.#bare.lose(CloseCode.BAD_DATA, error.reason);
      throw this.#bare.ended ?? error;
    }
  }

  /** The program is done with everything that it took. */
  handle() {
    this.#core.handleTaken(this.flow);
  }

  /**
   * The next value; asking for it says that those before are handled.
   *
   * @returns {Promise<any>}
   * @throws {import("./errors.js").LandlineError} the flow or the session is over
   */
  async receive() {
    const bare = this.#bare;
    for (;;) {
      if (bare.isClosing) throw bare.closed();
      if (this.hasMore) return this.take();
      this.handle();
      bare.drained();
      const error = bare.ended ?? this.whyUnreadable;
      if (error) throw error;
      await this.arrived.heard();
    }
  }

  // ... and leaves it.

  /** Sends no more; the peer sees the end after everything that was sent. */
  end() {
    this.#core.endFlow(this.flow);
  }

  /**
   * Neither sends nor takes anything more; what waits is dropped at both ends.
   *
   * @param {number} [code]
   * @param {string} [reason]
   */
  reset(code = ResetCode.CANCELLED, reason = "") {
    if (this.#reset || this.flow.isOver) return;
    this.#reset = new FlowReset(reason || "it was abandoned here", wordsOf(ResetCode, code));
    this.#core.abandonFlow(this.flow, code, reason);
    this.arrived.ring();
    this.#bare.madeRoom();
  }

  // The session tells...

  /** The peer is done with more. */
  wasHandled() {
    while (this.#waiting[0] && this.#waiting[0].index < this.flow.handledByPeer) this.#waiting.shift()?.handled.resolve();
  }

  /** The peer abandoned the flow. */
  wasReset() {
    const { code = ResetCode.FAILED, reason = "" } = this.flow.reset ?? {};
    this.#reset ??= new FlowReset(reason, wordsOf(ResetCode, code));
    this.settle();
  }

  /** Another life of the server goes on with the session, which knows nothing of this flow. */
  wasRenewed() {
    const { flow } = this;
    this.#reset ??= new FlowReset(RESTARTED, RENEWED);
    flow.reset ??= { code: ResetCode.FAILED, handled: flow.handledByPeer, taken: flow.reach };
    this.settle();
  }

  /** Every outcome is known. */
  settle() {
    for (const { handled } of this.#waiting.splice(0)) handled.resolve();
    this.arrived.ring();
  }
}

/**
 * Whether a flow ended because the server is in another life, and another flow may go on.
 *
 * @param {unknown} error
 */
export function isRenewed(error) {
  return error instanceof FlowReset && error.code === RENEWED;
}
