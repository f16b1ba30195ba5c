/**
 * How a client comes back to its session, without I/O: the token and the attempt that it shows, how long it waits, what a refusal means.
 */

import { CloseCode, isResumable } from "./frames.js";

/** @typedef {(number: number) => number} Pause seconds to wait before the dial of that number; 1 is the first after a drop */

/**
 * The default pause: drawn evenly from 0 to `redialMin` doubled with every dial, up to `redialMax`.
 *
 * @param {Readonly<import("./limits.js").Limits>} limits
 * @param {() => number} random from 0 to 1
 * @returns {Pause}
 */
export function fullJitter(limits, random) {
  return (number) => random() * Math.min(limits.redialMax, limits.redialMin * 2 ** Math.min(number - 1, 32));
}

/** One session, as far as coming back to it goes. */
export class Redial {
  /** When the server has held the session for as long as it does; no dial makes sense from then on. */
  givesUpAt = 0;
  #resetAfter;
  #pause;
  #random;
  #dials = 0;
  #attempt = 1;
  #hold = 0;
  #welcomedAt = 0;
  /** @type {import("./handshake.js").Welcome | undefined} the newest */
  #welcome;

  /**
   * @param {Readonly<import("./limits.js").Limits>} limits
   * @param {Pause} pause
   * @param {() => number} random from 0 to 1; spreads what a server asks us to wait
   */
  constructor(limits, pause, random) {
    this.#resetAfter = limits.redialReset;
    this.#pause = pause;
    this.#random = random;
  }

  // There is a line...

  /**
   * @param {import("./handshake.js").Welcome} welcome
   * @param {number} now
   */
  welcomed(welcome, now) {
    this.#welcome = welcome;
    this.#welcomedAt = now;
  }

  /**
   * Whether another life of the server goes on with the session: what was sent in the last one and not handled is in doubt.
   *
   * @param {import("./handshake.js").Welcome} welcome
   */
  isNewLife(welcome) {
    return this.#welcome !== undefined && this.#welcome.life.some((byte, place) => byte !== welcome.life[place]);
  }

  /** @param {number} seconds at least, before the next dial: so we wish it */
  stayAway(seconds) {
    this.#hold = Math.max(this.#hold, seconds);
  }

  /** @param {number} seconds about, before the next dial: so the server wishes it */
  comeBackIn(seconds) {
    this.#hold = this.#spread(seconds);
  }

  // ... and there is none.

  /**
   * The line is gone, the session is not: its window begins, and a line that held for long starts the pauses anew.
   *
   * @param {number} now
   */
  lineEnded(now) {
    if (now - this.#welcomedAt >= this.#resetAfter) this.#dials = 0;
    this.givesUpAt = now + this.resumeWindow;
  }

  /** Seconds that the server keeps the session without a line. */
  get resumeWindow() {
    return this.#welcome?.resume_window ?? 0;
  }

  /** Seconds to wait before the next dial. */
  nextPause() {
    this.#dials += 1;
    const pause = Math.max(this.#hold, this.#pause(this.#dials));
    this.#hold = 0;
    return pause;
  }

  /**
   * What the next dial begins with: a new attempt, with the newest token.
   *
   * @param {number} received
   * @param {unknown} credentials
   * @returns {import("./handshake.js").Resume}
   */
  greeting(received, credentials) {
    const { session, token, life } = /** @type {import("./handshake.js").Welcome} */ (this.#welcome);
    this.#attempt += 1;
    return { session, token, attempt: this.#attempt, life, received, credentials };
  }

  /**
   * What a refusal means for the session.
   *
   * @param {import("./handshake.js").Refusal} refusal
   * @returns {"dial again" | "closed" | "lost"}
   */
  refused(refusal) {
    if (refusal.code === CloseCode.STALE && refusal.attempt !== undefined && Number.isSafeInteger(refusal.attempt)) {
      this.#attempt = refusal.attempt; // the next one is above it
      return "dial again";
    }
    if (isResumable(refusal.code)) {
      this.#hold = Math.max(this.#hold, this.#spread(refusal.retry_in ?? 0));
      return "dial again";
    }
    return refusal.code === CloseCode.NORMAL ? "closed" : "lost";
  }

  /**
   * Half to one and a half of the time, so that those who were told the same do not come back together.
   *
   * @param {number} seconds
   */
  #spread(seconds) {
    return seconds * (0.5 + this.#random());
  }
}
