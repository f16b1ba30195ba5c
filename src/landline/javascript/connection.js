/**
 * One carrier's life as a state machine, at the client's end: bytes and time in, bytes and events out.
 *
 * A connection greets, then carries a `Core` until it ends; the session outlives it. Which frame may arrive when stands in `ACCEPTED`. It ends
 * by itself when the server breaks a rule, is silent for too long, or takes too long.
 */

import { ProtocolError } from "./errors.js";
import { CloseCode, FIRST_COUNTED, FrameDecoder, MAGIC, Type, decodeCounts, encodeFrame, isMagic, joined } from "./frames.js";
import { cleanReason, decodeFields, encodeFields } from "./handshake.js";
import { Heartbeat, Progress } from "./heartbeat.js";
import { FIXED } from "./limits.js";

/**
 * How far a connection has come: the answer to our first frame is awaited; it is here, and the session not on this line yet; both talk; our
 * CLOSE ends our direction; the peer's came, and ours follows when our program has handled what came before it; over.
 *
 * @typedef {"greeting" | "deciding" | "open" | "closing" | "draining" | "closed"} Phase
 */

const ABOUT = [Type.PING, Type.PONG, Type.ACK, Type.HANDLED, Type.CREDIT, Type.ASK, Type.WAITING];
const COUNTED = Object.values(Type).filter((type) => type >= FIRST_COUNTED);
const TALK = new Set([...ABOUT, ...COUNTED, Type.CLOSE]);

/** @type {Readonly<Record<Phase, ReadonlySet<number>>>} frames that may arrive; any other is a protocol error */
export const ACCEPTED = {
  greeting: new Set([Type.WELCOME, Type.REFUSE]),
  deciding: new Set([Type.CLOSE]),
  open: TALK,
  closing: TALK,
  draining: new Set(ABOUT),
  closed: new Set(),
};

/**
 * What happened, in the past tense.
 *
 * @typedef {{ kind: "welcomed", welcome: import("./handshake.js").Welcome }
 *   | { kind: "refused", refusal: import("./handshake.js").Refusal }
 *   | { kind: "arrived" | "handled" | "opened" | "reset", flow: import("./flow.js").Flow }
 *   | { kind: "made room" | "stalled" | "suspected" | "heard" }
 *   | { kind: "peer closed", close: import("./handshake.js").Close }
 *   | { kind: "ended", code: number, reason: string, isLocal: boolean }} ConnectionEvent
 */

export class Connection {
  /** @type {Phase} */
  phase = "greeting";
  /** @type {import("./core.js").Core | undefined} */
  core;
  #limits;
  #jitter;
  #decoder;
  /** @type {Uint8Array} */
  #head = new Uint8Array();
  #isMagicSeen = false;
  /** @type {Uint8Array | undefined} the session that is resumed */
  #resumed;
  /** @type {Uint8Array[]} */
  #control = [];
  /** @type {Uint8Array | undefined} our CLOSE, until it is written */
  #close;
  #isPongDue = false;
  /** @type {ConnectionEvent[]} */
  #events = [];
  /** @type {Heartbeat | undefined} */
  #heartbeat;
  #deadline;
  #frameBeganAt = 0;
  #frameDeadline = Infinity;
  #progress;
  /** @type {ConnectionEvent | undefined} */
  #peerClosed;
  /** @type {ConnectionEvent | undefined} */
  #ended;

  /**
   * @param {Readonly<import("./limits.js").Limits>} limits ours
   * @param {number} now the time of the start, in seconds of any monotonic clock; all other times are of the same one
   * @param {number} [jitter] from 0 to 1: how much of a fifth is taken off the heartbeat's interval
   */
  constructor(limits, now, jitter = 0) {
    this.#limits = limits;
    this.#jitter = jitter;
    this.#decoder = new FrameDecoder(limits.maxMessage);
    this.#deadline = now + limits.connectTimeout;
    this.#progress = new Progress(limits.writeTimeout);
  }

  // We greet, and are welcomed...

  /**
   * Writes our first frame.
   *
   * @param {import("./handshake.js").Hello | import("./handshake.js").Resume} greeting
   */
  greet(greeting) {
    const isResume = "session" in greeting;
    this.#resumed = isResume ? greeting.session : undefined;
    this.#control.push(joined([MAGIC, encodeFields(isResume ? Type.RESUME : Type.HELLO, greeting)]));
  }

  /**
   * Goes on with a session here, as the server's WELCOME allowed.
   *
   * @param {import("./handshake.js").Welcome} welcome
   * @param {import("./core.js").Core} core
   * @param {number} now
   * @throws {ProtocolError} the server's count of what it received cannot be
   */
  carry(welcome, core, now) {
    if (this.#ended) {
      // Again: who waited for the answer did not look for this.
      if (this.#peerClosed) this.#events.push(this.#peerClosed);
      this.#events.push(this.#ended);
      return;
    }
    core.attach(welcome.received);
    this.#control.push(encodeFrame(Type.CONFIRM, 0, welcome.token));
    this.phase = "open";
    this.#deadline = Infinity;
    this.core = core;
    const interval = Math.max(welcome.heartbeat, FIXED.beat) * (1 - 0.2 * this.#jitter);
    this.#heartbeat = new Heartbeat(interval, Math.max(welcome.dead_after, FIXED.beat), now);
  }

  // Either end closes...

  /**
   * Writes CLOSE once everything that was sent is written, and waits for the peer's; where that came before, ours ends the connection.
   *
   * @param {number} code
   * @param {string} reason
   * @param {number} now
   */
  close(code, reason, now) {
    if (this.phase === "open") {
      this.#closeWith(code, reason);
      this.phase = "closing";
      this.#deadline = now + this.#limits.closeTimeout;
    } else if (this.phase !== "closing") {
      this.breakOff(code, reason);
    }
  }

  /**
   * Ends at once, and tells the server why, where it may still be told.
   *
   * @param {number} code
   * @param {string} reason
   */
  breakOff(code, reason) {
    const isTalking = this.phase === "open" || this.phase === "draining" || (this.phase === "closing" && this.#close);
    if (isTalking) {
      this.#closeWith(code, reason);
      if (this.phase === "draining") this.#control.push(...(this.core?.lastWords() ?? []));
    }
    this.#end(code, reason, true);
  }

  /**
   * Asks for a sign of life now: whoever was asleep asks before it judges.
   *
   * @param {number} now
   */
  probe(now) {
    if (!this.#heartbeat || !this.#isTalking) return;
    this.#heartbeat.pinged(now);
    this.#control.push(encodeFrame(Type.PING));
  }

  // Bytes come in...

  /**
   * Takes what arrived, in any chunks; events follow. Never throws: a broken rule ends the connection.
   *
   * @param {Uint8Array} data
   * @param {number} now
   */
  receiveData(data, now) {
    if (this.phase === "closed") return;
    if (this.#heartbeat?.heard(now)) this.#events.push({ kind: "heard" });
    try {
      if (!this.#isMagicSeen) data = this.#receiveMagic(data);
      if (data.length) this.#receiveFrames(data, now);
      this.#report();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#report();
      this.breakOff(error.code, error.reason);
    }
  }

  /** The carrier ended, in whatever way: nothing more comes or goes. */
  receiveEnd() {
    if (this.phase !== "closed") this.#end(CloseCode.DEAD, "the line dropped", false);
  }

  /** @param {Uint8Array} data */
  #receiveMagic(data) {
    const head = joined([this.#head, data]);
    this.#isMagicSeen = isMagic(head.subarray(0, MAGIC.length));
    this.#head = this.#isMagicSeen ? new Uint8Array() : head;
    return head.subarray(MAGIC.length);
  }

  /**
   * @param {Uint8Array} data
   * @param {number} now
   */
  #receiveFrames(data, now) {
    let isAnyWhole = false;
    for (const [type, number, payload] of this.#decoder.feed(data)) {
      isAnyWhole = true;
      if (!ACCEPTED[this.phase].has(type)) throw new ProtocolError(whyNot(type, this.phase));
      if (type >= FIRST_COUNTED) this.core?.receive(type, number, payload);
      else this.#receiveFrame(type, number, payload, now);
      if (this.#ended) return;
    }
    if (!this.#decoder.held) {
      this.#frameDeadline = Infinity;
      return;
    }
    if (isAnyWhole || this.#frameDeadline === Infinity) this.#frameBeganAt = now;
    this.#frameDeadline = this.#frameBeganAt + this.#limits.frameTimeout + this.#decoder.needed / 1024;
  }

  /**
   * @param {number} type
   * @param {number} number
   * @param {Uint8Array} payload
   * @param {number} now
   */
  #receiveFrame(type, number, payload, now) {
    switch (type) {
      case Type.WELCOME: return this.#receiveWelcome(decodeFields(type, payload));
      case Type.REFUSE: return this.#receiveRefusal(decodeFields(type, payload));
      case Type.PING: this.#isPongDue = true; return;
      case Type.PONG: return;
      case Type.CLOSE: return this.#receiveClose(decodeFields(type, payload), now);
      case Type.ACK: {
        const [received, sent] = /** @type {[number, number]} */ (decodeCounts(payload, 2));
        return this.core?.receiveAck(received, sent);
      }
      default: return this.core?.receiveCount(type, number, /** @type {number} */ (decodeCounts(payload, 1)[0]));
    }
  }

  /** @param {import("./handshake.js").Welcome} welcome */
  #receiveWelcome(welcome) {
    const isSame = !this.#resumed || this.#resumed.every((byte, place) => byte === welcome.session[place]);
    if (welcome.resumed !== Boolean(this.#resumed) || !isSame) {
      throw new ProtocolError("WELCOME does not answer what was asked");
    }
    this.phase = "deciding";
    this.#deadline = Infinity; // what decides is our own program
    this.#events.push({ kind: "welcomed", welcome });
  }

  /** @param {import("./handshake.js").Refusal} refusal */
  #receiveRefusal(refusal) {
    this.#events.push({ kind: "refused", refusal });
    this.#end(refusal.code, refusal.reason ?? "", false);
  }

  /**
   * @param {import("./handshake.js").Close} close
   * @param {number} now
   */
  #receiveClose(close, now) {
    this.#report();
    this.#peerClosed = { kind: "peer closed", close };
    this.#events.push(this.#peerClosed);
    if (this.phase === "open" && close.code === CloseCode.NORMAL) {
      this.phase = "draining";
      this.#deadline = now + this.#limits.closeTimeout;
      this.core?.tellNow();
      return;
    }
    if (this.phase === "open") this.#closeWith(close.code, "");
    if (this.#close && this.core) this.#control.push(...this.core.lastWords());
    this.#end(close.code, close.reason ?? "", false);
  }

  // Bytes go out...

  /**
   * What to write now, in order, each a whole frame; called once a turn, while the carrier takes more.
   *
   * @param {number} now
   * @returns {Uint8Array[]}
   */
  dataToSend(now) {
    const out = this.#control;
    this.#control = [];
    if (this.#isPongDue) {
      this.#isPongDue = false;
      out.push(encodeFrame(Type.PONG));
    }
    const core = this.core;
    if (core && this.#isTalking) {
      out.push(...core.dataToSend(now, this.#maySend ? FIXED.write : 0));
      if (core.sending.madeRoom || core.stall.isOn) this.#report();
    }
    if (this.#close && (this.phase !== "closing" || !core?.sending.hasUnsent)) {
      if (this.phase === "closing" && core) out.push(...core.lastWords());
      out.push(this.#close);
      this.#close = undefined;
    }
    if (out.length) this.#progress.wrote(out.reduce((size, frame) => size + frame.length, 0), now);
    return out;
  }

  /** Whether `dataToSend` stopped at its budget, and should be called again when the carrier takes more. */
  get hasMoreToSend() {
    return Boolean(this.core && this.#maySend && this.core.sending.canWriteMore);
  }

  /** Whether counted frames may still go: our CLOSE is not written. */
  get #maySend() {
    return this.phase === "open" || (this.phase === "closing" && this.#close !== undefined);
  }

  get #isTalking() {
    return this.phase === "open" || this.phase === "closing" || this.phase === "draining";
  }

  // Time passes...

  /** When `handleTimeout` must be called; Infinity for never. */
  timeoutAt() {
    if (this.phase === "closed") return Infinity;
    const at = Math.min(this.#deadline, this.#frameDeadline, this.#progress.lookAt);
    if (!this.core || !this.#heartbeat) return at;
    return Math.min(at, this.#heartbeat.timeoutAt(), this.core.timeoutAt());
  }

  /**
   * Does what is due by now.
   *
   * @param {number} now
   * @param {number} [backlog] bytes that `dataToSend` returned and that have not left this process
   */
  handleTimeout(now, backlog = 0) {
    if (this.phase === "closed") return;
    if (now >= this.#deadline) {
      if (this.phase === "closing") this.#end(CloseCode.TIMED_OUT, "the server did not answer our close", true);
      else if (this.phase === "draining") this.close(CloseCode.NORMAL, "", now);
      else this.breakOff(CloseCode.TIMED_OUT, "the handshake took too long");
    } else if (now >= this.#frameDeadline) {
      this.breakOff(CloseCode.TIMED_OUT, "a frame took too long to arrive");
    } else if (!this.#progress.check(now, backlog)) {
      this.#end(CloseCode.DEAD, "the server takes no more bytes", true);
    } else if (this.core) {
      this.core.handleTimeout(now);
      this.#checkHeartbeat(now);
    }
  }

  /** @param {number} now */
  #checkHeartbeat(now) {
    const verdict = this.#heartbeat?.check(now);
    if (verdict === "ping" || verdict === "late") this.#control.push(encodeFrame(Type.PING));
    else if (verdict === "suspect") this.#events.push({ kind: "suspected" });
    else if (verdict === "dead") this.#end(CloseCode.DEAD, "nothing was heard from the server", true);
  }

  // What happened...

  /** What happened since the last call, oldest first. */
  events() {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Turns what changed in the session into events, once for each chunk of bytes. */
  #report() {
    const core = this.core;
    if (!core) return;
    const events = this.#events;
    for (const flow of core.arrived.values()) events.push({ kind: "arrived", flow });
    for (const flow of core.handled.values()) events.push({ kind: "handled", flow });
    for (const flow of core.reset) events.push({ kind: "reset", flow });
    for (const flow of core.opened) events.push({ kind: "opened", flow }); // after what ended: that may make room for it
    core.arrived.clear();
    core.handled.clear();
    core.reset = [];
    core.opened = [];
    if (core.sending.madeRoom) {
      core.sending.madeRoom = false;
      events.push({ kind: "made room" });
    }
    if (core.stall.isOn && !core.stall.isTold) {
      core.stall.isTold = true;
      events.push({ kind: "stalled" });
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closeWith(code, reason) {
    this.#close = encodeFields(Type.CLOSE, { code, reason: cleanReason(reason) });
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {boolean} isLocal
   */
  #end(code, reason, isLocal) {
    if (this.#ended) return;
    this.phase = "closed";
    this.#decoder = new FrameDecoder(0); // lets go of what it holds
    this.#ended = { kind: "ended", code, reason, isLocal };
    this.#events.push(this.#ended);
  }
}

/**
 * @param {number} type
 * @param {Phase} phase
 */
function whyNot(type, phase) {
  const name = Object.entries(Type).find(([, each]) => each === type)?.[0];
  return name ? `${name} may not come while ${phase}` : `frame type 0x${type.toString(16)} is unknown`;
}
