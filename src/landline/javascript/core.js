/**
 * What outlives connections, without I/O: counts, acks, credit and flows of one session. The sending half is in sending.js,
 * what is told the peer of the receiving one in news.js.
 *
 * `received` counts the peer's frames over the whole life of the session, as `sending.sent` counts ours. A count that cannot be is a
 * `miscount` and ends the session: never a guess.
 */

import { decodeData, encodeData } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { ENDED, Flow, RESET, windowFor } from "./flow.js";
import { Flows, MESSAGES } from "./flows.js";
import { CloseCode, FIRST_CREDIT, Type, isData } from "./frames.js";
import { FIXED } from "./limits.js";
import { News } from "./news.js";
import { Sending } from "./sending.js";
import { Stall } from "./stall.js";

export class Core {
  /** How many of the peer's counted frames arrived. */
  received = 0;
  /** Called when there is something to write. */
  wake = () => {};
  /** @type {Map<number, Flow>} flows with something to take, and with outcomes, since they were looked at */
  arrived = new Map();
  /** @type {Map<number, Flow>} */
  handled = new Map();
  /** @type {Flow[]} flows that the peer opened, and abandoned, since they were looked at */
  opened = [];
  /** @type {Flow[]} */
  reset = [];
  stall;
  sending;
  messages;
  #limits;
  #flows;
  #news;

  /**
   * @param {Readonly<import("./limits.js").Limits>} limits ours
   * @param {import("./handshake.js").Welcome} welcome what the server grants
   */
  constructor(limits, welcome) {
    this.#limits = limits;
    /** The largest payload that both take, in bytes. */
    this.maxMessage = Math.min(welcome.max_message, limits.maxMessage);
    this.stall = new Stall(limits.stalledAfter);
    this.messages = new Flow(MESSAGES, limits.window, welcome.window);
    this.#flows = new Flows(this.messages, {
      mostOfPeer: limits.maxFlows,
      mostOfOurs: welcome.max_flows ?? 0,
      write: (number, frame) => {
        this.sending.sendAbout(number, frame);
        this.wake();
      },
      drop: (flow) => this.#drop(flow),
    });
    this.sending = new Sending(this.#flows, this.stall);
    this.#news = new News(limits, this.flows, this.stall);
  }

  /** The flows that are not over, by number. */
  get flows() {
    return this.#flows.open;
  }

  // The program sends...

  /**
   * Whether a flow takes another message; one whose peer does not read fills itself and no other.
   *
   * @param {Flow} flow
   */
  hasRoom(flow) {
    const { bytes, frames } = this.sending;
    if (flow === this.messages) return bytes < this.#limits.outboxBytes && frames < this.#limits.outboxMessages;
    return (
      flow.pendingBytes < this.#limits.flowOutbox &&
      bytes - this.messages.pendingBytes < this.#limits.outboxBytes &&
      frames - this.messages.pending.length < this.#limits.outboxMessages
    );
  }

  /**
   * Queues a value; the caller has seen to the room.
   *
   * @param {Flow} flow
   * @param {unknown} value
   * @returns {number} its index within the flow
   * @throws {import("./errors.js").DataError} it cannot be sent
   */
  send(flow, value) {
    const { type, payload } = encodeData(value, this.maxMessage);
    const index = this.sending.send(flow, type, payload);
    this.wake();
    return index;
  }

  /**
   * Has the peer told that we wait for everything queued so far to be handled.
   *
   * @param {Flow} flow
   */
  ask(flow) {
    if (this.#news.ask(flow)) this.wake();
  }

  /** The peer waits for what we have to tell: that waits for no company. */
  tellNow() {
    this.#news.tellNow();
    this.wake();
  }

  // The program opens and leaves flows...

  /** @param {string} purpose */
  openFlow(purpose) {
    return this.#flows.begin(purpose, windowFor(this.#news.committed(), false, this.#limits, FIRST_CREDIT));
  }

  /**
   * Sends no more: the peer is told after what is queued.
   *
   * @param {Flow} flow
   */
  endFlow(flow) {
    if (flow.ours & (ENDED | RESET)) return;
    this.sending.end(flow);
    this.wake();
  }

  /**
   * Sends and takes no more; what waits in the flow is dropped at both ends.
   *
   * @param {Flow} flow
   * @param {number} code
   * @param {string} [reason]
   */
  abandonFlow(flow, code, reason = "") {
    this.#flows.abandon(flow, code, reason);
  }

  // The program receives...

  /**
   * The oldest value of a flow that has one.
   *
   * @param {Flow} flow
   * @returns {any}
   * @throws {ProtocolError} it is not what its type says; the session must end
   */
  take(flow) {
    const value = flow.take();
    this.#took(flow);
    return value();
  }

  /**
   * Everything the program has taken of a flow is handled; where that was the last of it, the peer is told that too.
   *
   * @param {Flow} flow
   */
  handleTaken(flow) {
    if (flow.handled !== flow.taken) {
      flow.handled = flow.taken;
      this.#took(flow);
    }
    if (flow.isReadOut) this.#flows.finish(flow);
  }

  /** Whether the program is done with all that arrived. */
  get isEverythingHandled() {
    for (const flow of this.flows.values()) if (flow.handled !== flow.received) return false;
    return true;
  }

  /** @param {Flow} flow */
  #took(flow) {
    if (this.#news.took(flow)) this.wake();
  }

  // A connection comes and goes...

  /**
   * Begins on a new connection: drops what the peer has, writes the rest again before anything new.
   *
   * @param {number} peerReceived
   * @throws {ProtocolError} that cannot be
   */
  attach(peerReceived) {
    this.sending.rewind(peerReceived);
    this.#news.beginAnew();
    this.stall.beginAnew();
    this.wake();
  }

  /**
   * Settles what may have reached the peer, now that nothing more will be heard.
   *
   * @param {{ received?: number | undefined, handled?: number | undefined }} counts as the peer last said
   */
  end({ received, handled }) {
    if (received !== undefined) this.sending.settle(received);
    const flow = this.messages;
    if (handled !== undefined && handled > flow.handledByPeer && handled <= flow.reach) flow.handledByPeer = handled;
  }

  // Writing...

  /**
   * What to write now: what is due of control first, then at most about `budget` bytes of frames.
   *
   * @param {number} now
   * @param {number} budget
   * @returns {Uint8Array[]}
   */
  dataToSend(now, budget) {
    /** @type {Uint8Array[]} */
    const out = [];
    this.#news.addDue(out, this.received, this.sending.written, now);
    if (this.sending.isReplaying) {
      budget = this.sending.addReplay(out, budget);
      if (!this.sending.isReplaying && this.#news.wasReplayed()) this.wake();
    }
    if (budget > 0) this.sending.addNew(out, budget);
    if (this.stall.isWaiting) out.push(...this.stall.dataToSend(now));
    return out;
  }

  /** The acks that should stand before our CLOSE. */
  lastWords() {
    /** @type {Uint8Array[]} */
    const out = [];
    this.#news.addAll(out, this.received, this.sending.written);
    return out;
  }

  /** When an ack is due that nothing else has taken along, or a flow has waited for so long that the peer should know. */
  timeoutAt() {
    return Math.min(this.#news.dueAt, this.stall.timeoutAt());
  }

  /** @param {number} now */
  handleTimeout(now) {
    this.#news.handleTimeout(now);
    this.stall.handleTimeout(now);
  }

  // Reading...

  /**
   * Takes one counted frame.
   *
   * @param {number} type
   * @param {number} number
   * @param {Uint8Array} payload
   * @throws {ProtocolError} no such flow, no credit, or a payload that is not what its type says
   */
  receive(type, number, payload) {
    if (isData(type)) this.#receiveData(type, number, payload);
    else this.#receiveAbout(type, number, payload);
    this.received += 1;
    this.#news.received(payload.length);
  }

  /**
   * @param {number} type
   * @param {number} number
   * @param {Uint8Array} payload
   */
  #receiveData(type, number, payload) {
    const flow = this.#flows.get(number);
    if (flow.theirs & (ENDED | RESET)) throw new ProtocolError(`flow ${number} had ended`);
    if (flow.ours & RESET) return; // what we abandoned is counted, and nothing else
    flow.accept(decodeData(type, payload), payload.length);
    this.arrived.set(number, flow);
  }

  /**
   * @param {number} type
   * @param {number} number
   * @param {Uint8Array} payload
   */
  #receiveAbout(type, number, payload) {
    if (number === MESSAGES) throw new ProtocolError("the messages neither begin nor end apart from their session");
    if (type === Type.OPEN) {
      if (this.sending.aboutUnreceived + this.sending.aboutWaiting > FIXED.flowFrames) {
        throw new ProtocolError("the server opens flows, and acks nothing");
      }
      const flow = this.#flows.begun(number, payload);
      flow.window = this.#limits.window; // more than it begins with: that is news, and worked out then
      this.opened.push(flow);
      this.#took(flow);
      return;
    }
    const flow = this.#flows.get(number);
    if (type === Type.RESET) {
      this.#flows.wasAbandoned(flow, payload);
      this.reset.push(flow);
    } else if (payload.length) {
      throw new ProtocolError("a frame about a flow that has more to say than its type");
    } else if (type === Type.END) {
      this.#flows.wasEnded(flow);
      this.arrived.set(number, flow);
    } else {
      this.#flows.wasFinished(flow);
      this.handled.set(number, flow);
    }
  }

  /**
   * The peer has received so many of ours, and had written so many of its own before saying so.
   *
   * @param {number} received
   * @param {number} sent
   */
  receiveAck(received, sent) {
    if (sent !== this.received) {
      throw new ProtocolError(`the peer had sent ${sent} frames, ${this.received} arrived`, CloseCode.MISCOUNT);
    }
    this.sending.forget(received, this.sending.written);
  }

  /**
   * A count that the peer tells of a flow; one that is over is not looked at, the two may have crossed.
   *
   * @param {number} type HANDLED, CREDIT, ASK or WAITING
   * @param {number} number
   * @param {number} count
   */
  receiveCount(type, number, count) {
    const flow = this.#flows.find(number);
    if (!flow) return;
    if (type === Type.HANDLED) {
      if (flow.wasHandled(count)) this.handled.set(number, flow);
    } else if (type === Type.CREDIT) {
      if (!flow.wasGranted(count)) return;
      this.stall.goOn(flow);
      if (flow.isWaiting) this.stall.wait(flow); // one frame may cost more than was granted: it waits anew
    } else if (type === Type.ASK) {
      flow.asked = Math.max(flow.asked, count);
      if (flow.isNewsUrgent) this.#took(flow);
    } else if (!(flow.ours & RESET)) {
      this.stall.peerWaits(flow, count); // what we abandoned, it need not wait for
    }
  }

  /** @param {Flow} flow */
  #drop(flow) {
    flow.drop();
    this.stall.peerGoesOn(flow);
    this.sending.drop(flow);
    this.sending.madeRoom = true; // who waits to send in it is told that nothing can be
  }
}
