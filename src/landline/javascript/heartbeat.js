/**
 * Is the peer alive? Any byte received proves it; after silence comes a ping, after more silence the verdict. And do our bytes leave?
 *
 * Who was itself stopped (a busy page, a machine that slept) notices that its own timer came late, and asks before it judges.
 */

/** A timer this many seconds late means that we ourselves stood still. */
export const LATE = 1;

/** @typedef {"quiet" | "ping" | "suspect" | "dead" | "late"} Verdict what silence means by now; `late` for that it is to be asked first */

export class Heartbeat {
  #interval;
  #deadAfter;
  #heardAt;
  #pingedAt = Infinity;
  #isSuspected = false;

  /**
   * @param {number} interval seconds of silence before a ping
   * @param {number} deadAfter seconds of silence after it before the peer counts as dead
   * @param {number} now
   */
  constructor(interval, deadAfter, now) {
    this.#interval = interval;
    this.#deadAfter = deadAfter;
    this.#heardAt = now;
  }

  /**
   * Bytes arrived.
   *
   * @param {number} now
   * @returns {boolean} whether the line had been suspected
   */
  heard(now) {
    const was = this.#isSuspected;
    this.#heardAt = now;
    this.#pingedAt = Infinity;
    this.#isSuspected = false;
    return was;
  }

  /**
   * A ping is being written, whatever the time; the peer has all of its time to answer.
   *
   * @param {number} now
   */
  pinged(now) {
    this.#pingedAt = now;
  }

  /** When `check` should be called next. */
  timeoutAt() {
    if (this.#pingedAt === Infinity) return this.#heardAt + this.#interval;
    return this.#pingedAt + (this.#isSuspected ? this.#deadAfter : this.#deadAfter / 2);
  }

  /**
   * What the silence means by now; the caller does it.
   *
   * @param {number} now
   * @returns {Verdict}
   */
  check(now) {
    const due = this.timeoutAt();
    if (now < due) return "quiet";
    if (now - due > LATE) {
      this.#pingedAt = now; // a suspicion stays one: only bytes lift it
      return "late";
    }
    if (this.#pingedAt === Infinity) {
      this.#pingedAt = now;
      return "ping";
    }
    if (this.#isSuspected) return "dead";
    this.#isSuspected = true;
    return "suspect";
  }
}

/** The clock of what we write: the time without progress, looked at a few times per timeout. */
export class Progress {
  /** When `check` should be called next. */
  lookAt = Infinity;
  #timeout;
  #written = 0;
  #left = 0;
  #at = 0;

  /** @param {number} timeout seconds */
  constructor(timeout) {
    this.#timeout = timeout;
  }

  /**
   * @param {number} size bytes that were given to the carrier
   * @param {number} now
   */
  wrote(size, now) {
    if (this.lookAt === Infinity) {
      this.#at = now; // all that was written before had left
      this.lookAt = now + this.#timeout / 4;
    }
    this.#written += size;
  }

  /**
   * Whether bytes left in time.
   *
   * @param {number} now
   * @param {number} backlog bytes that have not left this process
   */
  check(now, backlog) {
    if (now < this.lookAt) return true;
    const left = this.#written - backlog;
    if (left > this.#left || now - this.lookAt > LATE) {
      this.#left = left; // when late, we ourselves did not write
      this.#at = now;
    }
    this.lookAt = backlog ? now + this.#timeout / 4 : Infinity;
    return !backlog || now - this.#at < this.#timeout;
  }
}
