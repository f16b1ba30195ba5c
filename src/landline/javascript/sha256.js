/**
 * SHA-256 of what comes piece by piece. The platform's own wants everything at once, answers later, and in a browser is only there on https and localhost.
 */

const PRIMES = primes(64);
const BEGIN = PRIMES.slice(0, 8).map((prime) => fraction(prime ** (1 / 2)));
const ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(prime ** (1 / 3)));
const BLOCK = 64;

export class Sha256 {
  #state = Int32Array.from(BEGIN);
  #rest = new Uint8Array(BLOCK);
  #held = 0;
  #size = 0;

  /** Bytes so far. */
  get size() {
    return this.#size;
  }

  /**
   * Another piece.
   *
   * @param {Uint8Array} bytes
   * @returns {this}
   */
  update(bytes) {
    this.#size += bytes.length;
    let at = 0;
    if (this.#held) {
      at = Math.min(BLOCK - this.#held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < BLOCK) return this;
      mix(this.#state, new DataView(this.#rest.buffer), 0);
      this.#held = 0;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (; at + BLOCK <= bytes.length; at += BLOCK) mix(this.#state, view, at);
    this.#rest.set(bytes.subarray(at));
    this.#held = bytes.length - at;
    return this;
  }

  /** Of everything so far, to which more may be added. @returns {Uint8Array} 32 bytes */
  digest() {
    const last = new Uint8Array(this.#held + 9 > BLOCK ? 2 * BLOCK : BLOCK);
    last.set(this.#rest.subarray(0, this.#held));
    last[this.#held] = 0x80;
    const view = new DataView(last.buffer);
    view.setBigUint64(last.length - 8, BigInt(this.#size) * 8n);
    const state = this.#state.slice();
    for (let at = 0; at < last.length; at += BLOCK) mix(state, view, at);
    const digest = new Uint8Array(32);
    const words = new DataView(digest.buffer);
    state.forEach((word, index) => words.setInt32(4 * index, word));
    return digest;
  }
}

const words = new Int32Array(64);

/** @param {Int32Array} state @param {DataView} view @param {number} at */
function mix(state, view, at) {
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const near = /** @type {number} */ (words[i - 2]);
    const far = /** @type {number} */ (words[i - 15]);
    const small = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
    const large = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
    words[i] = /** @type {number} */ (words[i - 16]) + small + /** @type {number} */ (words[i - 7]) + large;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + /** @type {number} */ (ROUNDS[i]) + /** @type {number} */ (words[i])) | 0;
    const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = /** @type {number} */ (state[i]) + word));
}

/** @param {number} word @param {number} by */
function turned(word, by) {
  return (word >>> by) | (word << (32 - by));
}

/** The first 32 bits behind the point. @param {number} number */
function fraction(number) {
  return ((number - Math.floor(number)) * 2 ** 32) | 0;
}

/** @param {number} count */
function primes(count) {
  /** @type {number[]} */
  const found = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime)) found.push(n);
  return found;
}
