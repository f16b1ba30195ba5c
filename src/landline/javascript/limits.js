/**
 * Every limit of the library, as one table: what a program may set, and the numbers that are fixed. Nothing is unlimited.
 * Sizes are bytes, times seconds. The names are those of docs/protocol.md, in the spelling of this language.
 */

const LONGEST = 31 * 86_400; // seconds: that any time may be, ours or one that a peer tells us
const MOST = 2 ** 31 - 1;

/** What `connect(…, { limits })` may set. */
export const DEFAULTS = Object.freeze({
  /** One message; larger things are streams or files. */
  maxMessage: 1 << 20,
  /** Received and not yet taken by the program; a frame counts 64 bytes more than its payload. */
  window: 576 << 10,
  /** What the windows of all flows may add up to; each has 4 KiB at the least. */
  credit: 2 << 20,
  /** Flows that the peer may have open at once, besides the messages. */
  maxFlows: 64,
  /** Of one flow besides the messages, waiting for the peer's credit. */
  flowOutbox: 64 << 10,
  /** Sent and not yet received by the peer; then `send` waits and `sendNow` throws `Full`. */
  outboxBytes: 4 << 20,
  /** The same in messages. */
  outboxMessages: 4096,
  /** Seconds for a dial, all addresses together. */
  connectTimeout: 10,
  /** Seconds from a frame's first byte to its last, and then 1 KiB a second more. */
  frameTimeout: 30,
  /** Seconds that bytes wait to be written and none leaves. */
  writeTimeout: 10,
  /** Seconds for an orderly close, delivery of what was sent included. */
  closeTimeout: 5,
  /** Seconds that both ends wait for each other's credit before it is reported. */
  stalledAfter: 5,
  /** Seconds that an ack waits for company. */
  ackDelay: 0.25,
  /** Seconds: the first pause between dials is drawn from 0 to this. */
  redialMin: 0.2,
  /** Seconds: the pause doubles up to this. */
  redialMax: 20,
  /** Seconds: a line that held this long starts the pauses anew. */
  redialReset: 60,
});

/** @typedef {{ -readonly [name in keyof typeof DEFAULTS]: number }} Limits */

const TIMES = new Set([
  "connectTimeout", "frameTimeout", "writeTimeout", "closeTimeout", "stalledAfter", "ackDelay", "redialMin", "redialMax",
  "redialReset",
]);

/** What is fixed. */
export const FIXED = Object.freeze({
  longest: LONGEST,
  /** Bytes of a frame that carries no data. */
  control: 4096,
  /** Characters of a reason, of a purpose, of an address that a server names. */
  reason: 500,
  purpose: 255,
  redirect: 500,
  /** Frames of ours that open, end and reset flows and that the peer has not acked; then it may open no more. */
  flowFrames: 4096,
  /** Publishes or durable sends of one outbox that wait for an answer; then who adds to it waits. */
  publishes: 1024,
  /** Outboxes that one session may publish or send from. */
  outboxes: 8,
  /** Bytes that a publication needs in its message besides its data. */
  publishOverhead: 512,
  /** Bytes about that one write holds. */
  write: 256 << 10,
  /** Bytes of a flow that fills itself from an outbox, waiting to be written. */
  pending: 16 << 10,
  /** Seconds: the shortest heartbeat that a peer may ask for. */
  beat: 0.05,
  /** Bytes of credentials. */
  credentials: 3072,
  /** Changes of state that one watcher has not looked at; the oldest go. */
  changes: 64,
  /** Seconds that a close with nothing to deliver waits for a line that is down. */
  farewell: 1,
  /** Seconds between the first dials to a server that says that it comes back. */
  firstPause: 1,
  /** Levels of lists and maps, one within the other: that can be sent, and that can be read. */
  depth: 500,
  readDepth: 2000,
  /** Bytes, tokens and wildcards of a topic or pattern. */
  topic: 255,
  tokens: 16,
  wildcards: 2,
});

/**
 * The limits of one session.
 *
 * @param {Partial<Limits>} [chosen] what is not the default
 * @returns {Readonly<Limits>}
 * @throws {RangeError} a name is none, a time is not above 0 and at most 31 days, or a count is no whole number from 1 on
 */
export function limitsFrom(chosen = {}) {
  for (const [name, value] of Object.entries(chosen)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new RangeError(`there is no limit ${name}`);
    const fits = TIMES.has(name)
      ? typeof value === "number" && value > 0 && value <= LONGEST
      : Number.isInteger(value) && value >= 1 && value <= MOST;
    if (!fits) throw new RangeError(`the limit ${name} cannot be ${value}`);
  }
  return Object.freeze({ ...DEFAULTS, ...chosen });
}
