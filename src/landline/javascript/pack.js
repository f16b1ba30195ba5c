/**
 * Values as MessagePack; which value becomes what stands in msgpack.js.
 */

import { DataError } from "./errors.js";
import { FIXED } from "./limits.js";
import { Extension, FIRST_SECOND, LAST_SECOND, TIME, encodeText, holdsMap } from "./msgpack.js";

/**
 * Returns a value as msgpack. A whole number is written as an integer, `undefined` as nil, and left out of objects.
 *
 * @param {unknown} value
 * @returns {Uint8Array}
 * @throws {DataError} something in it cannot be written, or it is nested too deep (a cycle is)
 */
export function encode(value) {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.bytes();
}

class Writer {
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  bytes() {
    return this.#bytes.slice(0, this.#at);
  }

  /**
   * @param {unknown} value
   * @param {number} depth
   */
  value(value, depth) {
    if (value === null || value === undefined) this.#byte(0xc0);
    else if (typeof value === "boolean") this.#byte(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "bigint") this.#big(value);
    else if (typeof value === "object") this.#object(value, depth);
    else throw new DataError(`a ${typeof value} cannot be sent`);
  }

  /**
   * @param {object} value
   * @param {number} depth
   */
  #object(value, depth) {
    if (value instanceof Uint8Array) this.#binary(value);
    else if (ArrayBuffer.isView(value)) this.#binary(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    else if (value instanceof ArrayBuffer) this.#binary(new Uint8Array(value));
    else if (value instanceof Date) this.#time(value);
    else if (value instanceof Extension) this.#extension(value.type, value.data);
    else if (depth >= FIXED.depth) throw new DataError(`nothing is sent that is nested more than ${FIXED.depth} levels deep`);
    else if (Array.isArray(value)) {
      this.#length(value.length, 0x90, 15, 0xdc);
      for (const item of value) this.value(item, depth + 1);
    } else if (value instanceof Map) this.#map([...value], depth);
    else if (isPlain(value)) this.#map(Object.entries(value).filter(([, item]) => item !== undefined), depth);
    else throw new DataError(`a ${value.constructor?.name || "value of this kind"} cannot be sent`);
  }

  /**
   * @param {[unknown, unknown][]} entries
   * @param {number} depth
   */
  #map(entries, depth) {
    this.#length(entries.length, 0x80, 15, 0xde);
    for (const [key, item] of entries) {
      if (holdsMap(key)) throw new DataError("what holds a map cannot be a key: not every language could read it");
      this.value(key, depth + 1);
      this.value(item, depth + 1);
    }
  }

  /** @param {number} value */
  #number(value) {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      const at = this.#room(9);
      this.#bytes[at] = 0xcb;
      this.#view.setFloat64(at + 1, value);
    } else if (value >= 0) {
      if (value < 0x80) this.#byte(value);
      else if (value < 0x100) this.#sized(0xcc, value, 1);
      else if (value < 0x1_0000) this.#sized(0xcd, value, 2);
      else if (value < 0x1_0000_0000) this.#sized(0xce, value, 4);
      else this.#wide(0xcf, BigInt(value));
    } else if (value >= -32) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#sized(0xd0, value & 0xff, 1);
    else if (value >= -0x8000) this.#sized(0xd1, value & 0xffff, 2);
    else if (value >= -0x8000_0000) this.#sized(0xd2, value >>> 0, 4);
    else this.#wide(0xd3, BigInt(value));
  }

  /** @param {bigint} value */
  #big(value) {
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) this.#number(Number(value));
    else if (value > 0 && BigInt.asUintN(64, value) === value) this.#wide(0xcf, value);
    else if (value < 0 && BigInt.asIntN(64, value) === value) this.#wide(0xd3, value);
    else throw new DataError("an integer beyond 64 bits cannot be sent");
  }

  /** @param {string} text */
  #text(text) {
    const bytes = encodeText(text);
    if (bytes.length < 32) this.#byte(0xa0 | bytes.length);
    else if (bytes.length < 0x100) this.#sized(0xd9, bytes.length, 1);
    else this.#length(bytes.length, 0, -1, 0xda);
    this.#raw(bytes);
  }

  /** @param {Uint8Array} bytes */
  #binary(bytes) {
    if (bytes.length < 0x100) this.#sized(0xc4, bytes.length, 1);
    else this.#length(bytes.length, 0, -1, 0xc5);
    this.#raw(bytes);
  }

  /** @param {Date} date */
  #time(date) {
    const ms = date.getTime();
    const seconds = Math.floor(ms / 1000);
    if (!(seconds >= FIRST_SECOND && seconds <= LAST_SECOND)) throw new DataError("a time out of range cannot be sent");
    const nanoseconds = (ms - seconds * 1000) * 1_000_000;
    const data = new DataView(new ArrayBuffer(12));
    if (seconds >= 0 && seconds < 2 ** 34) {
      data.setBigUint64(0, (BigInt(nanoseconds) << 34n) | BigInt(seconds));
      const isShort = nanoseconds === 0 && seconds < 2 ** 32;
      this.#extension(TIME, new Uint8Array(data.buffer, isShort ? 4 : 0, isShort ? 4 : 8));
    } else {
      data.setUint32(0, nanoseconds);
      data.setBigInt64(4, BigInt(seconds));
      this.#extension(TIME, new Uint8Array(data.buffer));
    }
  }

  /**
   * @param {number} type
   * @param {Uint8Array} data
   */
  #extension(type, data) {
    const size = data.length;
    const fixed = [1, 2, 4, 8, 16].indexOf(size);
    if (fixed >= 0) this.#byte(0xd4 + fixed);
    else if (size < 0x100) this.#sized(0xc7, size, 1);
    else this.#length(size, 0, -1, 0xc8);
    this.#byte(type & 0xff);
    this.#raw(data);
  }

  /**
   * A length within the first byte where it is `most` at most, else in two or four bytes after `wide` or the type next to it.
   *
   * @param {number} length
   * @param {number} narrow
   * @param {number} most
   * @param {number} wide
   */
  #length(length, narrow, most, wide) {
    if (length <= most) this.#byte(narrow | length);
    else if (length < 0x1_0000) this.#sized(wide, length, 2);
    else this.#sized(wide + 1, length, 4);
  }

  /** @param {number} byte */
  #byte(byte) {
    const at = this.#room(1); // before the bytes are looked at: they may be others then
    this.#bytes[at] = byte;
  }

  /**
   * @param {number} type
   * @param {number} value
   * @param {1 | 2 | 4} size
   */
  #sized(type, value, size) {
    const at = this.#room(1 + size);
    this.#bytes[at] = type;
    if (size === 1) this.#view.setUint8(at + 1, value);
    else if (size === 2) this.#view.setUint16(at + 1, value);
    else this.#view.setUint32(at + 1, value);
  }

  /**
   * @param {number} type
   * @param {bigint} value
   */
  #wide(type, value) {
    const at = this.#room(9);
    this.#bytes[at] = type;
    this.#view.setBigUint64(at + 1, BigInt.asUintN(64, value));
  }

  /** @param {Uint8Array} bytes */
  #raw(bytes) {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** @param {number} size */
  #room(size) {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

/** @param {object} value */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
