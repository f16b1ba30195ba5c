/**
 * Do both ends wait for each other? Each tells the other, once, of a flow that has waited long for credit. When both have been told, neither
 * program takes what the other sent: the session is stalled. Nothing is ended by that.
 */

import { Type, encodeCounts } from "./frames.js";

/** @typedef {import("./flow.js").Flow} Flow */

export class Stall {
  /** Whether both have waited for too long. */
  isOn = false;
  /** The program was told so. */
  isTold = false;
  #after;
  /** @type {Map<number, { flow: Flow, since: number | undefined, isTold: boolean }>} flows of ours that wait for credit */
  #waiting = new Map();
  /** @type {Flow[]} */
  #due = [];
  /** @type {Set<number>} flows that the peer says it waits for */
  #peer = new Set();

  /** @param {number} after seconds that a flow waits before the peer is told */
  constructor(after) {
    this.#after = after;
  }

  /** On a new connection both tell each other again. */
  beginAnew() {
    this.#waiting.clear();
    this.#peer.clear();
    this.#due = [];
    this.isOn = false;
  }

  /** Whether something of ours waits for credit. */
  get isWaiting() {
    return this.#waiting.size > 0;
  }

  /**
   * A flow has something to write, and no credit for it.
   *
   * @param {Flow} flow
   */
  wait(flow) {
    if (!this.#waiting.has(flow.number)) this.#waiting.set(flow.number, { flow, since: undefined, isTold: false });
  }

  /**
   * It has credit again, or nothing to write any more.
   *
   * @param {Flow} flow
   */
  goOn(flow) {
    if (this.#waiting.delete(flow.number)) this.#settle();
  }

  /** When `handleTimeout` has something to do. */
  timeoutAt() {
    let at = Infinity;
    for (const { since, isTold } of this.#waiting.values()) {
      if (!isTold && since !== undefined) at = Math.min(at, since + this.#after);
    }
    return at;
  }

  /**
   * Has the peer told of the flows that have waited for too long.
   *
   * @param {number} now
   */
  handleTimeout(now) {
    for (const waiting of this.#waiting.values()) {
      if (waiting.isTold || waiting.since === undefined || now < waiting.since + this.#after) continue;
      waiting.isTold = true;
      this.#due.push(waiting.flow);
      this.isOn = this.#peer.size > 0;
    }
  }

  /**
   * What to tell the peer now; what waits since now is noted.
   *
   * @param {number} now
   * @returns {Uint8Array[]}
   */
  dataToSend(now) {
    for (const waiting of this.#waiting.values()) waiting.since ??= now;
    const due = this.#due.filter((flow) => this.#waiting.get(flow.number)?.isTold);
    this.#due = [];
    return due.map((flow) => encodeCounts(Type.WAITING, flow.number, flow.credit));
  }

  /**
   * The peer waits for more than this total of a flow's credit.
   *
   * @param {Flow} flow
   * @param {number} credit
   */
  peerWaits(flow, credit) {
    if (credit < flow.granted) return; // more is under way to it
    this.#peer.add(flow.number);
    this.#settle();
  }

  /**
   * It was granted more, or the flow is over.
   *
   * @param {Flow} flow
   */
  peerGoesOn(flow) {
    if (this.#peer.delete(flow.number)) this.#settle();
  }

  #settle() {
    const isAnyTold = [...this.#waiting.values()].some(({ isTold }) => isTold);
    this.isOn = isAnyTold && this.#peer.size > 0;
    if (!this.isOn) this.isTold = false;
  }
}
