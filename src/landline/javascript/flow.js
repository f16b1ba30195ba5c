/**
 * One flow at one end: an independent order of messages in both directions, with its own credit. It outlives connections.
 *
 * Flow 0 carries the messages and lives as long as its session; how any other begins and ends is in flows.js.
 */

import { ProtocolError } from "./errors.js";
import { CloseCode, FRAME_COST, HEADER, encodeFrame } from "./frames.js";

/** What each end may have said about a flow, as bits. */
export const ENDED = 1;
export const DONE = 2;
export const RESET = 4;

/**
 * Whether who has said this says no more about the flow.
 *
 * @param {number} said
 */
export function isFinished(said) {
  return (said & RESET) !== 0 || said === (ENDED | DONE);
}

export class Flow {
  /**
   * @param {number} number its own, 0 for the messages
   * @param {number} window how far beyond what was taken the peer is granted now, in bytes
   * @param {number} credit what we may send
   * @param {string} purpose
   */
  constructor(number, window, credit, purpose = "") {
    this.number = number;
    this.purpose = purpose;
    /** The place of our OPEN among the counted frames; -1 where the peer knows of the flow without one. */
    this.openedAt = -1;
    /** What we said about it, and what the peer did. */
    this.ours = 0;
    this.theirs = 0;
    /** @type {import("./handshake.js").Reset | undefined} what the peer said when it abandoned the flow */
    this.reset = undefined;

    // Sending...
    /** @type {Uint8Array[]} whole frames that were never written */
    this.pending = [];
    this.pendingBytes = 0;
    /** How many frames the program gave, how many were written, and what those cost. */
    this.queued = 0;
    this.sent = 0;
    this.sentCost = 0;
    this.credit = credit;
    /** END follows what is pending. */
    this.isEnding = false;
    this.handledByPeer = 0;
    /** How many of ours may have come into the peer's hands; as `sent` until an ended session knows better. */
    this.reach = 0;
    /** The peer is asked to say when this many are handled. */
    this.wanted = 0;

    // Receiving...
    /** @type {{ value: () => any, cost: number }[]} received, and not yet taken by the program */
    this.inbox = [];
    this.received = 0;
    this.receivedCost = 0;
    this.taken = 0;
    this.takenCost = 0;
    this.handled = 0;
    /** As last told to the peer; -1 for not on this connection. */
    this.handledTold = 0;
    this.window = window;
    this.granted = window;
    /** The peer wants to hear at once when this many are handled. */
    this.asked = 0;
    /** There is something to tell the peer of what was taken and handled. */
    this.isNews = false;
  }

  // The program sends...

  /**
   * Queues one frame.
   *
   * @param {number} type
   * @param {Uint8Array} payload
   * @returns {number} its size on the wire, in bytes
   */
  push(type, payload) {
    const frame = encodeFrame(type, this.number, payload);
    this.pending.push(frame);
    this.pendingBytes += frame.length;
    this.queued += 1;
    return frame.length;
  }

  /** Whether a frame may be written now. */
  get isReady() {
    return this.pending.length > 0 && this.sentCost < this.credit;
  }

  /** Whether something waits for the peer's credit. */
  get isWaiting() {
    return this.pending.length > 0 && this.sentCost >= this.credit;
  }

  /** The next frame to write; there is one (`isReady`). */
  pop() {
    const frame = /** @type {Uint8Array} */ (this.pending.shift());
    this.pendingBytes -= frame.length;
    this.sent += 1;
    this.reach += 1;
    this.sentCost += frame.length - HEADER + FRAME_COST;
    return frame;
  }

  /**
   * The peer's HANDLED.
   *
   * @param {number} count
   * @returns {boolean} whether it says something new
   */
  wasHandled(count) {
    if (count < this.handledByPeer || count > this.sent) {
      throw new ProtocolError(`${count} frames of flow ${this.number} handled: ${this.sent} were sent`, CloseCode.MISCOUNT);
    }
    const isNew = count > this.handledByPeer;
    this.handledByPeer = count;
    return isNew;
  }

  /**
   * The peer's CREDIT; totals never fall.
   *
   * @param {number} credit
   * @returns {boolean} whether it is more
   */
  wasGranted(credit) {
    if (credit < this.credit) throw new ProtocolError(`credit of flow ${this.number} fell from ${this.credit} to ${credit}`);
    const isMore = credit > this.credit;
    this.credit = credit;
    return isMore;
  }

  /**
   * The peer's RESET: what its program was not given by now it never will be.
   *
   * @param {import("./handshake.js").Reset} reset
   */
  wasReset(reset) {
    if (!(this.handledByPeer <= reset.handled && reset.handled <= reset.taken && reset.taken <= this.sent)) {
      const counts = `${reset.handled} handled of ${reset.taken} taken, ${this.sent} were sent`;
      throw new ProtocolError(`flow ${this.number} was reset with ${counts}`, CloseCode.MISCOUNT);
    }
    this.reset = reset;
    this.handledByPeer = reset.handled;
    this.reach = reset.taken;
  }

  // The peer sends...

  /**
   * Takes one arrived value into the inbox.
   *
   * @param {() => any} value
   * @param {number} size of its payload
   * @throws {ProtocolError} the peer had no credit for it
   */
  accept(value, size) {
    if (this.receivedCost >= this.granted) throw new ProtocolError(`flow ${this.number} was sent beyond its credit`);
    const cost = size + FRAME_COST;
    this.inbox.push({ value, cost });
    this.received += 1;
    this.receivedCost += cost;
  }

  /** The oldest of the inbox; everything taken before it is handled now. */
  take() {
    this.handled = this.taken;
    const { value, cost } = /** @type {{ value: () => any, cost: number }} */ (this.inbox.shift());
    this.taken += 1;
    this.takenCost += cost;
    return value;
  }

  /** Lets go of everything that waits, sent or received. */
  drop() {
    this.inbox = [];
    this.takenCost = this.receivedCost;
    this.handled = this.taken = this.received;
    this.pending = [];
    this.pendingBytes = 0;
    this.isEnding = false;
  }

  /** The credit that could be granted by now. */
  get grantable() {
    return this.takenCost + this.window;
  }

  /** What the inbox may come to hold by what was granted, in bytes; one message more may begin within it. */
  get committed() {
    return Math.max(this.granted, this.receivedCost) - this.takenCost;
  }

  /** Whether the peer may be waiting for what we could tell. */
  get isNewsUrgent() {
    return this.grantable - this.granted >= this.window >> 1 || (this.handledTold < this.asked && this.asked <= this.handled);
  }

  /** Whether the peer sends no more and the program was given everything. */
  get isReadOut() {
    return (this.theirs & ENDED) !== 0 && this.inbox.length === 0;
  }

  /** Whether neither end will say anything more about it. */
  get isOver() {
    return isFinished(this.ours) && isFinished(this.theirs);
  }
}

/**
 * How far beyond what its program has taken a flow may be granted: all of a window while it is alone; of several each half of what the
 * others leave free of the session's budget, and never less than the least.
 *
 * @param {number} others what the inboxes of the other flows may come to hold, in bytes
 * @param {boolean} isAlone
 * @param {Readonly<import("./limits.js").Limits>} limits
 * @param {number} least
 */
export function windowFor(others, isAlone, limits, least) {
  if (isAlone) return limits.window;
  return Math.max(Math.min(least, limits.window), Math.min(limits.window, Math.floor((limits.credit - others) / 2)));
}
