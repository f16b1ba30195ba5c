/**
 * What stands in the frames that carry a map: the first ones, the last, and those that open and reset flows. The fields are a table, as in
 * docs/protocol.md; what arrives is checked against it. Keys that are not known are ignored, a later version may add some.
 */

import { ProtocolError } from "./errors.js";
import { CloseCode, ResetCode, Type, encodeFrame } from "./frames.js";
import { FIXED } from "./limits.js";
import { encode } from "./pack.js";
import { decode } from "./unpack.js";

const MOST = 2n ** 63n;

/** @typedef {(value: any) => any} Check returns the value as the program has it, or undefined where it is none */

/** @type {(size: number) => Check} */
const bytes = (size) => (value) => (value instanceof Uint8Array && value.length === size ? value : undefined);

/** @type {(least: number) => Check} */
const whole = (least) => (value) => {
  const isWhole = typeof value === "bigint" || Number.isInteger(value);
  return isWhole && value >= least && value < MOST ? Number(value) : undefined; // rounded beyond 2^53: such counts are only compared
};

/** @type {(longest: number) => Check} */
const text = (longest) => (value) =>
  typeof value === "string" && (value.length <= longest || [...value].length <= longest) ? value : undefined;

/** @type {Check} */
const seconds = (value) => (typeof value === "number" && value >= 0 && value <= FIXED.longest ? value : undefined);

/** @type {Check} */
const truth = (value) => (typeof value === "boolean" ? value : undefined);

/** @type {(codes: Readonly<Record<string, number>>) => Check} */
const code = (codes) => (value) => (Object.values(codes).includes(value) ? value : undefined);

const count = whole(0);
const reason = text(FIXED.reason);
const back = { retry_in: seconds, redirect: text(FIXED.redirect) };

/**
 * The fields of what may arrive at a client: those that must be there, and those that may.
 *
 * @type {Record<number, { name: string, required: Record<string, Check>, optional: Record<string, Check> }>}
 */
const FIELDS = {
  [Type.WELCOME]: {
    name: "WELCOME",
    required: {
      session: bytes(16), token: bytes(32), life: bytes(16), received: count, resumed: truth, window: count, max_message: count,
      heartbeat: seconds, dead_after: seconds, resume_window: seconds,
    },
    optional: { max_flows: count, expires_in: seconds },
  },
  [Type.REFUSE]: {
    name: "REFUSE",
    required: { code: code(CloseCode) },
    optional: { reason, attempt: count, received: count, handled: count, ...back },
  },
  [Type.CLOSE]: { name: "CLOSE", required: { code: code(CloseCode) }, optional: { reason, ...back } },
  [Type.OPEN]: { name: "OPEN", required: { purpose: text(FIXED.purpose), window: count }, optional: {} },
  [Type.RESET]: { name: "RESET", required: { code: code(ResetCode), handled: count, taken: count }, optional: { reason } },
};

/**
 * @typedef {object} Welcome WELCOME: the session is on this line now.
 * @property {Uint8Array} session
 * @property {Uint8Array} token
 * @property {Uint8Array} life
 * @property {number} received
 * @property {boolean} resumed
 * @property {number} window
 * @property {number} max_message
 * @property {number} heartbeat
 * @property {number} dead_after
 * @property {number} resume_window
 * @property {number} [max_flows]
 * @property {number} [expires_in] the credentials are good for so many seconds from now on
 */

/**
 * @typedef {object} Refusal REFUSE: no, and why.
 * @property {number} code
 * @property {string} [reason]
 * @property {number} [attempt]
 * @property {number} [received]
 * @property {number} [handled]
 * @property {number} [retry_in]
 * @property {string} [redirect]
 */

/** @typedef {{ code: number, reason?: string, retry_in?: number, redirect?: string }} Close */
/** @typedef {{ purpose: string, window: number }} Open */
/** @typedef {{ code: number, handled: number, taken: number, reason?: string }} Reset */
/** @typedef {{ life: Uint8Array, window: number, max_message: number, max_flows: number, credentials?: unknown }} Hello */
/**
 * @typedef {{ session: Uint8Array, token: Uint8Array, attempt: number, life: Uint8Array, received: number, credentials?: unknown }} Resume
 */

/**
 * The whole frame that carries these fields; those that are undefined are left out.
 *
 * @param {number} type
 * @param {object} fields
 * @param {number} [number] the flow that it is about
 */
export function encodeFields(type, fields, number = 0) {
  return encodeFrame(type, number, encode(fields));
}

/**
 * What a frame of this type says.
 *
 * @param {number} type
 * @param {Uint8Array} payload
 * @returns {any}
 * @throws {ProtocolError} it is not msgpack, or a field is missing, of another type, or out of its range
 */
export function decodeFields(type, payload) {
  const { name, required, optional } = /** @type {typeof FIELDS[number]} */ (FIELDS[type]);
  let map;
  try {
    map = decode(payload);
  } catch (error) {
    throw new ProtocolError(`a ${name} that cannot be read: ${/** @type {Error} */ (error).message}`);
  }
  if (map instanceof Map) map = Object.fromEntries([...map].filter(([key]) => typeof key === "string"));
  if (Object.getPrototypeOf(map ?? 0) !== Object.prototype) throw new ProtocolError(`a ${name} that is no map`);
  /** @type {Record<string, unknown>} */
  const fields = {};
  for (const [field, check] of Object.entries({ ...required, ...optional })) {
    if (!Object.hasOwn(map, field) || (map[field] === null && field in optional)) {
      if (field in required) throw new ProtocolError(`a ${name} without its ${field}`);
      continue;
    }
    fields[field] = check(map[field]);
    if (fields[field] === undefined) throw new ProtocolError(`a ${name} whose ${field} cannot be`);
  }
  return fields;
}

/**
 * A program's words as a frame can carry them: cut at the limit, and what is not Unicode replaced.
 *
 * @param {string} words
 */
export function cleanReason(words) {
  const cut = [...words.slice(0, 2 * FIXED.reason)].slice(0, FIXED.reason).join("");
  return cut.replace(/\p{Surrogate}/gu, "?") || undefined;
}
