/**
 * Persistent sessions with a landline server, for browsers and Node: every public name. docs/howto/javascript.md shows how they are used.
 */

export { browserStorage } from "./browserstorage.js";
export { connect } from "./client.js";
export {
  AddressError, ConnectError, ConnectTimeout, DataError, FlowEnded, FlowReset, Full, LandlineError, NotAllowed, ProtocolError, PublishFailed,
  PublishUnknown, Refused, SessionClosed, SessionEnded, SessionInterrupted, SessionLost, TopicError, TransferDamaged, TransferError, TransferRefused,
} from "./errors.js";
export { Arrival, FileOffer, Offers } from "./files.js";
export { Receipt } from "./flowend.js";
export { Extension } from "./msgpack.js";
export { Session } from "./session.js";
export { Gap, Position, Publication, Subscription } from "./topics.js";
