/**
 * Gives a client of the page its session: dials, carries requests and answers, publishes its lines, has its rooms read, dials again when
 * the session is lost.
 *
 * While a session lives it redials beneath by itself. When another life of the server goes on with it, or when it is lost, its receipts
 * tell which requests certainly never arrived and which are doubtful; then the client enters anew. Lines are published: they are in the
 * outbox at once, and go out once and in order, whatever becomes of sessions.
 */

import { carryFiles } from "./carrying.js";
import { readRooms } from "./reading.js";
import { isMap, sayOf, topicOf } from "./wire.js";

const REDIAL_MIN = 0.2; // seconds; the first pause is drawn from 0 to this
const REDIAL_MAX = 8; // it doubles up to this: a person is waiting
const REDIAL_RESET = 10; // a session that held this long starts the pauses anew

/** How many seconds to wait before the dial of this number, counted from 0. @param {number} attempt */
export function fullJitter(attempt) {
  return Math.random() * Math.min(REDIAL_MAX, REDIAL_MIN * 2 ** Math.min(attempt, 16));
}

export class Link {
  /**
   * @param {import("./client.js").Client} client
   * @param {() => Promise<any>} dial opens a session
   * @param {() => void} changed shows the client; called after each change
   * @param {object} library
   * @param {(value: any) => Uint8Array} library.encode
   * @param {(bytes: Uint8Array) => any} library.decode
   * @param {(bytes: Uint8Array) => Uint8Array} library.sha256
   * @param {() => any} [library.arrival] what a file comes to
   * @param {() => number} [library.now] seconds of a steady clock
   * @param {(attempt: number) => number} [library.pause] seconds
   */
  constructor(client, dial, changed, { encode, decode, sha256, arrival = () => null, now = () => performance.now() / 1000, pause = fullJitter }) {
    this.encode = encode;
    this.decode = decode;
    this.sha256 = sha256;
    this.arrival = arrival;
    this.now = now;
    this._client = client;
    this._dial = dial;
    this._changed = changed;
    this._pause = pause;
    this._attempt = 0;
    /** @type {any} */
    this._session = null;
    /** What waits to be sent, each with the lines that go before it. @type {{ request: Record<string, any>, lines: Promise<void>[] }[]} */
    this._outgoing = [];
    /** @type {Set<Promise<void>>} */
    this._publishing = new Set();
    /** @type {Map<number, any>} */
    this._receipts = new Map();
    /** @type {Record<string, any> | null} */
    this._inHand = null;
    this._stirred = latch();
    this._putDown = latch();
    this._hurried = latch();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._timer = undefined;
    this._stirReaders = () => {};
    this._stirFiles = () => {};
  }

  /** Carry out what the client wants, show it, re-arm its timer: to be called after everything that it is told. */
  advance() {
    for (const request of this._client.toSend()) {
      if (request.t === "say") {
        if (this._session) this._publish(this._session, request);
      } else {
        // What is asked after a line comes after it at the server, too.
        this._outgoing.push({ request, lines: request.t === "enter" ? [] : [...this._publishing] });
      }
    }
    const seconds = this._client.dropAsked();
    if (seconds !== null) this._session?.drop(seconds);
    clearTimeout(this._timer);
    const at = this._client.nextAt();
    if (at !== null) this._timer = setTimeout(() => this._tick(), Math.max(0, at - this.now()) * 1000);
    this._stirReaders();
    this._stirFiles();
    this._changed();
    this._stirred.open();
  }

  _tick() {
    this._client.advance(this.now());
    this.advance();
  }

  /** Talk until the client is done. */
  async run() {
    this._session = await this._open();
    while (this._session) {
      await this._talk(this._session);
      this._session = null;
      this._session = await this._open({ isFirst: false }); // null when the person has left
    }
    clearTimeout(this._timer);
  }

  /** Dial now rather than in a while, or look whether the line is alive. */
  hurry() {
    this._hurried.open();
    this._session?.probe?.();
  }

  // One session, from its first message to its end...

  /** @param {any} session */
  async _talk(session) {
    const began = this.now();
    const client = this._client;
    const over = latch();
    this._outgoing = [];
    this._receipts.clear();
    client.opened(began, this._findEarlier(session));
    const reading = readRooms(session, client, this);
    this._stirReaders = reading.stir;
    const carrying = carryFiles(session, client, this);
    this._stirFiles = carrying.stir;
    this.advance();
    this._carry(session, over);
    this._watch(session);
    this._leave(session, over);
    const why = await this._hear(session);
    over.open();
    reading.stop();
    carrying.stop();
    this._stirReaders = this._stirFiles = () => {};
    await session.close("gone").catch(() => {});
    await Promise.all(this._publishing); // known, since the session has ended
    await this._settle();
    if (client.isDone) return;
    if (this.now() - began >= REDIAL_RESET) this._attempt = 0;
    client.ended(this.now(), why);
    this.advance();
  }

  /** Bring what the server says to the client; returns why it ended. @param {any} session @returns {Promise<string>} */
  async _hear(session) {
    for (;;) {
      let message;
      try {
        message = await session.receive();
      } catch (error) {
        const { name, reason = "" } = /** @type {any} */ (error);
        if (name === "SessionInterrupted") {
          await this._settle();
          this._client.interrupted(this.now());
          this._client.opened(this.now());
          this.advance();
          continue;
        }
        if (name === "SessionClosed") return `the server hung up${reason && `: ${reason}`}`;
        if (name === "SessionLost") return reason;
        throw error;
      }
      const told = this._read(message);
      if (!told) continue; // a later version says more than we understand
      this._client.heard(told, this.now());
      this.advance();
      this._forgetAnswered();
    }
  }

  /** @param {unknown} message */
  _read(message) {
    try {
      const told = this.decode(/** @type {Uint8Array} */ (message));
      return isMap(told) && typeof told.t === "string" ? told : null;
    } catch {
      return null;
    }
  }

  /** Hand the client's requests to the session, in order. @param {any} session @param {Latch} over */
  async _carry(session, over) {
    while (!over.isOpen) {
      const next = this._outgoing.shift();
      if (!next) {
        await Promise.race([this._stir(), over.opened]);
        continue;
      }
      const { request, lines } = next;
      this._inHand = request;
      if (lines.length) await Promise.race([Promise.all(lines), this._putDown.opened, over.opened]);
      if (over.isOpen) return; // what is in hand is settled with the rest
      if (this._inHand !== request) continue; // the session was interrupted, and what became of it is told
      try {
        const receipt = await session.send(this.encode(request));
        if (request.t !== "enter") this._receipts.set(request.id, receipt);
        if (over.isOpen) await this._outcome(request.id, receipt);
      } catch {
        this._failed(request); // it was never taken
      }
      if (this._inHand === request) this._inHand = null;
    }
  }

  /** Tell the client how the line beneath the session does. @param {any} session */
  async _watch(session) {
    for await (const change of session.states()) {
      if (this._session !== session) return;
      if (!["connected", "suspect", "reconnecting"].includes(change.state)) continue;
      // That another life of the server is there, `receive` tells in the same turn; then the line is back when we have entered that.
      if (change.state === "connected") await new Promise((resolve) => setTimeout(resolve));
      const redialIn = change.retryIn ?? null;
      this._client.lineChanged(change.state, this.now(), { why: change.reason ?? "", redialIn });
      this.advance();
    }
  }

  /** Close the session when the client is done. @param {any} session @param {Latch} over */
  async _leave(session, over) {
    while (!this._client.isDone) {
      if (over.isOpen) return;
      await Promise.race([this._stir(), over.opened]);
    }
    await session.close("bye").catch(() => {});
  }

  /** Wait until something has changed. */
  _stir() {
    if (this._stirred.isOpen) this._stirred = latch();
    return this._stirred.opened;
  }

  // ... what became of the lines...

  /** The lines in the session's outbox, which it publishes by itself; what becomes of them is followed. @param {any} session */
  _findEarlier(session) {
    const says = [];
    for (const earlier of session.earlier ?? []) {
      let say = null;
      try {
        say = sayOf(earlier.data instanceof Uint8Array ? this.decode(earlier.data) : earlier.data);
      } catch {
        // of another version; it goes out all the same
      }
      if (!say) {
        earlier.position.catch(() => {});
        continue;
      }
      says.push(say);
      this._follow(say, earlier.position);
    }
    return says;
  }

  /** @param {any} session @param {Record<string, any>} say */
  _publish(session, say) {
    const onKept = () => {
      this._client.kept(say.id, this.now());
      this.advance();
    };
    this._follow(say, session.publish(topicOf(say.room, this.sha256), this.encode(say), { onKept }));
  }

  /** @param {Record<string, any>} say @param {Promise<{ offset: number }>} position */
  _follow(say, position) {
    const following = this._published(say, position).finally(() => this._publishing.delete(following));
    this._publishing.add(following);
  }

  /** @param {Record<string, any>} say @param {Promise<{ offset: number }>} position */
  async _published({ id }, position) {
    const client = this._client;
    try {
      const { offset } = await position;
      client.published(id, Number(offset), this.now());
    } catch (error) {
      const { name, isKept, reason, message } = /** @type {any} */ (error);
      if (isKept) return; // it is in the outbox, and goes out with the next session
      if (["SessionClosed", "SessionLost", "SessionEnded"].includes(name)) {
        client.settled(id, "failed"); // it was never taken, and goes out with the next session
        return;
      }
      client.unpublished(id, reason || message, this.now(), name === "PublishUnknown");
    }
    this.advance();
  }

  // ... and of the requests...

  /** Tell the client the outcome of every request that an ended or interrupted session leaves without an answer. */
  async _settle() {
    if (this._inHand) {
      this._failed(this._inHand);
      this._inHand = null;
      this._putDown.open(); // the lines that it waits for may wait for what we say first in another life of the server
      this._putDown = latch();
    }
    for (const { request } of this._outgoing.splice(0)) this._failed(request);
    for (const [id, receipt] of [...this._receipts]) await this._outcome(id, receipt);
    this._receipts.clear();
  }

  /** @param {number} id @param {any} receipt */
  async _outcome(id, receipt) {
    const { status } = await receipt.outcome; // known, since the session has ended
    this._client.settled(id, status);
  }

  /** @param {Record<string, any>} request */
  _failed(request) {
    if (request.t !== "enter") this._client.settled(request.id, "failed");
  }

  _forgetAnswered() {
    if (this._receipts.size <= 2 * this._client.pending.size + 64) return;
    for (const id of [...this._receipts.keys()]) if (!this._client.pending.get(id)) this._receipts.delete(id);
  }

  // ... and the next one.

  /**
   * Dial until somebody answers; returns null when the person leaves before. Only the very first dial of all comes without a pause: many
   * clients of a server that was started again come back spread out.
   */
  async _open({ isFirst = true } = {}) {
    const client = this._client;
    if (!isFirst) await this._wait();
    while (!client.isDone) {
      client.lineChanged("connecting", this.now());
      this.advance();
      try {
        return await this._dial();
      } catch (error) {
        client.unreached(wordsOf(error));
      }
      await this._wait();
    }
    return null;
  }

  async _wait() {
    const pause = this._pause(this._attempt);
    this._attempt += 1;
    this._client.lineChanged("waiting", this.now(), { redialIn: pause });
    this.advance();
    this._hurried = latch();
    await this._untilHurried(pause);
  }

  /** @param {number} seconds */
  async _untilHurried(seconds) {
    let timer;
    const passed = new Promise((resolve) => (timer = setTimeout(resolve, seconds * 1000)));
    const left = this._untilDone(passed);
    await Promise.race([passed, this._hurried.opened, left]);
    clearTimeout(timer);
  }

  /** @param {Promise<unknown>} passed */
  async _untilDone(passed) {
    let isOver = false;
    passed.then(() => (isOver = true));
    while (!isOver && !this._client.isDone && !this._hurried.isOpen) await this._stir();
  }
}

/** @typedef {{ isOpen: boolean, open: () => void, opened: Promise<void> }} Latch */

/** Something that happens once, and may be waited for. @returns {Latch} */
export function latch() {
  /** @type {Latch} */
  const made = { isOpen: false, open: () => {}, opened: Promise.resolve() };
  made.opened = new Promise((resolve) => {
    made.open = () => {
      made.isOpen = true;
      resolve();
    };
  });
  return made;
}

/** What went wrong at a dial, as a clause. @param {unknown} error */
function wordsOf(error) {
  const { name, reason, code, message } = /** @type {any} */ (error);
  if (name === "Refused") return `refused: ${reason || code || message}`;
  return String(reason || message);
}
