/**
 * Every error that the library throws, as one tree:
 *
 *     LandlineError
 *     ├── AddressError         an address that cannot be read
 *     ├── DataError            a value that cannot be sent
 *     ├── TopicError           a topic or pattern that breaks the rules for names
 *     ├── ConnectError         the first dial failed
 *     │   ├── ConnectTimeout   … nobody answered in time
 *     │   └── Refused          … the server answered, and said no
 *     ├── SessionEnded         the session is over
 *     │   ├── SessionClosed    … by agreement: nothing is missing
 *     │   └── SessionLost      … and says what is missing
 *     ├── SessionInterrupted   it goes on with another life of the server; says what is missing
 *     ├── FlowEnded            no more comes in a flow
 *     │   └── FlowReset        … because one end abandoned it
 *     ├── Full                 there is no room just now
 *     ├── NotAllowed           the server's rules are against it
 *     ├── PublishFailed        what was published is certainly not stored
 *     ├── PublishUnknown       … or may be, and nobody can tell
 *     └── ProtocolError        the peer broke a rule of the wire
 *
 * The class says what happened, fields hold the facts, the message is the sentence.
 */

/** The root of every error that the library throws. */
export class LandlineError extends Error {
  /**
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An address that cannot be read; the message says what is wrong. */
export class AddressError extends LandlineError {}

/** A value that cannot be sent: nothing that msgpack holds, text that is not Unicode, or larger than the limit. */
export class DataError extends LandlineError {}

/** A topic or pattern that breaks the rules for names; the message says which. */
export class TopicError extends LandlineError {}

/** The server's rules are against it, for this client. */
export class NotAllowed extends LandlineError {}

/** The bounded outbox has no room just now; `session.send` waits instead. */
export class Full extends LandlineError {}

/** The first dial failed; only an established session redials by itself. */
export class ConnectError extends LandlineError {
  /**
   * @param {string} address the address that was dialled
   * @param {string} reason why it failed, as a clause
   * @param {ErrorOptions & { message?: string }} [options]
   */
  constructor(address, reason, options = {}) {
    super(options.message ?? `cannot connect to ${address}: ${reason}`, options);
    this.address = address;
    this.reason = reason;
  }
}

/** Nobody answered within `connectTimeout` seconds. */
export class ConnectTimeout extends ConnectError {}

/** The server answered and refused; `code` is its close code by name, for example `unauthorized`. */
export class Refused extends ConnectError {
  /**
   * @param {string} address
   * @param {string} reason
   * @param {string} code
   */
  constructor(address, reason, code) {
    super(address, reason, { message: `${address} refused: ${reason || code}` });
    this.code = code;
  }
}

/** The session is over; the two subclasses say how. */
export class SessionEnded extends LandlineError {}

/** The session ended by agreement: everything sent before the close was delivered. */
export class SessionClosed extends SessionEnded {
  /** @param {string} [reason] what the end that closed said */
  constructor(reason = "") {
    super("the session was closed" + (reason && `: ${reason}`));
    this.reason = reason;
  }
}

/** The session cannot go on, and something may be missing. */
export class SessionLost extends SessionEnded {
  /**
   * @param {string} reason why, as a clause
   * @param {number} received how many of our messages may have reached the peer; those after them certainly did not
   * @param {number} unacked how many of our messages have no ack; each receipt says `failed` or `unknown`
   */
  constructor(reason, received = 0, unacked = 0) {
    super(`the session was lost (${reason}); ${unackedClause(unacked)}`);
    this.reason = reason;
    this.received = received;
    this.unacked = unacked;
  }
}

/**
 * The session goes on, and yet something may be missing: another life of the server has taken it up. What the last one had sent and
 * we had not received did not come; the program there begins anew. Thrown once, by `receive`.
 */
export class SessionInterrupted extends LandlineError {
  /**
   * @param {string} reason why, as a clause
   * @param {number} unacked how many of our messages have no ack; each receipt says `failed` or `unknown`
   */
  constructor(reason, unacked = 0) {
    super(`the session was interrupted (${reason}) and goes on: receive again; what the server had sent before may be missing, and ${unackedClause(unacked)}`);
    this.reason = reason;
    this.unacked = unacked;
  }
}

/** No more comes in a flow, or may be sent in it: its end was reached, and nothing is missing. Its session goes on. */
export class FlowEnded extends LandlineError {}

/** One end abandoned the flow; what waited in it was dropped. Its session goes on. */
export class FlowReset extends FlowEnded {
  /**
   * @param {string} reason why, as a clause
   * @param {string} code why, for programs, for example `unwanted`
   */
  constructor(reason, code) {
    super(`the flow was reset: ${reason || code}`);
    this.reason = reason;
    this.code = code;
  }
}

/** What was published is certainly not stored, and nobody was told of it. */
export class PublishFailed extends LandlineError {
  /** @param {string} reason why, as a clause */
  constructor(reason) {
    super(`it was not published: ${reason}`);
    this.reason = reason;
  }
}

/** What was published may be stored, and nobody can tell any more. */
export class PublishUnknown extends LandlineError {
  /**
   * @param {string} reason why, as a clause
   * @param {boolean} isKept only not yet: it is in the storage of `connect`, and goes out later
   */
  constructor(reason, isKept = false) {
    super(`it may have been published, or not: ${reason}`);
    this.reason = reason;
    this.isKept = isKept;
  }
}

/** A file did not come through. */
export class TransferError extends LandlineError {
  /** @param {string} reason why, as a clause */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** The receiver does not want it, or has no room for it. */
export class TransferRefused extends TransferError {}

/** What arrived is not what was sent, by its SHA-256. */
export class TransferDamaged extends TransferError {}

/** The peer broke a rule of the wire; its connection ends with `code`. */
export class ProtocolError extends LandlineError {
  /**
   * @param {string} reason why, as a clause
   * @param {number} code a close code; by default that of a protocol error
   */
  constructor(reason, code = 5) {
    super(reason);
    this.reason = reason;
    this.code = code;
  }
}

/** @param {number} unacked */
function unackedClause(unacked) {
  return `${unacked} of our messages ${unacked === 1 ? "was" : "were"} not acknowledged`;
}
