/**
 * What is published and sent durably, as it is stored: the type of the frame that would carry the value, so that text arrives as text, then its
 * payload.
 */

import { decodeData, encodeData } from "./codec.js";
import { joined } from "./frames.js";
import { FIXED } from "./limits.js";

/**
 * @param {unknown} value
 * @param {number} maxMessage bytes
 * @returns {Uint8Array}
 * @throws {import("./errors.js").DataError} it cannot be sent, or is too large for a message together with what goes with it
 */
export function encodeStored(value, maxMessage) {
  const { type, payload } = encodeData(value, maxMessage - FIXED.publishOverhead);
  return joined([Uint8Array.of(type), payload]);
}

/**
 * @param {Uint8Array} data
 * @returns {any}
 * @throws {import("./errors.js").ProtocolError} it is not what its type says
 */
export function decodeStored(data) {
  return data.length ? decodeData(/** @type {number} */ (data[0]), data.subarray(1))() : data;
}
