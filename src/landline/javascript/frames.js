/**
 * The unit on the wire: a header of nine bytes (length, type, one number), then the payload. docs/protocol.md specifies what stands here.
 *
 * The magic opens each direction. The decoder allocates for what arrived, never for what a header declares.
 */

import { ProtocolError } from "./errors.js";
import { FIXED } from "./limits.js";

export const MAGIC = Uint8Array.of(0xfe, 0x4c, 0x4e, 0x44, 0x4c, 0x4e, 0x00, 0x01);
export const HEADER = 9;

/** What a frame counts besides its payload, in every limit that is counted in bytes. */
export const FRAME_COST = 64;

/** The credit that whoever opens a flow begins with, and the least that one is granted anew. */
export const FIRST_CREDIT = 4096;

/** Frames below 0x20 are control frames: not counted, never waiting behind data. */
export const Type = Object.freeze({
  HELLO: 0x01, RESUME: 0x02, WELCOME: 0x03, REFUSE: 0x04, CONFIRM: 0x05, PING: 0x06, PONG: 0x07,
  ACK: 0x08, HANDLED: 0x09, CREDIT: 0x0a, ASK: 0x0b, CLOSE: 0x0c, WAITING: 0x0d,
  BYTES: 0x20, TEXT: 0x21, PACKED: 0x22, OPEN: 0x23, END: 0x24, DONE: 0x25, RESET: 0x26,
});

export const FIRST_COUNTED = Type.BYTES;
const LAST_DATA = Type.PACKED;

/** @param {number} type */
export function isData(type) {
  return type >= FIRST_COUNTED && type <= LAST_DATA;
}

/** Why a connection was closed or refused. */
export const CloseCode = Object.freeze({
  NORMAL: 0, GOING_AWAY: 1, REPLACED: 2, STALE: 3, DEAD: 4, PROTOCOL_ERROR: 5, MISCOUNT: 6, TOO_LARGE: 7, BAD_DATA: 8,
  UNAUTHORIZED: 9, UNKNOWN_SESSION: 10, EXPIRED: 11, REVOKED: 12, BUSY: 13, VERSION: 14, FAILED: 15, TIMED_OUT: 16,
});

/** Why an end abandoned a flow. */
export const ResetCode = Object.freeze({ CANCELLED: 0, UNWANTED: 1, FAILED: 2, BAD_DATA: 3 });

/** @type {ReadonlySet<number>} */
const RESUMABLE = new Set([CloseCode.GOING_AWAY, CloseCode.DEAD, CloseCode.BUSY, CloseCode.TIMED_OUT]);

/**
 * Whether the session lives on after a connection closed with this code, so that its client redials.
 *
 * @param {number} code
 */
export function isResumable(code) {
  return RESUMABLE.has(code);
}

/**
 * A code as words, for example `unknown session`.
 *
 * @param {Readonly<Record<string, number>>} codes
 * @param {number} code
 */
export function wordsOf(codes, code) {
  const name = Object.keys(codes).find((each) => codes[each] === code) ?? `code ${code}`;
  return name.toLowerCase().replaceAll("_", " ");
}

/**
 * One whole frame.
 *
 * @param {number} type
 * @param {number} [number] the flow that it is about
 * @param {Uint8Array} [payload]
 * @returns {Uint8Array}
 */
export function encodeFrame(type, number = 0, payload = NOTHING) {
  const frame = new Uint8Array(HEADER + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, payload.length);
  frame[4] = type;
  view.setUint32(5, number);
  frame.set(payload, HEADER);
  return frame;
}

const NOTHING = new Uint8Array();

/**
 * One whole frame whose payload is counts.
 *
 * @param {number} type
 * @param {number} number
 * @param {number[]} counts
 */
export function encodeCounts(type, number, ...counts) {
  const payload = new Uint8Array(8 * counts.length);
  const view = new DataView(payload.buffer);
  counts.forEach((count, place) => view.setBigUint64(8 * place, BigInt(count)));
  return encodeFrame(type, number, payload);
}

/**
 * The counts that a payload is. Beyond 2^53 they are rounded: nothing of ours comes so far, they are only compared.
 *
 * @param {Uint8Array} payload
 * @param {number} many
 * @returns {number[]}
 * @throws {ProtocolError} not so many, or one beyond 63 bits
 */
export function decodeCounts(payload, many) {
  if (payload.length !== 8 * many) throw new ProtocolError("a count of the wrong size");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: many }, (_, place) => {
    const count = view.getBigUint64(8 * place);
    if (count >> 63n) throw new ProtocolError("a count beyond 63 bits");
    return Number(count);
  });
}

/**
 * Whether a peer's first bytes are the magic; no while they may still come to be.
 *
 * @param {Uint8Array} head at most as long as the magic
 * @throws {ProtocolError} they are not; with the code `version` when they are another version's
 */
export function isMagic(head) {
  const last = MAGIC.length - 1;
  const differs = head.findIndex((byte, place) => byte !== MAGIC[place]);
  if (differs === last) {
    throw new ProtocolError(`the server speaks version ${head[last]} of the protocol, we speak ${MAGIC[last]}`, CloseCode.VERSION);
  }
  if (differs >= 0) throw new ProtocolError("the server does not speak landline");
  return head.length === MAGIC.length;
}

/**
 * One piece out of several.
 *
 * @param {Uint8Array[]} pieces
 * @returns {Uint8Array}
 */
export function joined(pieces) {
  if (pieces.length === 1) return /** @type {Uint8Array} */ (pieces[0]);
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** @typedef {[type: number, number: number, payload: Uint8Array]} Frame */

/** Cuts arriving bytes into frames, whatever chunks they come in. */
export class FrameDecoder {
  #maxMessage;
  /** @type {Uint8Array[]} */
  #pieces = [];
  #held = 0;
  #needed = HEADER;

  /** @param {number} maxMessage the largest payload of a data frame, in bytes */
  constructor(maxMessage) {
    this.#maxMessage = maxMessage;
  }

  /** The bytes that are here of an unfinished frame. */
  get held() {
    return this.#held;
  }

  /** The size of the unfinished frame in bytes, as far as known: at first that of a header. */
  get needed() {
    return this.#needed;
  }

  /**
   * The frames that `data` completes; their payloads are views of what arrived. Run it to its end, or drop the decoder.
   *
   * @param {Uint8Array} data
   * @returns {Generator<Frame, void, void>}
   * @throws {ProtocolError} a header declares more than the limit: when the frames before it are taken
   */
  *feed(data) {
    this.#pieces.push(data);
    this.#held += data.length;
    if (this.#held < this.#needed) return;
    const whole = joined(this.#pieces);
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
    this.#needed = HEADER;
    let at = 0;
    while (whole.length - at >= HEADER) {
      const length = view.getUint32(at);
      const type = view.getUint8(at + 4);
      if (length > (isData(type) ? this.#maxMessage : FIXED.control)) {
        throw new ProtocolError(`a frame of ${length} bytes is over the limit`, CloseCode.TOO_LARGE);
      }
      const end = at + HEADER + length;
      if (end > whole.length) {
        this.#needed = end - at;
        break;
      }
      yield [type, view.getUint32(at + 5), whole.subarray(at + HEADER, end)];
      at = end;
    }
    this.#held = whole.length - at;
    this.#pieces = this.#held ? [at ? whole.slice(at) : whole] : [];
  }
}
