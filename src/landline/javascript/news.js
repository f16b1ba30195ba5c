/**
 * What the peer is to be told of what arrived here: how much is received, handled, and granted anew; and what we ask it to tell us.
 *
 * News waits a moment for company, unless the peer may be waiting for it. On each new connection everything is told again.
 */

import { isFinished, windowFor } from "./flow.js";
import { FIRST_CREDIT, FRAME_COST, Type, encodeCounts } from "./frames.js";

/** @typedef {import("./flow.js").Flow} Flow */

export class News {
  /** When something is due that nothing else has taken along. */
  dueAt = Infinity;
  #limits;
  #flows;
  #stall;
  #receivedTold = 0;
  #receivedCost = 0;
  #isWanted = false;
  #isLate = false;
  /** @type {Flow[]} with something to tell */
  #told = [];
  /** @type {Map<number, Flow>} flows that we wait for to be handled, and have not asked about on this connection */
  #asks = new Map();

  /**
   * @param {Readonly<import("./limits.js").Limits>} limits
   * @param {ReadonlyMap<number, Flow>} flows those that are not over
   * @param {import("./stall.js").Stall} stall
   */
  constructor(limits, flows, stall) {
    this.#limits = limits;
    this.#flows = flows;
    this.#stall = stall;
  }

  // Something happens...

  /**
   * A counted frame arrived.
   *
   * @param {number} size of its payload
   */
  received(size) {
    this.#receivedCost += size + FRAME_COST;
    if (this.dueAt === Infinity) this.#isWanted = true;
  }

  /**
   * Something was taken or handled.
   *
   * @param {Flow} flow
   * @returns {boolean} whether to write soon
   */
  took(flow) {
    if (!flow.isNews) {
      flow.isNews = true;
      this.#told.push(flow);
    }
    const isSoon = this.dueAt === Infinity || flow.isNewsUrgent;
    if (isSoon) this.#isWanted = true;
    return isSoon;
  }

  /**
   * We wait for everything queued so far to be handled.
   *
   * @param {Flow} flow
   * @returns {boolean} whether to write soon
   */
  ask(flow) {
    if (flow.wanted >= flow.queued) return false;
    flow.wanted = flow.queued;
    this.#asks.set(flow.number, flow);
    return true;
  }

  /** On a new connection everything is told again, whether it changed or not. */
  beginAnew() {
    this.#told = [...this.#flows.values()];
    for (const flow of this.#told) {
      flow.isNews = true;
      flow.handledTold = -1;
      flow.asked = 0;
      if (flow.wanted > flow.handledByPeer) this.#asks.set(flow.number, flow);
    }
    this.#receivedTold = -1;
    this.dueAt = Infinity;
    this.#isWanted = true;
  }

  /** The peer waits for what we have to tell: that waits for no company. */
  tellNow() {
    this.dueAt = Infinity;
    this.#isWanted = this.#isLate = true;
  }

  /** @param {number} now */
  handleTimeout(now) {
    if (now >= this.dueAt) this.tellNow();
  }

  /**
   * All that is to be written again is; flows whose OPEN was among it may be spoken of.
   *
   * @returns {boolean} whether to write soon
   */
  wasReplayed() {
    if (!this.#told.length && !this.#asks.size) return false;
    this.#isWanted = true;
    return true;
  }

  // ... and is told.

  /**
   * What is due.
   *
   * @param {Uint8Array[]} out
   * @param {number} received how many frames arrived
   * @param {number} written how many of ours this connection has carried
   * @param {number} now
   */
  addDue(out, received, written, now) {
    if (this.#isWanted || this.dueAt !== Infinity) {
      const isUrgent =
        this.#isLate ||
        now >= this.dueAt ||
        this.#receivedCost >= this.#limits.window >> 1 ||
        this.#told.some((flow) => flow.isNewsUrgent || flow.handledTold < 0);
      if (isUrgent) this.addAll(out, received, written);
      else if (this.dueAt === Infinity) this.dueAt = now + this.#limits.ackDelay;
    }
    for (const [number, flow] of this.#asks) {
      if (flow.openedAt >= written) continue; // as below
      this.#asks.delete(number);
      if (!isFinished(flow.theirs)) out.push(encodeCounts(Type.ASK, number, flow.wanted));
    }
  }

  /**
   * Everything, whether it is due or not.
   *
   * @param {Uint8Array[]} out
   * @param {number} received
   * @param {number} written
   */
  addAll(out, received, written) {
    this.#isWanted = this.#isLate = false;
    this.dueAt = Infinity;
    this.#receivedCost = 0;
    if (received !== this.#receivedTold) {
      this.#receivedTold = received;
      out.push(encodeCounts(Type.ACK, 0, received, written));
    }
    const told = this.#told;
    this.#told = told.filter((flow) => flow.openedAt >= written); // the peer has yet to hear of it: its OPEN is still to be written here
    for (const flow of told) {
      if (flow.openedAt >= written) continue;
      flow.isNews = false;
      if (!isFinished(flow.ours)) this.#addTotals(out, flow);
    }
  }

  /**
   * @param {Uint8Array[]} out
   * @param {Flow} flow
   */
  #addTotals(out, flow) {
    const isRepeat = flow.handledTold < 0;
    if (flow.handled !== flow.handledTold) {
      flow.handledTold = flow.handled;
      out.push(encodeCounts(Type.HANDLED, flow.number, flow.handled));
    }
    flow.window = windowFor(this.committed() - flow.committed, this.#flows.size === 1, this.#limits, FIRST_CREDIT);
    if (flow.grantable > flow.granted || isRepeat) {
      flow.granted = Math.max(flow.grantable, flow.granted);
      this.#stall.peerGoesOn(flow);
      out.push(encodeCounts(Type.CREDIT, flow.number, flow.granted));
    }
  }

  /** What all inboxes may come to hold by what was granted, in bytes. */
  committed() {
    let bytes = 0;
    for (const flow of this.#flows.values()) bytes += flow.committed;
    return bytes;
  }
}
