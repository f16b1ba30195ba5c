/**
 * Joins one carrier to one connection: bytes to it, bytes from it once a turn, its timer, its events to whoever cares.
 */

import { CloseCode } from "./frames.js";
import { afterTurn, deferred } from "./waiting.js";

/**
 * What carries bytes, and knows nothing of sessions.
 *
 * @typedef {object} Carrier
 * @property {string} peer where it leads
 * @property {number} backlog bytes that were written and have not left this process
 * @property {boolean} isWritable
 * @property {(receiver: Receiver) => void} start begins to tell what arrives
 * @property {(frames: Uint8Array[]) => void} write whole frames, in one go
 * @property {() => void} close once what was written has left
 * @property {() => void} abort at once
 */

/**
 * @typedef {object} Receiver
 * @property {(data: Uint8Array) => void} received
 * @property {() => void} ended nothing more comes
 * @property {() => void} writable it takes more again
 */

/** Seconds between looks at the clock: how soon it is noticed that the machine had slept. */
const TICK = 5;

export class Driver {
  /** Resolves when the carrier is gone. */
  gone;
  connection;
  carrier;
  /** @type {(event: import("./connection.js").ConnectionEvent) => void} called with each event, in order */
  deliver;
  #clock;
  #gone = deferred();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #timerAt = 0;
  #isScheduled = false;
  #isOver = false;

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {Carrier} carrier
   * @param {() => number} clock
   * @param {(event: import("./connection.js").ConnectionEvent) => void} deliver
   */
  constructor(connection, carrier, clock, deliver) {
    this.connection = connection;
    this.carrier = carrier;
    this.deliver = deliver;
    this.gone = this.#gone.promise;
    this.#clock = clock;
  }

  start() {
    this.carrier.start({
      received: (data) => {
        this.connection.receiveData(data, this.#clock());
        this.#deliverEvents();
        this.schedule();
      },
      ended: () => {
        this.#gone.resolve();
        this.connection.receiveEnd();
        this.schedule();
      },
      writable: () => this.schedule(),
    });
    this.schedule();
  }

  /** Advances at the end of this turn, once. */
  schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterTurn(() => {
      this.#isScheduled = false;
      this.#advance();
    });
  }

  /** Hangs up: the carrier goes at once, as when the line drops. */
  abort() {
    this.carrier.abort();
    this.connection.receiveEnd();
    this.schedule();
  }

  /** Asks the server for a sign of life now. */
  probe() {
    this.connection.probe(this.#clock());
    this.schedule();
  }

  /** Writes what the connection wants sent, delivers its events, re-arms its timer. */
  #advance() {
    if (!this.#isOver) this.#write();
    this.#deliverEvents(); // also of one that is over: who came to carry it then is told so
    if (this.#isOver) return;
    if (this.connection.phase === "closed") this.#finish();
    else this.#arm();
  }

  #write() {
    const { connection, carrier } = this;
    if (!carrier.isWritable && connection.phase !== "closed") return;
    const frames = connection.dataToSend(this.#clock());
    if (!frames.length) return;
    carrier.write(frames);
    if (connection.hasMoreToSend && carrier.isWritable) this.schedule();
  }

  #deliverEvents() {
    for (const event of this.connection.events()) {
      try {
        this.deliver(event);
      } catch (error) {
        this.connection.breakOff(CloseCode.FAILED, "internal error");
        this.schedule();
        queueMicrotask(() => {
          throw error; // a bug: the platform tells it as it tells others
        });
      }
    }
  }

  /** The connection is over: its last words out, and the carrier goes. */
  #finish() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.carrier.close();
  }

  #arm() {
    const now = this.#clock();
    const at = Math.min(this.connection.timeoutAt(), now + TICK);
    if (this.#timer !== undefined && this.#timerAt <= at) return; // an earlier one looks again when it fires
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, Math.ceil(1000 * (at - now))));
  }

  #onTimer() {
    this.#timer = undefined;
    const now = this.#clock();
    this.connection.handleTimeout(now, this.carrier.backlog);
    this.#advance();
  }
}
