/**
 * Connecting, and the client's end of a session: it dials, and when the line drops redials until the session is back, refused, or closed.
 */

import { Bare } from "./bare.js";
import { Core } from "./core.js";
import { Refreshing, check, current } from "./credentials.js";
import { Dropped, Turndown, dialAny, listed, normalized, preferred } from "./dial.js";
import { DurableSends } from "./durable.js";
import { AddressError, ConnectError, ProtocolError, Refused, SessionClosed } from "./errors.js";
import { CloseCode, wordsOf } from "./frames.js";
import { Intake } from "./intake.js";
import { PUBLISHES, SENDS, openOutboxes } from "./kept.js";
import { FIXED, limitsFrom } from "./limits.js";
import { Redial, fullJitter } from "./redial.js";
import { Session } from "./session.js";
import { Publishing } from "./topics.js";
import { Bell, deferred, wakefulClock, within } from "./waiting.js";

/** Names this life of this program. */
const LIFE = crypto.getRandomValues(new Uint8Array(16));

const NONE = Symbol("no credentials");

/**
 * @typedef {object} ConnectOptions
 * @property {unknown} [credentials] shown to the server's `authenticate` at every dial; anything that msgpack can hold, or a function that returns it or a
 *   promise of it: asked at every dial, and before what the server grants runs out
 * @property {number} [connectTimeout] seconds for the first dial, all addresses together
 * @property {Partial<import("./limits.js").Limits>} [limits]
 * @property {import("./redial.js").Pause} [pause] how long to wait before a redial; full jitter by default
 * @property {() => number} [clock] seconds, monotonic; it should go on while the machine sleeps
 * @property {() => number} [random] from 0 to 1
 * @property {typeof WebSocket} [WebSocket] the platform's by default
 * @property {import("./kept.js").Storage} [storage] of this client alone: what is published, and sent with `durable`, is kept there until it is answered
 * @property {AbortSignal} [signal] gives up connecting; later it ends the session at once
 */

/**
 * Opens a session with a server.
 *
 * Only the first dial can fail here; an established session redials by itself until it is back, refused or closed. Several addresses are
 * tried in turn, the one that was good last first. A server that goes may send its clients to another one of them, and nowhere else.
 *
 * @param {string | URL | (string | URL)[]} addresses for example `wss://example.org`, and in Node `tcp://localhost:12345`
 * @param {ConnectOptions} [options]
 * @returns {Promise<Session>}
 * @throws {AddressError} an address cannot be read
 * @throws {ConnectError} nobody answered; `ConnectTimeout`: not in time; `Refused`: the server said no
 * @throws {DataError} the credentials cannot be sent, or are over 3 KiB
 */
export async function connect(addresses, options = {}) {
  const limits = limitsFrom(options.limits);
  const all = (Array.isArray(addresses) ? addresses : [addresses]).map(normalized);
  if (!all.length) throw new AddressError("connect needs an address");
  if (typeof options.credentials !== "function") check(options.credentials);
  options.signal?.throwIfAborted();
  const { storage } = options;
  await storage?.open?.();
  try {
    const publishes = storage && (await openOutboxes(storage, PUBLISHES));
    const sends = storage && (await openOutboxes(storage, SENDS));
    const end = new ClientEnd(all, limits, options);
    const bare = await end.connect(options.connectTimeout ?? limits.connectTimeout);
    new Intake(bare);
    const publishing = new Publishing(bare, publishes);
    const durable = new DurableSends(bare, sends);
    if (storage) void letGo(storage, bare, [publishing.outgoing, durable.outgoing]);
    return new Session(bare, publishing, durable, end);
  } catch (error) {
    await storage?.close?.();
    throw error;
  }
}

/**
 * Closes the storage when the session is over and nothing of it is at work any more.
 *
 * @param {import("./kept.js").Storage} storage
 * @param {Bare} bare
 * @param {import("./outgoing.js").Outgoing[]} outgoing
 */
async function letGo(storage, bare, outgoing) {
  await bare.whenOver();
  for (const each of outgoing) await each.whenThrough();
  await storage.close?.();
}

/** Keeps one session on a line. */
class ClientEnd {
  #addresses;
  #limits;
  #options;
  #pause;
  #way;
  #ways;
  #clock;
  #random;
  /** @type {Set<string>} where its server is known to be: only the word of that one can end the session */
  #homes = new Set();
  /** @type {Bare | undefined} */
  #session;
  /** @type {Refreshing | undefined} */
  #refreshing;
  /** Rings when the next dial is not to wait. */
  #hurry = new Bell();
  /** Ends what is being dialled. */
  #stopping = new AbortController();

  /**
   * @param {string[]} addresses
   * @param {Readonly<import("./limits.js").Limits>} limits
   * @param {ConnectOptions} options
   */
  constructor(addresses, limits, options) {
    const { clock = wakefulClock(), random = Math.random } = options;
    this.#addresses = addresses;
    this.#limits = limits;
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
    this.#pause = options.pause ?? fullJitter(limits, random);
    this.#way = new Redial(limits, this.#pause, random);
    this.#ways = { limits, clock, random, WebSocket: options.WebSocket };
  }

  /**
   * Dials until a server that is there lets us in.
   *
   * @param {number} timeout seconds
   * @returns {Promise<Bare>}
   */
  async connect(timeout) {
    const limits = this.#limits;
    const { signal, credentials } = this.#options;
    const answer = await this.#dialFirst(this.#clock() + timeout);
    const session = new Bare(new Core(limits, answer.welcome), answer.welcome.session, limits, this.#clock);
    this.#session = session;
    const ways = { clock: this.#clock, random: this.#random, timeout: limits.connectTimeout };
    this.#refreshing = new Refreshing(session, credentials, ways);
    try {
      this.#attach(session, answer);
    } catch (error) {
      answer.driver.abort();
      throw new ConnectError(answer.address, /** @type {Error} */ (error).message, { cause: error });
    }
    const onAbort = () => void session.close("aborted", 0);
    signal?.addEventListener("abort", onAbort);
    session.onEnd = () => {
      this.#stopping.abort();
      this.#refreshing?.stop();
      signal?.removeEventListener("abort", onAbort);
    };
    return session;
  }

  /**
   * That a server goes just now is no failure: we come back when it says, as often as the time allows. A line that drops before it says
   * anything is tried once more: so it looks when a server goes that had no time to say so.
   *
   * @param {number} until
   * @returns {Promise<import("./dial.js").Answer>}
   */
  async #dialFirst(until) {
    const { signal } = this.#options;
    const { window, maxMessage, maxFlows } = this.#limits;
    // With short pauses: the time is short, and a long one drawn by chance would give up what is left of it.
    const way = new Redial(this.#limits, (number) => Math.min(this.#pause(number), FIXED.firstPause), this.#random);
    let wasDropped = false;
    let isAwaited = false;
    for (;;) {
      const credentials = await current(this.#options.credentials, Math.max(until - this.#clock(), 0));
      const hello = { life: LIFE, window, max_message: maxMessage, max_flows: maxFlows, credentials };
      try {
        const timeout = Math.max(until - this.#clock(), 0);
        return await dialAny(this.#addresses, hello, this.#ways, { timeout, ...(signal && { signal }) });
      } catch (error) {
        const failure =
          error instanceof Turndown ? new Refused(error.address, error.reason, wordsOf(CloseCode, error.refusal.code)) : error;
        if (error instanceof Turndown && error.refusal.code === CloseCode.GOING_AWAY) {
          isAwaited = true;
          way.refused(error.refusal);
          this.#addresses = preferred(this.#addresses, error.refusal.redirect);
        } else if (error instanceof Dropped && !wasDropped) {
          wasDropped = true;
        } else if (!(isAwaited && error instanceof ConnectError && !(error instanceof Turndown))) {
          throw failure;
        }
        const pause = way.nextPause();
        if (this.#clock() + pause >= until) throw failure;
        await pauseFor(pause, signal);
      }
    }
  }

  // A line is there...

  /**
   * @param {Bare} session
   * @param {import("./dial.js").Answer} answer
   * @throws {ProtocolError} the server's count of what it received cannot be
   */
  #attach(session, { address, driver, welcome }) {
    if (this.#way.isNewLife(welcome)) {
      this.#homes.clear(); // another server may have taken its place at the others
      session.renew(new Core(this.#limits, welcome));
    }
    this.#homes.add(address);
    this.#addresses = preferred(this.#addresses, address);
    driver.deliver = (event) => this.#deliver(session, driver, event);
    driver.connection.carry(welcome, session.core, this.#clock());
    this.#way.welcomed(welcome, this.#clock());
    session.attach(driver);
    this.#refreshing?.welcomed(welcome.expires_in);
  }

  /**
   * @param {Bare} session
   * @param {import("./driver.js").Driver} driver
   * @param {import("./connection.js").ConnectionEvent} event
   */
  #deliver(session, driver, event) {
    if (session.driver !== driver || session.ended) return;
    session.deliver(event);
    if (event.kind === "peer closed") {
      const { code, retry_in, redirect } = event.close;
      if (retry_in !== undefined) this.#way.comeBackIn(retry_in);
      this.#follow(redirect, code);
    } else if (event.kind === "ended" && !session.connectionEnded(event.code, event.reason)) {
      this.#way.lineEnded(this.#clock());
      session.detach(event.reason || wordsOf(CloseCode, event.code));
      void this.#redial(session);
    }
  }

  /**
   * A server named another address to go on with. One that goes hands the session over with it, to live or to be unknown there.
   *
   * @param {string | undefined} redirect
   * @param {number} code
   */
  #follow(redirect, code) {
    const address = listed(this.#addresses, redirect);
    if (address === undefined) return;
    this.#addresses = preferred(this.#addresses, address);
    if (code === CloseCode.GOING_AWAY) this.#homes = new Set([address]);
  }

  /** @param {number} seconds hangs up beneath the session, and stays away that long */
  drop(seconds) {
    if (!this.#session?.driver) return;
    this.#way.stayAway(seconds);
    this.#session.driver.abort();
  }

  /** Shows the credentials now. */
  async refresh() {
    await this.#refreshing?.refresh();
  }

  /** Asks the server for a sign of life now; without a line, dials now. */
  probe() {
    this.#session?.driver?.probe();
    this.#hurry.ring();
  }

  // ... and when it is not.

  /** @param {Bare} session */
  async #redial(session) {
    const stopping = (this.#stopping = new AbortController());
    const dialling = this.#dialUntilAnswered(session, stopping.signal);
    const isAnswered = await within(this.#way.resumeWindow, dialling);
    stopping.abort();
    if (!isAnswered) session.lose(CloseCode.EXPIRED, `no server went on with it for ${this.#way.resumeWindow} s`);
  }

  /**
   * Never rejects.
   *
   * @param {Bare} session
   * @param {AbortSignal} signal
   */
  async #dialUntilAnswered(session, signal) {
    try {
      while (!signal.aborted && !(await this.#dialAgain(session, signal)));
    } catch (error) {
      session.lose(CloseCode.FAILED, `it cannot be redialled: ${error}`); // the program's own `pause` above all
    }
  }

  /**
   * @param {Bare} session
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} whether that was the last dial
   */
  async #dialAgain(session, signal) {
    const pause = this.#way.nextPause();
    session.planned(pause);
    try {
      await pauseFor(pause, signal, this.#hurry);
      const credentials = await this.#credentials();
      if (credentials === NONE) return false;
      const greeting = this.#way.greeting(session.core.received, credentials);
      const timeout = this.#limits.connectTimeout;
      const answer = await dialAny(this.#addresses, greeting, this.#ways, { timeout, signal, homes: this.#homes });
      return this.#resumed(session, answer);
    } catch (error) {
      if (error instanceof Turndown) return this.#refused(session, error.refusal);
      if (error instanceof ConnectError || signal.aborted) return false;
      throw error;
    }
  }

  /** What to show now; `NONE` where that is not to be had: whoever hands it out may be away for the same reason as the line. */
  async #credentials() {
    try {
      return await current(this.#options.credentials, this.#limits.connectTimeout);
    } catch (error) {
      console.warn("a redial has no credentials:", error);
      return NONE;
    }
  }

  /**
   * @param {Bare} session
   * @param {import("./dial.js").Answer} answer
   */
  #resumed(session, answer) {
    if (session.ended) {
      answer.driver.abort();
      return true;
    }
    try {
      this.#attach(session, answer);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      answer.driver.connection.breakOff(CloseCode.MISCOUNT, error.reason);
      answer.driver.schedule();
      session.lose(CloseCode.MISCOUNT, `${wordsOf(CloseCode, CloseCode.MISCOUNT)}: ${error.reason}`);
    }
    return true;
  }

  /**
   * @param {Bare} session
   * @param {import("./handshake.js").Refusal} refusal
   */
  #refused(session, refusal) {
    const fate = this.#way.refused(refusal);
    this.#follow(refusal.redirect, refusal.code);
    if (fate === "closed") {
      session.core.end(refusal);
      session.end(new SessionClosed(refusal.reason));
    } else if (fate === "lost") {
      session.lose(refusal.code, wordsOf(CloseCode, refusal.code), refusal);
    }
    return fate !== "dial again";
  }
}

/**
 * @param {number} seconds
 * @param {AbortSignal} [signal] ends it
 * @param {Bell} [hurry] ends it early
 */
async function pauseFor(seconds, signal, hurry) {
  const early = deferred();
  const onAbort = () => early.resolve();
  signal?.addEventListener("abort", onAbort);
  if (!signal?.aborted) await within(seconds, Promise.race([early.promise, ...(hurry ? [hurry.heard()] : [])]));
  signal?.removeEventListener("abort", onAbort);
  signal?.throwIfAborted();
}
