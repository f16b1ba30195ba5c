/**
 * The bare session: what outlives connections, with waiting and waking. Messages, topics and the public session stand on it.
 *
 * A session ends exactly once, with the error that everybody who waits for it, or comes later, is given. What arrived before is still handed
 * out first, unless this end closed.
 */

import { SessionClosed, SessionLost } from "./errors.js";
import { FlowEnd } from "./flowend.js";
import { CloseCode, ResetCode, isResumable, wordsOf } from "./frames.js";
import { FIXED } from "./limits.js";
import { Bell, within } from "./waiting.js";

/** @typedef {"connecting" | "connected" | "suspect" | "reconnecting" | "closing" | "closed" | "lost"} State */

/**
 * A session came into another state, or there is news of the same one: another dial is planned, or it is stalled.
 *
 * @typedef {object} StateChange
 * @property {State} state where it is
 * @property {State} was where it was
 * @property {string} reason why, as a clause; often empty
 * @property {number | undefined} retryIn seconds until the next dial, while reconnecting
 * @property {number} after seconds that it had been there
 */

const STALLED =
  "stalled: both programs wait for each other to receive; one that sends a lot must also receive meanwhile";

export class Bare {
  /** @type {State} */
  state = "connecting";
  /** @type {import("./driver.js").Driver | undefined} what carries us now */
  driver;
  /** @type {import("./errors.js").SessionEnded | undefined} what ended it, once something has */
  ended;
  isClosing = false;
  isPeerClosed = false;
  /** Rings when there may be room in an outbox, and when it is over. */
  room = new Bell();
  over = new Bell();
  /** @type {(end: FlowEnd) => boolean} takes a flow that the server opens, if it is one of ours */
  serves = () => false;
  /** @type {(() => void)[]} called when it begins again with another life of the server */
  onRenewed = [];
  /** @type {Map<FlowEnd, () => void>} called when there may be room in a flow, by who fills it by itself */
  onRoom = new Map();
  /** @type {import("./intake.js").Intake | undefined} gives whoever receives more than the messages */
  intake;
  onEnd = () => {};
  core;
  messages;
  #clock;
  #since;
  /** @type {Map<number, FlowEnd>} */
  #ends = new Map();
  /** @type {Set<{ changes: StateChange[], bell: Bell }>} */
  #watchers = new Set();
  #closeReason = "";
  /** @type {import("./driver.js").Driver | undefined} */
  #lastDriver;

  /**
   * @param {import("./core.js").Core} core
   * @param {Uint8Array} id
   * @param {Readonly<import("./limits.js").Limits>} limits
   * @param {() => number} clock
   */
  constructor(core, id, limits, clock) {
    this.core = core;
    this.id = id;
    this.limits = limits;
    this.messages = this.#hold(new FlowEnd(this, core, core.messages));
    this.#clock = clock;
    this.#since = clock();
  }

  // A connection comes and goes...

  /**
   * Goes on over this connection, which has begun to carry our core.
   *
   * @param {import("./driver.js").Driver} driver
   */
  attach(driver) {
    this.driver = this.#lastDriver = driver;
    this.core.wake = () => driver.schedule();
    driver.schedule();
    if (this.isClosing) driver.connection.close(CloseCode.NORMAL, this.#closeReason, this.#clock());
    else if (!this.isPeerClosed) this.#go("connected");
  }

  /**
   * Another life of the server goes on with the session: in both directions it begins again, and what was not handled is in doubt.
   *
   * @param {import("./core.js").Core} core
   */
  renew(core) {
    this.core.wake = () => {};
    this.core = core;
    const ends = [...this.#ends.values()];
    this.#ends.clear();
    this.messages = this.#hold(new FlowEnd(this, core, core.messages));
    for (const end of ends) end.wasRenewed();
    for (const renewed of this.onRenewed) renewed();
    this.madeRoom();
  }

  /** @param {string} reason the line is gone, the session is not */
  detach(reason) {
    this.driver = undefined;
    if (!this.isClosing && !this.isPeerClosed) this.#go("reconnecting", reason);
  }

  /**
   * Takes what the connection that carries us reports.
   *
   * @param {import("./connection.js").ConnectionEvent} event
   */
  deliver(event) {
    switch (event.kind) {
      case "arrived": return this.#ends.get(event.flow.number)?.arrived.ring();
      case "handled": return this.#ends.get(event.flow.number)?.wasHandled();
      case "reset": return this.#ends.get(event.flow.number)?.wasReset();
      case "opened": return this.#flowOpened(event.flow);
      case "made room": return this.madeRoom();
      case "stalled": return this.#tell({ state: this.state, was: this.state, reason: STALLED, retryIn: undefined, after: 0 });
      case "suspected": return this.state === "connected" ? this.#go("suspect", "nothing was heard for a while") : undefined;
      case "heard": return this.state === "suspect" ? this.#go("connected") : undefined;
      case "peer closed": return event.close.code === CloseCode.NORMAL ? this.#peerClosed(event.close.reason ?? "") : undefined;
    }
  }

  /** @param {import("./flow.js").Flow} flow */
  #flowOpened(flow) {
    if (!this.core.flows.has(flow.number)) return; // the peer may have abandoned it in the same breath
    const end = this.#hold(new FlowEnd(this, this.core, flow));
    if (!this.serves(end)) end.reset(ResetCode.UNWANTED, "nobody here takes flows of this kind");
  }

  madeRoom() {
    this.room.ring();
    for (const fill of [...this.onRoom.values()]) fill();
  }

  /** @param {string} reason */
  #peerClosed(reason) {
    this.isPeerClosed = true;
    this.#closeReason ||= reason;
    if (!this.isClosing) this.#go("closing", reason);
    if (this.isClosing || this.core.isEverythingHandled) this.end(new SessionClosed(this.#closeReason));
    this.#ringAll();
  }

  /**
   * Ends where the end of our connection means that.
   *
   * @param {number} code
   * @param {string} reason
   * @returns {boolean} whether it does, or we may go on over another one
   */
  connectionEnded(code, reason) {
    if (code === CloseCode.NORMAL || this.isPeerClosed) this.end(new SessionClosed(this.#closeReason || reason));
    else if (isResumable(code)) return false;
    else this.end(this.loss(reason ? `${wordsOf(CloseCode, code)}: ${reason}` : wordsOf(CloseCode, code)));
    return true;
  }

  // The session ends...

  /**
   * Ends it in an orderly way: what was sent is delivered first, within the time.
   *
   * @param {string} reason
   * @param {number} [seconds]
   */
  async close(reason, seconds = this.limits.closeTimeout) {
    if (!this.ended) {
      if (!this.driver && !this.#isUndelivered) seconds = Math.min(seconds, FIXED.farewell);
      if (!this.isClosing) {
        this.isClosing = true;
        this.#closeReason = reason;
        this.#go("closing", reason);
        this.#ringAll();
        this.driver?.connection.close(CloseCode.NORMAL, reason, this.#clock());
        this.driver?.schedule();
      }
      await within(seconds, this.whenOver());
      if (this.#isUndelivered) this.lose(CloseCode.EXPIRED, "closed before everything was delivered");
      this.end(new SessionClosed(reason));
    }
    if (this.#lastDriver) await within(FIXED.farewell, this.#lastDriver.gone);
  }

  async whenOver() {
    while (!this.ended) await this.over.heard();
  }

  /** Whether something was sent that the peer is not known to have, in any flow. */
  get #isUndelivered() {
    return this.core.sending.frames > 0 || this.core.sending.hasUnsent;
  }

  /** Why the session takes no more, if so. */
  get whyUnwritable() {
    return this.ended ?? (this.isClosing || this.isPeerClosed ? this.closed() : undefined);
  }

  /** The error for who uses a session that is being closed. */
  closed() {
    return new SessionClosed(this.#closeReason);
  }

  /** @param {string} reason */
  loss(reason) {
    const flow = this.core.messages;
    return new SessionLost(reason, flow.reach, flow.queued - flow.handledByPeer);
  }

  /**
   * The session cannot go on.
   *
   * @param {number} code
   * @param {string} reason
   * @param {{ received?: number | undefined, handled?: number | undefined }} [counts] what the peer last said of it
   */
  lose(code, reason, counts = {}) {
    if (this.ended) return;
    this.core.end(counts);
    this.driver?.connection.breakOff(code, reason);
    this.end(this.loss(reason));
  }

  /** @param {SessionClosed | SessionLost} error */
  end(error) {
    if (this.ended) return;
    this.ended = error;
    this.core.wake = () => {};
    const { driver } = this;
    this.driver = undefined;
    driver?.connection.close(CloseCode.NORMAL, "", this.#clock());
    driver?.schedule();
    this.#go(error instanceof SessionClosed ? "closed" : "lost", error.reason);
    for (const end of this.#ends.values()) end.settle();
    this.madeRoom();
    this.over.ring();
    this.onEnd();
  }

  /** The program has handled all of a flow: if that is all that came before the peer's close, says so, and ends. */
  drained() {
    if (this.isPeerClosed && this.core.isEverythingHandled) this.end(new SessionClosed(this.#closeReason));
  }

  // Watching the state...

  /** @param {number} retryIn seconds until the next dial */
  planned(retryIn) {
    if (!this.isClosing && !this.isPeerClosed) this.#go(this.state, "", retryIn);
  }

  /**
   * @param {State} state
   * @param {string} [reason]
   * @param {number} [retryIn]
   */
  #go(state, reason = "", retryIn) {
    if (state === this.state && retryIn === undefined) return;
    const now = this.#clock();
    const change = { state, was: this.state, reason, retryIn, after: now - this.#since };
    if (state !== this.state) this.#since = now;
    this.state = state;
    this.#tell(change);
  }

  /** @param {StateChange} change */
  #tell(change) {
    for (const { changes, bell } of this.#watchers) {
      changes.push(change);
      if (changes.length > FIXED.changes) changes.shift();
      bell.ring();
    }
  }

  /**
   * Every change from now on; ends with the session.
   *
   * @returns {AsyncGenerator<StateChange, void, void>}
   */
  states() {
    const watcher = { changes: /** @type {StateChange[]} */ ([]), bell: new Bell() };
    this.#watchers.add(watcher); // now, not when somebody first asks
    return this.#watch(watcher);
  }

  /**
   * @param {{ changes: StateChange[], bell: Bell }} watcher
   * @returns {AsyncGenerator<StateChange, void, void>}
   */
  async *#watch(watcher) {
    try {
      for (;;) {
        for (let change = watcher.changes.shift(); change; change = watcher.changes.shift()) yield change;
        if (this.ended) return;
        await watcher.bell.heard();
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  // Flows besides the messages...

  /**
   * @param {string} purpose
   * @returns {FlowEnd}
   * @throws {import("./errors.js").LandlineError} the session is over, or the server allows no more flows now (`Full`)
   */
  openFlow(purpose) {
    const error = this.whyUnwritable;
    if (error) throw error;
    return this.#hold(new FlowEnd(this, this.core, this.core.openFlow(purpose)));
  }

  /** @param {FlowEnd} end */
  #hold(end) {
    for (const number of this.#ends.keys()) if (!this.core.flows.has(number)) this.#ends.delete(number);
    this.#ends.set(end.flow.number, end);
    return end;
  }

  #ringAll() {
    for (const end of this.#ends.values()) end.arrived.ring();
    this.room.ring();
  }
}
