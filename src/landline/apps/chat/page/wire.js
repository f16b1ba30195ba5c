/**
 * What travels between the page and the chat server: one map each, told apart by its `t`, with the fields that `wire.py` names.
 *
 * The library's msgpack turns it into bytes and back; a number of 63 bits may come back as a number or as a BigInt, so numbers of lines
 * are compared as text.
 */

const ROOMS = "room.";
const LONGEST_TOKEN = 200; // bytes

/**
 * The topic that keeps a room's lines: one token, whatever the room's name.
 *
 * @param {string} room
 * @param {(bytes: Uint8Array) => Uint8Array} sha256 the library's, for very long names: the browser's own answers later, and a line must be in the outbox at once
 */
export function topicOf(room, sha256) {
  const token = room.replaceAll(".", "%"); // no name has a % or a =
  const encoder = new TextEncoder();
  const isLong = encoder.encode(token).length > LONGEST_TOKEN;
  return ROOMS + (isLong ? "=" + hexOf(sha256(encoder.encode(room))) : token);
}

/**
 * A line as its room's topic keeps it; null for what is none.
 *
 * @param {any} kept decoded
 * @param {number} offset
 * @returns {import("./rooms.js").Line | null}
 */
export function lineOf(kept, offset) {
  if (!isMap(kept) || typeof kept.name !== "string" || typeof kept.text !== "string") return null;
  return { offset, at: Number(kept.at) || 0, name: kept.name, text: kept.text, id: kept.id ?? 0 };
}

/** Whether it is a map with text as its keys. @param {unknown} value @returns {value is Record<string, any>} */
export function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A line that this page, or a life of it before, published; null for what is none. @param {any} say decoded */
export function sayOf(say) {
  return isMap(say) && say.t === "say" && typeof say.text === "string" && typeof say.room === "string" ? say : null;
}

/** 63 random bits, and not 0. @returns {bigint} */
export function draw63() {
  const [bits] = crypto.getRandomValues(new BigUint64Array(1));
  return BigInt.asUintN(63, bits) || 1n;
}

/** @param {Uint8Array} bytes */
function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
