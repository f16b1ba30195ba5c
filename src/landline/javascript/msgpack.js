/**
 * MessagePack: values to bytes and back, the part of it that any landline end can read.
 *
 * Bytes are `Uint8Array`, integers beyond 2^53 `BigInt`, times `Date` (whole milliseconds). A map whose keys are all text is a plain
 * object, any other a `Map`. Reading is strict: nothing may be missing, left over, nested too deep, or text that is not UTF-8.
 */

import { DataError } from "./errors.js";

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const UNPAIRED = /\p{Surrogate}/u;

/** The extension type of timestamps. */
export const TIME = -1;

/** The first second of year 1 and the last of year 9999: what other languages can hold. */
export const FIRST_SECOND = -62_135_596_800;
export const LAST_SECOND = 253_402_300_799;

/** A value of an extension type that is not known here: its type from -128 to 127, and its bytes. */
export class Extension {
  /**
   * @param {number} type
   * @param {Uint8Array} data
   */
  constructor(type, data) {
    this.type = type;
    this.data = data;
  }
}

/**
 * Text from its UTF-8.
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 * @throws {TypeError} it is not valid; surrogates are not
 */
export function decodeText(bytes) {
  return strictUtf8.decode(bytes);
}

/**
 * @param {string} text
 * @returns {Uint8Array}
 * @throws {DataError} it has surrogates that stand alone
 */
export function encodeText(text) {
  if (UNPAIRED.test(text)) throw new DataError("text that is not valid Unicode cannot be sent");
  return utf8.encode(text);
}

/**
 * Whether it cannot be a key: not every language has maps within keys.
 *
 * @param {unknown} value
 * @returns {boolean}
 */
export function holdsMap(value) {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsMap);
  return !(ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Date);
}
