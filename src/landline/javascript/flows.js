/**
 * All flows of one session: who may open another, how each end says that it is through with it, and when it is forgotten.
 *
 * We open odd numbers, the server even ones; numbers rise and are never used again. What opens, ends and resets flows are counted frames:
 * they are replayed like data, so both ends forget the same.
 */

import { Full, ProtocolError } from "./errors.js";
import { DONE, ENDED, Flow, RESET, isFinished } from "./flow.js";
import { FIRST_CREDIT, Type, encodeFrame } from "./frames.js";
import { cleanReason, decodeFields, encodeFields } from "./handshake.js";

export const MESSAGES = 0;
const LAST_NUMBER = 2 ** 32 - 1;

export class Flows {
  /** @type {Map<number, Flow>} those that are not over; the messages are always among them */
  open = new Map();
  #next = 1;
  #opened = 0;
  #highestOfPeer = 0;
  #openedByPeer = 0;
  #mostOfPeer;
  #mostOfOurs;
  #write;
  #drop;

  /**
   * @param {Flow} messages
   * @param {object} how
   * @param {number} how.mostOfPeer how many it may have open at once
   * @param {number} how.mostOfOurs how many it lets us have
   * @param {(number: number, frame: Uint8Array) => void} how.write queues a counted frame about a flow, which goes before all data
   * @param {(flow: Flow) => void} how.drop lets go of everything that waits in a flow
   */
  constructor(messages, { mostOfPeer, mostOfOurs, write, drop }) {
    this.open.set(MESSAGES, messages);
    this.#mostOfPeer = mostOfPeer;
    this.#mostOfOurs = mostOfOurs;
    this.#write = write;
    this.#drop = drop;
  }

  // We open, end, finish, abandon...

  /**
   * @param {string} purpose
   * @param {number} window
   * @returns {Flow}
   * @throws {Full} the peer lets us have no more at once, or the session has used up its numbers
   */
  begin(purpose, window) {
    if (this.#opened >= this.#mostOfOurs) throw new Full(`${this.#opened} flows are open, and the server allows no more (its max_flows)`);
    if (this.#next > LAST_NUMBER) throw new Full("this session has no more numbers for flows");
    const flow = new Flow(this.#next, window, FIRST_CREDIT, purpose);
    flow.openedAt = Infinity; // it was not written yet
    this.open.set(flow.number, flow);
    this.#next += 2;
    this.#opened += 1;
    this.#write(flow.number, encodeFields(Type.OPEN, { purpose, window }, flow.number));
    return flow;
  }

  /**
   * Our direction of the flow is written to its end.
   *
   * @param {Flow} flow
   * @returns {Uint8Array} the END to write now
   */
  ended(flow) {
    flow.isEnding = false;
    flow.ours |= ENDED;
    this.#forgetIfOver(flow);
    return encodeFrame(Type.END, flow.number);
  }

  /**
   * Everything of the peer's, the end included, is handled: say so, once.
   *
   * @param {Flow} flow
   */
  finish(flow) {
    if (flow.ours & (DONE | RESET)) return;
    flow.ours |= DONE;
    this.#write(flow.number, encodeFrame(Type.DONE, flow.number));
    this.#forgetIfOver(flow);
  }

  /**
   * Neither send nor take anything more of the flow; what waits of it, in either direction, is dropped.
   *
   * @param {Flow} flow
   * @param {number} code
   * @param {string} reason
   */
  abandon(flow, code, reason) {
    if (isFinished(flow.ours)) return;
    const reset = { code, handled: flow.handled, taken: flow.taken, reason: cleanReason(reason) };
    flow.ours |= RESET;
    this.#drop(flow);
    this.#write(flow.number, encodeFields(Type.RESET, reset, flow.number));
    this.#forgetIfOver(flow);
  }

  // The peer does...

  /**
   * @param {number} number
   * @param {Uint8Array} payload
   * @returns {Flow}
   * @throws {ProtocolError} it may not open one, or not with this number
   */
  begun(number, payload) {
    if (number <= this.#highestOfPeer || number % 2) throw new ProtocolError(`flow ${number} cannot be opened by the server now`);
    if (this.#openedByPeer >= this.#mostOfPeer) throw new ProtocolError(`more than ${this.#mostOfPeer} flows were opened at once`);
    const { purpose, window } = decodeFields(Type.OPEN, payload);
    const flow = new Flow(number, FIRST_CREDIT, window, purpose);
    this.open.set(number, flow);
    this.#highestOfPeer = number;
    this.#openedByPeer += 1;
    return flow;
  }

  /** @param {Flow} flow */
  wasEnded(flow) {
    this.#hear(flow, ENDED);
  }

  /** @param {Flow} flow */
  wasFinished(flow) {
    if (!(flow.ours & ENDED)) throw new ProtocolError(`flow ${flow.number} is called handled before its end`);
    this.#hear(flow, DONE);
    flow.handledByPeer = flow.sent;
  }

  /**
   * The peer abandons the flow; so do we, if we are not through with it.
   *
   * @param {Flow} flow
   * @param {Uint8Array} payload
   */
  wasAbandoned(flow, payload) {
    const reset = decodeFields(Type.RESET, payload);
    flow.wasReset(reset);
    this.#hear(flow, RESET);
    this.abandon(flow, reset.code, "");
  }

  /**
   * @param {Flow} flow
   * @param {number} what
   */
  #hear(flow, what) {
    if (isFinished(flow.theirs) || flow.theirs & what) {
      throw new ProtocolError(`the server is through with flow ${flow.number}, and says more about it`);
    }
    flow.theirs |= what;
    this.#forgetIfOver(flow);
  }

  // Which flow is it...

  /**
   * The flow of a counted frame.
   *
   * @param {number} number
   * @returns {Flow}
   * @throws {ProtocolError} it is not open
   */
  get(number) {
    const flow = this.open.get(number);
    if (!flow) throw new ProtocolError(`flow ${number} is not open`);
    return flow;
  }

  /**
   * The flow that a control frame is about, or undefined for one that is over: such frames may cross its end.
   *
   * @param {number} number
   * @throws {ProtocolError} it was never open
   */
  find(number) {
    const wasOpen = number % 2 ? number < this.#next : number <= this.#highestOfPeer;
    return wasOpen ? this.open.get(number) : this.get(number);
  }

  /** @param {Flow} flow */
  #forgetIfOver(flow) {
    if (flow.number === MESSAGES || !flow.isOver || !this.open.delete(flow.number)) return;
    if (flow.number % 2) this.#opened -= 1;
    else this.#openedByPeer -= 1;
  }
}
