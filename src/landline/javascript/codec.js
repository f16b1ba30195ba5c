/**
 * Turns a program's values into payloads and back: bytes and text as they are, everything else as msgpack.
 *
 * What cannot travel is found at the sender, what never should have at the receiver: one bad value is its sender's error.
 */

import { DataError, ProtocolError } from "./errors.js";
import { CloseCode, Type } from "./frames.js";
import { decodeText, encodeText } from "./msgpack.js";
import { encode } from "./pack.js";
import { decode } from "./unpack.js";

/**
 * The type of frame and the payload that carry a value.
 *
 * @param {unknown} value
 * @param {number} maxMessage bytes
 * @returns {{ type: number, payload: Uint8Array }}
 * @throws {DataError} it cannot be sent, or is over the limit
 */
export function encodeData(value, maxMessage) {
  const { type, payload } = encoded(value);
  if (payload.length > maxMessage) {
    throw new DataError(`a message of ${payload.length} bytes is over the limit of ${maxMessage} bytes`);
  }
  return { type, payload };
}

/** @param {unknown} value */
function encoded(value) {
  if (typeof value === "string") return { type: Type.TEXT, payload: encodeText(value) };
  if (value instanceof ArrayBuffer) return { type: Type.BYTES, payload: new Uint8Array(value.slice(0)) };
  if (ArrayBuffer.isView(value)) {
    const view = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { type: Type.BYTES, payload: new Uint8Array(view) }; // a copy: the program may write into its own
  }
  return { type: Type.PACKED, payload: encode(value) };
}

/**
 * The value that a payload is, to be asked for when the program takes it: as objects it may need many times the memory.
 *
 * @param {number} type
 * @param {Uint8Array} payload copied, where it is kept
 * @returns {() => any} throws a ProtocolError (`bad data`) for what only reading it shows
 * @throws {ProtocolError} it is not what its type says (`bad data`)
 */
export function decodeData(type, payload) {
  if (type === Type.TEXT) {
    const text = checked(() => decodeText(payload));
    return () => text;
  }
  const kept = new Uint8Array(payload);
  if (type === Type.BYTES) return () => kept;
  checked(() => checkForm(kept));
  return () => checked(() => decode(kept));
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T}
 */
function checked(read) {
  try {
    return read();
  } catch (error) {
    throw new ProtocolError(`a payload is not what its type says: ${/** @type {Error} */ (error).message}`, CloseCode.BAD_DATA);
  }
}

/**
 * How msgpack's longer types go on: the bytes of a size that is read first, the bytes that follow anyway, and how many values each
 * of that size is; 0 where it counts bytes.
 *
 * @type {Readonly<Record<number, readonly [size: number, more: number, values: number]>>}
 */
const FORM = {
  0xc0: [0, 0, 0], 0xc2: [0, 0, 0], 0xc3: [0, 0, 0], 0xc4: [1, 0, 0], 0xc5: [2, 0, 0], 0xc6: [4, 0, 0], 0xc7: [1, 1, 0], 0xc8: [2, 1, 0],
  0xc9: [4, 1, 0], 0xca: [0, 4, 0], 0xcb: [0, 8, 0], 0xcc: [0, 1, 0], 0xcd: [0, 2, 0], 0xce: [0, 4, 0], 0xcf: [0, 8, 0], 0xd0: [0, 1, 0],
  0xd1: [0, 2, 0], 0xd2: [0, 4, 0], 0xd3: [0, 8, 0], 0xd4: [0, 2, 0], 0xd5: [0, 3, 0], 0xd6: [0, 5, 0], 0xd7: [0, 9, 0], 0xd8: [0, 17, 0],
  0xd9: [1, 0, 0], 0xda: [2, 0, 0], 0xdb: [4, 0, 0], 0xdc: [2, 0, 1], 0xdd: [4, 0, 1], 0xde: [2, 0, 2], 0xdf: [4, 0, 2],
};
/**
 * Sees that the bytes are one msgpack value and nothing else, as far as that can be seen without making anything of it.
 *
 * @param {Uint8Array} bytes
 * @throws {RangeError} they are not
 */
function checkForm(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  for (let left = 1; left > 0; left--) {
    if (at >= bytes.length) throw new RangeError("it ends early");
    const first = /** @type {number} */ (bytes[at++]);
    if (first < 0x80 || first >= 0xe0) continue;
    if (first < 0x90) left += 2 * (first & 15);
    else if (first < 0xa0) left += first & 15;
    else if (first < 0xc0) at += first & 31;
    else {
      const form = FORM[first];
      if (!form) throw new RangeError("a byte begins no value");
      const [sizeBytes, more, values] = form;
      if (at + sizeBytes > bytes.length) throw new RangeError("it ends early");
      const size = sizeBytes === 1 ? view.getUint8(at) : sizeBytes === 2 ? view.getUint16(at) : sizeBytes === 4 ? view.getUint32(at) : 0;
      at += sizeBytes + more;
      if (values) left += values * size;
      else at += size;
    }
    if (at + left - 1 > bytes.length) throw new RangeError("it ends early");
  }
  if (at !== bytes.length) throw new RangeError("something stands behind the value");
}
