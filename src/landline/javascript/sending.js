/**
 * The sending half of a session: what waits, what was written and may have to be written again, and whose turn it is.
 *
 * Counted frames have one order. What the peer is not known to have received stays in the replay, and is written again, first and with the
 * same bytes, on the next connection.
 */

import { ProtocolError } from "./errors.js";
import { CloseCode } from "./frames.js";
import { MESSAGES } from "./flows.js";

/** @typedef {import("./flow.js").Flow} Flow */

const ABOUT = -1; // stands in the replay for the flow of a frame that is about a flow, not of its messages
const TURN = 16 << 10; // bytes, about, that a flow writes before the next one has its turn

export class Sending {
  /** How many counted frames were written at least once, and how many of all as far as this connection knows. */
  sent = 0;
  written = 0;
  /** What was sent and is not received by the peer; of flows besides the messages only what was written. */
  bytes = 0;
  frames = 0;
  /** The outbox became shorter, and nobody was told yet. */
  madeRoom = false;
  /** Frames about flows that the peer has not acked. */
  aboutUnreceived = 0;
  /** @type {{ number: number, frame: Uint8Array }[]} written, and not known to be received */
  #replay = [];
  /** Of these, so many at the end are to be written again on this connection. */
  #left = 0;
  /** @type {{ number: number, frame: Uint8Array }[]} about flows, not written yet */
  #about = [];
  /** @type {Set<Flow>} flows whose END follows what is pending */
  #ending = new Set();
  #turn = 0;
  #flows;
  #stall;

  /**
   * @param {import("./flows.js").Flows} flows
   * @param {import("./stall.js").Stall} stall
   */
  constructor(flows, stall) {
    this.#flows = flows;
    this.#stall = stall;
  }

  // The program sends...

  /**
   * Queues one frame.
   *
   * @param {Flow} flow
   * @param {number} type
   * @param {Uint8Array} payload
   * @returns {number} its index within the flow
   */
  send(flow, type, payload) {
    const size = flow.push(type, payload);
    if (flow.number === MESSAGES) {
      this.bytes += size;
      this.frames += 1;
    }
    return flow.queued - 1;
  }

  /**
   * Queues a frame about a flow; it waits for no credit, and goes before all data.
   *
   * @param {number} number
   * @param {Uint8Array} frame
   */
  sendAbout(number, frame) {
    this.#about.push({ number, frame });
  }

  /** @param {Flow} flow */
  end(flow) {
    flow.isEnding = true;
    this.#ending.add(flow);
  }

  /** @param {Flow} flow */
  drop(flow) {
    this.#ending.delete(flow);
    this.#stall.goOn(flow);
  }

  // Bytes go out...

  get isReplaying() {
    return this.#left > 0;
  }

  get aboutWaiting() {
    return this.#about.length;
  }

  /** Whether something that was sent was not written on this connection. */
  get hasUnsent() {
    if (this.#left || this.#about.length || this.#ending.size) return true;
    for (const flow of this.#flows.open.values()) if (flow.pending.length) return true;
    return false;
  }

  /** Whether there is more to write now, as far as credit goes. */
  get canWriteMore() {
    if (this.#left || this.#about.length) return true;
    for (const flow of this.#flows.open.values()) if (flow.isReady) return true;
    return false;
  }

  /**
   * Adds what is to be written again, as far as the budget goes.
   *
   * @param {Uint8Array[]} out
   * @param {number} budget bytes
   * @returns {number} what is left of it
   */
  addReplay(out, budget) {
    while (this.#left > 0 && budget > 0) {
      const { frame } = /** @type {{ frame: Uint8Array }} */ (this.#replay.at(-this.#left));
      this.#left -= 1;
      this.written += 1;
      out.push(frame);
      budget -= frame.length;
    }
    return budget;
  }

  /**
   * Adds what was never written, as far as credit and budget allow.
   *
   * @param {Uint8Array[]} out
   * @param {number} budget bytes
   */
  addNew(out, budget) {
    budget = this.#addAbout(out, budget);
    if (this.#about.length) return; // an OPEN may be among them, and nothing of its flow goes before it
    this.#addTurns(out, budget);
    for (const flow of this.#ending) {
      if (flow.pending.length) continue;
      this.#ending.delete(flow);
      this.#writeAbout(out, this.#flows.ended(flow));
    }
  }

  /**
   * @param {Uint8Array[]} out
   * @param {number} budget
   */
  #addAbout(out, budget) {
    while (this.#about.length && budget > 0) {
      const { number, frame } = /** @type {{ number: number, frame: Uint8Array }} */ (this.#about.shift());
      const flow = this.#flows.open.get(number);
      if (flow && flow.openedAt > this.sent) flow.openedAt = this.sent;
      this.#writeAbout(out, frame);
      budget -= frame.length;
    }
    return budget;
  }

  /**
   * Several flows write in turns, so that none waits for another's end.
   *
   * @param {Uint8Array[]} out
   * @param {number} budget
   */
  #addTurns(out, budget) {
    let ready = [];
    for (const flow of this.#flows.open.values()) {
      if (flow.isReady) ready.push(flow);
      else if (flow.isWaiting) this.#stall.wait(flow);
    }
    const first = this.#turn++ % (ready.length || 1);
    ready = [...ready.slice(first), ...ready.slice(0, first)];
    while (ready.length && budget > 0) {
      const turn = ready.length === 1 ? budget : TURN;
      for (const flow of ready) budget -= this.#addFrames(out, flow, Math.min(budget, turn));
      ready = ready.filter((flow) => flow.isReady);
    }
  }

  /**
   * @param {Uint8Array[]} out
   * @param {Flow} flow
   * @param {number} budget
   * @returns {number} the bytes that were added
   */
  #addFrames(out, flow, budget) {
    let size = 0;
    while (size < budget && flow.isReady) {
      const frame = flow.pop();
      this.#write(out, flow.number, frame);
      size += frame.length;
      if (flow.number !== MESSAGES) {
        this.frames += 1;
        this.bytes += frame.length;
        this.madeRoom = true; // in the flow
      }
    }
    if (flow.isWaiting) this.#stall.wait(flow);
    return size;
  }

  /**
   * @param {Uint8Array[]} out
   * @param {Uint8Array} frame
   */
  #writeAbout(out, frame) {
    this.#write(out, ABOUT, frame);
    this.aboutUnreceived += 1;
    this.frames += 1;
    this.bytes += frame.length;
  }

  /**
   * @param {Uint8Array[]} out
   * @param {number} number
   * @param {Uint8Array} frame
   */
  #write(out, number, frame) {
    this.#replay.push({ number, frame });
    this.sent += 1;
    this.written += 1;
    out.push(frame);
  }

  // A connection comes and goes...

  /**
   * Begins on a new connection.
   *
   * @param {number} received what the peer has
   * @throws {ProtocolError} that cannot be
   */
  rewind(received) {
    this.forget(received, this.sent);
    this.#left = this.#replay.length;
    this.written = this.sent - this.#left;
  }

  /**
   * Lets go of what the peer has received.
   *
   * @param {number} received
   * @param {number} atMost
   * @throws {ProtocolError} it cannot be (`miscount`)
   */
  forget(received, atMost) {
    const base = this.sent - this.#replay.length;
    if (received < base || received > atMost) {
      const why = `the server has received ${received} frames, which cannot be: ${base} to ${atMost}`;
      throw new ProtocolError(why, CloseCode.MISCOUNT);
    }
    if (received === base) return;
    for (const { number, frame } of this.#replay.splice(0, received - base)) {
      this.bytes -= frame.length;
      this.frames -= 1;
      if (number === ABOUT) this.aboutUnreceived -= 1;
    }
    this.madeRoom = true;
  }

  /**
   * The session is over, and this is what the peer last said that it received: what is beyond certainly did not arrive.
   *
   * @param {number} received
   */
  settle(received) {
    if (received < this.sent - this.#replay.length || received > this.sent) return;
    this.forget(received, this.sent);
    for (const { number } of this.#replay) {
      const flow = this.#flows.open.get(number);
      if (flow) flow.reach -= 1;
    }
  }
}
