/**
 * Values out of MessagePack; what becomes which value stands in msgpack.js.
 */

import { FIXED } from "./limits.js";
import { Extension, FIRST_SECOND, LAST_SECOND, TIME, decodeText, holdsMap } from "./msgpack.js";

const distinct = new TextDecoder("latin1"); // a character for each byte

/**
 * Returns the one value that the bytes are.
 *
 * @param {Uint8Array} bytes
 * @returns {any}
 * @throws {TypeError | RangeError} they are not msgpack, end early, go on behind the value, or are nested too deep
 */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw new RangeError("something stands behind the value");
  return value;
}

class Reader {
  at = 0;
  #bytes;
  #view;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /**
   * @param {number} depth
   * @returns {any}
   */
  value(depth) {
    const type = this.#uint(1);
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 15, depth);
    if (type < 0xa0) return this.#list(type & 15, depth);
    if (type < 0xc0) return this.#text(type & 31);
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.#take(this.#uint(1 << (type - 0xc4))).slice();
      case 0xc7: case 0xc8: case 0xc9: return this.#extension(this.#uint(1 << (type - 0xc7)));
      case 0xca: return this.#view.getFloat32(this.#skip(4));
      case 0xcb: return this.#view.getFloat64(this.#skip(8));
      case 0xcc: case 0xcd: case 0xce: return this.#uint(1 << (type - 0xcc));
      case 0xcf: return narrowed(this.#view.getBigUint64(this.#skip(8)));
      case 0xd0: return this.#view.getInt8(this.#skip(1));
      case 0xd1: return this.#view.getInt16(this.#skip(2));
      case 0xd2: return this.#view.getInt32(this.#skip(4));
      case 0xd3: return narrowed(this.#view.getBigInt64(this.#skip(8)));
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return this.#extension(1 << (type - 0xd4));
      case 0xd9: case 0xda: case 0xdb: return this.#text(this.#uint(1 << (type - 0xd9)));
      case 0xdc: case 0xdd: return this.#list(this.#uint(2 << (type - 0xdc)), depth);
      case 0xde: case 0xdf: return this.#map(this.#uint(2 << (type - 0xde)), depth);
      default: throw new TypeError(`0x${type.toString(16)} begins no value`);
    }
  }

  /**
   * @param {number} length
   * @param {number} depth
   */
  #list(length, depth) {
    this.#enter(depth);
    const items = []; // grows with what is there, not by what is declared
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  /**
   * @param {number} length
   * @param {number} depth
   */
  #map(length, depth) {
    this.#enter(depth);
    const map = new Map();
    /** @type {Map<string, unknown> | undefined} */
    let written; // keys that are objects, by their bytes: of equal ones the last counts
    let isPlainMap = true;
    for (let i = 0; i < length; i++) {
      const start = this.at;
      let key = this.value(depth + 1);
      if (typeof key !== "string") {
        isPlainMap = false;
        if (typeof key === "object" && key !== null) {
          if (holdsMap(key)) throw new TypeError("a key that holds a map");
          written ??= new Map();
          const bytes = distinct.decode(this.#bytes.subarray(start, this.at));
          if (!written.has(bytes)) written.set(bytes, key);
          key = written.get(bytes);
        }
      }
      map.set(key, this.value(depth + 1));
    }
    return isPlainMap ? plain(map) : map;
  }

  /** @param {number} size */
  #text(size) {
    return decodeText(this.#take(size));
  }

  /** @param {number} size */
  #extension(size) {
    const type = this.#view.getInt8(this.#skip(1));
    const data = this.#take(size);
    return type === TIME ? time(data) : new Extension(type, data.slice());
  }

  /** @param {number} depth */
  #enter(depth) {
    if (depth >= FIXED.readDepth) throw new RangeError("it is nested too deep");
  }

  /** @param {number} size */
  #uint(size) {
    const at = this.#skip(size);
    return size === 1 ? this.#view.getUint8(at) : size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** @param {number} size */
  #take(size) {
    const at = this.#skip(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** @param {number} size */
  #skip(size) {
    const at = this.at;
    this.at += size;
    if (this.at > this.#bytes.length) throw new RangeError("it ends early");
    return at;
  }
}

/** @param {Uint8Array} data */
function time(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let seconds;
  let nanoseconds = 0;
  if (data.length === 4) seconds = view.getUint32(0);
  else if (data.length === 8) {
    const both = view.getBigUint64(0);
    nanoseconds = Number(both >> 34n);
    seconds = Number(both & 0x3_ffff_ffffn);
  } else if (data.length === 12) {
    nanoseconds = view.getUint32(0);
    seconds = Number(view.getBigInt64(4));
  } else throw new TypeError("a timestamp of the wrong size");
  if (nanoseconds > 999_999_999 || seconds < FIRST_SECOND || seconds > LAST_SECOND) throw new RangeError("a timestamp out of range");
  return new Date(seconds * 1000 + Math.round(nanoseconds / 1_000_000));
}

/** @param {bigint} value */
function narrowed(value) {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** @param {Map<any, unknown>} map */
function plain(map) {
  /** @type {Record<string, unknown>} */
  const object = {};
  for (const [key, value] of map) {
    // As data, whatever its name: an assignment to __proto__ would be none.
    if (key === "__proto__") Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
    else object[key] = value;
  }
  return object;
}
