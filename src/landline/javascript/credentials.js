/**
 * What a client shows of itself: a value, or a function that is asked for one each time. Where a server lets its client in for a time, new
 * credentials go over the live session before that is over.
 */

import { encodeData } from "./codec.js";
import { DataError, FlowReset, LandlineError, NotAllowed, ProtocolError, SessionEnded } from "./errors.js";
import { isRenewed } from "./flowend.js";
import { ResetCode, wordsOf } from "./frames.js";
import { FIXED } from "./limits.js";
import { within } from "./waiting.js";

const CREDENTIALS_PURPOSE = "landline.credentials";

/** New credentials are shown after 60 to 80 % of the time: early enough for a line to come back, and not all clients in one instant. */
const EARLIEST = 0.6;
const SPREAD = 0.2;
/** Seconds that must be left for another try to make sense. */
const LEAST = 0.5;

/**
 * What is to be shown now.
 *
 * @param {unknown} credentials the value, or a function that returns it, or a promise of it
 * @param {number} timeout seconds that the promise may take
 * @returns {Promise<unknown>} it rejects with a `DataError` where they cannot be sent, and with what the function throws
 */
export async function current(credentials, timeout) {
  let shown = credentials;
  if (typeof credentials === "function") {
    const asked = Promise.resolve(credentials());
    const isSettled = await within(timeout, asked.then(noted, noted));
    if (!isSettled) throw new LandlineError("the credentials took too long to be had");
    shown = await asked;
  }
  check(shown);
  return shown;
}

function noted() {}

/**
 * @param {unknown} credentials
 * @throws {DataError} they cannot be sent
 */
export function check(credentials) {
  try {
    encodeData(credentials, FIXED.credentials);
  } catch (error) {
    throw new DataError(`these credentials cannot be sent: ${/** @type {Error} */ (error).message}`);
  }
}

/** Shows new credentials in time, and again while there is time when that fails. */
export class Refreshing {
  #bare;
  #credentials;
  #ways;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {number | undefined} */
  #endsAt;
  /** @type {{ shown: unknown } | undefined} what the server would not take */
  #refused;
  #welcomes = 0;
  /** @type {Promise<unknown>} the last of those that are shown one after the other */
  #last = Promise.resolve();
  #isBusy = false;

  /**
   * @param {import("./bare.js").Bare} bare
   * @param {unknown} credentials
   * @param {{ clock: () => number, random: () => number, timeout: number }} ways
   */
  constructor(bare, credentials, ways) {
    this.#bare = bare;
    this.#credentials = credentials;
    this.#ways = ways;
  }

  /** @param {number | undefined} expiresIn seconds from now on; the session is on a line, for which credentials were shown */
  welcomed(expiresIn) {
    this.#welcomes += 1;
    this.#granted(expiresIn);
  }

  /** Shows credentials now. */
  async refresh() {
    await this.#show(await current(this.#credentials, this.#ways.timeout));
  }

  /** Shows nothing any more: the session is over. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#endsAt = undefined;
  }

  /** @param {unknown} shown */
  #show(shown) {
    const turn = this.#last.then(() => this.#showNow(shown));
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** @param {unknown} shown */
  async #showNow(shown) {
    const welcomes = this.#welcomes;
    const end = this.#bare.openFlow(CREDENTIALS_PURPOSE);
    let expiresIn;
    try {
      end.put(shown);
      expiresIn = granted(await end.receive());
    } catch (error) {
      if (isRenewed(error)) return; // another life of the server has been shown what there was when the line came back
      if (error instanceof FlowReset && error.code === wordsOf(ResetCode, ResetCode.UNWANTED)) {
        this.#refused = { shown };
        throw new NotAllowed(error.reason);
      }
      if (error instanceof ProtocolError) end.reset(ResetCode.BAD_DATA, error.reason);
      throw error;
    }
    end.end();
    end.handle();
    this.#refused = undefined;
    const endsAt = this.#endsAt;
    this.#granted(expiresIn);
    if (welcomes !== this.#welcomes && endsAt !== undefined) {
      // The server may have said so before it said what came with the line: which of them counts there cannot be known.
      const left = endsAt - this.#ways.clock();
      if (expiresIn === undefined || left < expiresIn) this.#granted(Math.max(left, 0));
    }
  }

  /** @param {number | undefined} expiresIn */
  #granted(expiresIn) {
    this.stop();
    if (expiresIn === undefined || this.#bare.ended) return;
    this.#endsAt = this.#ways.clock() + expiresIn;
    this.#arm(expiresIn * (EARLIEST + SPREAD * this.#ways.random()));
  }

  /** @param {number} seconds */
  #arm(seconds) {
    this.#timer = setTimeout(() => void this.#try(), 1000 * seconds);
  }

  /** Never rejects. Without a line nothing is to do: whoever comes back to a session shows credentials anyway. */
  async #try() {
    this.#timer = undefined;
    if (!this.#bare.driver || this.#isBusy) return;
    this.#isBusy = true;
    try {
      const shown = await current(this.#credentials, this.#ways.timeout);
      if (!this.#refused || !isSame(shown, this.#refused.shown)) await this.#show(shown); // the server charges for those that are not good
    } catch (error) {
      if (!(error instanceof SessionEnded)) console.warn("a session has no new credentials:", error);
    } finally {
      this.#isBusy = false;
    }
    if (this.#timer !== undefined || this.#endsAt === undefined) return;
    const left = this.#endsAt - this.#ways.clock();
    if (left > LEAST) this.#arm((left * (1 + this.#ways.random())) / 4);
  }
}

/** @param {unknown} said */
function granted(said) {
  const map = said instanceof Map ? Object.fromEntries(said) : said;
  if (Object.getPrototypeOf(map ?? 0) !== Object.prototype) throw new ProtocolError("what was granted cannot be read");
  const expiresIn = /** @type {{ expires_in?: unknown }} */ (map).expires_in ?? undefined;
  if (expiresIn !== undefined && !(typeof expiresIn === "number" && expiresIn >= 0 && expiresIn <= FIXED.longest)) {
    throw new ProtocolError("what was granted cannot be read");
  }
  return expiresIn;
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
function isSame(one, other) {
  const [a, b] = [one, other].map((each) => encodeData(each, FIXED.credentials));
  return a?.type === b?.type && String(a?.payload) === String(b?.payload);
}
