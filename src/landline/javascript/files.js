/**
 * Files over a session, each in a flow of its own: what is said in it is in protocol/files.py. What is received is kept in memory, as a Blob, in an
 * `Arrival`, which outlives sessions: offered again, the same file goes on where it stopped. Folders are not taken.
 */

import { FlowEnded, FlowReset, LandlineError, ProtocolError, SessionClosed, TransferDamaged, TransferError, TransferRefused } from "./errors.js";
import { isRenewed } from "./flowend.js";
import { ResetCode, wordsOf } from "./frames.js";
import { Sha256 } from "./sha256.js";
import { Bell, within } from "./waiting.js";

const FILE_PURPOSE = "landline.file";
const CHUNK = 64 << 10; // bytes in a frame
const READ = 1 << 20; // bytes that are read at a time
const CONFIRM = 5; // seconds that an end waits for the other to be through
const NAME = 1024; // characters
const NOBODY = "nobody here takes files";

const [OFFER, PROOF, ENTRY, DIGEST, ACCEPT, GO, DONE] = [0, 1, 2, 3, 4, 5, 6];

/** @typedef {(done: number, size: number) => void} Watch */
/** @typedef {import("./flowend.js").FlowEnd} FlowEnd */
/** @typedef {import("./bare.js").Bare} Bare */

/**
 * Sends one file, over another flow where a new life of the server goes on with the session.
 *
 * @param {Bare} bare
 * @param {Blob & { name?: string, lastModified?: number }} file
 * @param {string} name
 * @param {Watch} progress
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ name: string, size: number, resumed: number }>}
 */
export async function sendFile(bare, file, name, progress, signal) {
  for (;;) {
    signal?.throwIfAborted();
    const end = bare.openFlow(FILE_PURPOSE);
    const stop = () => end.reset(ResetCode.CANCELLED, "the sender gave up");
    signal?.addEventListener("abort", stop);
    try {
      return await new Sending(bare, end, file, name, progress).run();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ProtocolError) end.reset(ResetCode.BAD_DATA, error.reason);
      if (!(error instanceof FlowEnded)) throw error;
      if (!isRenewed(error)) throw whyOf(error, "the receiver ended the transfer before everything was there");
    } finally {
      signal?.removeEventListener("abort", stop);
      if (!end.flow.isOver) stop();
    }
  }
}

class Sending {
  #bare;
  #end;
  #file;
  #name;
  #progress;
  #hash = new Sha256();

  /**
   * @param {Bare} bare
   * @param {FlowEnd} end
   * @param {Blob & { name?: string, lastModified?: number }} file
   * @param {string} name
   * @param {Watch} progress
   */
  constructor(bare, end, file, name, progress) {
    this.#bare = bare;
    this.#end = end;
    this.#file = file;
    this.#name = name.slice(-NAME);
    this.#progress = progress;
  }

  async run() {
    const { size } = this.#file;
    await this.#say([OFFER, idOf(this.#file), this.#name, size, 1, false]);
    const first = await this.#hear(ACCEPT, DONE);
    if (first[0] === DONE) return this.#over(first, size); // an earlier one came through, and we did not hear of it
    let offset = first[1] ? size : first[2];
    if (!first[1]) {
      if (offset) offset = await this.#prove(offset);
      await this.#send(offset);
    }
    return this.#over(await this.#hear(DONE), offset);
  }

  /** @param {any[]} done @param {number} resumed */
  async #over(done, resumed) {
    this.#end.end();
    // The flow is not over before the receiver's end of it is read.
    await within(CONFIRM, this.#end.receive().then(() => {}, () => {}));
    return { name: String(done[1]), size: this.#file.size, resumed };
  }

  /** Say what the beginning must be of a file that is partly there; resolves to where to go on. @param {number} offset */
  async #prove(offset) {
    const isThere = offset <= this.#file.size;
    if (isThere) for await (const piece of this.#pieces(0, offset)) this.#hash.update(piece);
    await this.#say([PROOF, isThere ? this.#hash.digest() : null]);
    const go = (await this.#hear(GO))[1];
    if (go !== 0 && go !== offset) throw new ProtocolError("a place to go on from that was not asked about");
    if (!go) this.#hash = new Sha256();
    return go;
  }

  /** @param {number} offset */
  async #send(offset) {
    const { size, lastModified = 0 } = this.#file;
    await this.#say([ENTRY, [this.#name], size, BigInt(Math.trunc(lastModified)) * 1_000_000n]);
    this.#progress(offset, size);
    const chunk = Math.min(CHUNK, this.#bare.core.maxMessage);
    for await (const piece of this.#pieces(offset, size)) {
      this.#hash.update(piece);
      for (let at = 0; at < piece.length; at += chunk) await this.#say(piece.subarray(at, at + chunk));
      offset += piece.length;
      this.#progress(offset, size);
    }
    await this.#say([DIGEST, this.#hash.digest()]);
  }

  /** @param {number} from @param {number} to @returns {AsyncGenerator<Uint8Array, void, void>} */
  async *#pieces(from, to) {
    for (; from < to; from += READ) {
      let read;
      try {
        read = new Uint8Array(await this.#file.slice(from, Math.min(from + READ, to)).arrayBuffer());
      } catch (error) {
        throw this.#gone(error);
      }
      if (read.length !== Math.min(READ, to - from)) throw this.#gone();
      yield read;
    }
  }

  /** @param {unknown} [cause] */
  #gone(cause) {
    const reason = "it cannot be read there any more";
    this.#end.reset(ResetCode.FAILED, reason);
    return Object.assign(new TransferError("the file cannot be read, or changed while it was sent"), { cause });
  }

  /** @param {unknown} what */
  #say(what) {
    return say(this.#bare, this.#end, what);
  }

  /** @param {...number} kinds */
  #hear(...kinds) {
    return hear(this.#end, kinds);
  }
}

/** What has come of a file; to be given to `accept` again when the same file is offered again. */
export class Arrival {
  /** @type {BlobPart[]} */
  #parts = [];
  #hash = new Sha256();

  /** Bytes that are here. */
  get size() {
    return this.#hash.size;
  }

  /** The SHA-256 of them. */
  digest() {
    return this.#hash.digest();
  }

  /** @param {Uint8Array} piece */
  add(piece) {
    this.#hash.update(piece);
    this.#parts.push(/** @type {any} */ (piece.slice()));
    // What is in a Blob, a browser keeps on the disk where it is much.
    if (this.#parts.length >= 64) this.#parts = [new Blob(this.#parts)];
  }

  /** Begin anew. */
  clear() {
    this.#parts = [];
    this.#hash = new Sha256();
  }

  /** All of it. */
  blob() {
    return new Blob(this.#parts);
  }
}

/** A file that the server would send. */
export class FileOffer {
  #bare;
  #end;
  isAnswered = false;

  /** @param {Bare} bare @param {FlowEnd} end @param {any[]} offer */
  constructor(bare, end, offer) {
    this.#bare = bare;
    this.#end = end;
    /** As the sender says it: whoever shows it makes it safe. */
    this.name = String(offer[2]);
    this.size = Number(offer[3]);
  }

  /**
   * Receives it; resolves when it is here, verified. Rejected, what came is in `arrival`.
   *
   * @param {{ arrival?: Arrival, progress?: Watch, signal?: AbortSignal }} [how] `arrival`: what came of it before
   * @returns {Promise<Blob>}
   * @throws {TransferDamaged} what arrived is not what was sent
   * @throws {TransferError} it did not come through
   * @throws {import("./errors.js").SessionEnded} the session is over
   */
  async accept({ arrival = new Arrival(), progress = () => {}, signal } = {}) {
    this.#answer();
    const end = this.#end;
    const stop = () => end.reset(ResetCode.CANCELLED, "the receiver gave up");
    signal?.addEventListener("abort", stop);
    try {
      signal?.throwIfAborted();
      await this.#receive(arrival, progress);
      return arrival.blob();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TransferDamaged) end.reset(ResetCode.BAD_DATA, error.reason);
      if (error instanceof ProtocolError) {
        end.reset(ResetCode.BAD_DATA, error.reason);
        throw new TransferError(`the sender broke a rule: ${error.reason}`);
      }
      if (error instanceof FlowEnded) throw whyOf(error, "the sender ended it before everything was there");
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      if (!end.flow.isOver) stop();
    }
  }

  /** Says no. @param {string} [reason] that the sender is told */
  refuse(reason = "the receiver does not want it") {
    this.#answer();
    this.#end.reset(ResetCode.UNWANTED, reason);
  }

  #answer() {
    if (this.isAnswered) throw new LandlineError("an offer is answered once");
    this.isAnswered = true;
  }

  /** @param {Arrival} arrival @param {Watch} progress */
  async #receive(arrival, progress) {
    const end = this.#end;
    if (arrival.size > this.size) arrival.clear();
    await say(this.#bare, end, [ACCEPT, 0, arrival.size]);
    if (arrival.size) {
      const [, theirs] = await hear(end, [PROOF]);
      if (!isSame(theirs, arrival.digest())) arrival.clear();
      await say(this.#bare, end, [GO, arrival.size]);
    }
    const entry = await hear(end, [ENTRY]);
    if (entry[2] !== this.size) throw new ProtocolError("a file of another size than was offered");
    progress(arrival.size, this.size);
    let said = await end.receive();
    for (; said instanceof Uint8Array; said = await end.receive()) {
      if (arrival.size + said.length > this.size) throw new ProtocolError("more data than the file has");
      arrival.add(said);
      progress(arrival.size, this.size);
    }
    const [, digest] = read(said, [DIGEST]);
    if (arrival.size !== this.size) throw new ProtocolError(`a file of ${this.size} bytes that ends after ${arrival.size}`);
    if (!isSame(digest, arrival.digest())) {
      arrival.clear();
      throw new TransferDamaged("what arrived is not what was sent");
    }
    await say(this.#bare, end, [DONE, this.name]);
    await within(CONFIRM, end.receive().then(() => {}, () => {}));
    end.end();
  }
}

/** What is offered, as it comes: an asynchronous iterator of `FileOffer`. */
export class Offers {
  #bare;
  /** @type {FileOffer[]} */
  #waiting = [];
  #news = new Bell();
  #isClosed = false;
  #before;

  /** @param {Bare} bare */
  constructor(bare) {
    this.#bare = bare;
    this.#before = bare.serves;
    bare.serves = (end) => {
      if (end.flow.purpose !== FILE_PURPOSE || this.#isClosed) return this.#before(end);
      void this.#take(end);
      return true;
    };
  }

  /** @returns {this} */
  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<FileOffer, undefined>>} */
  async next() {
    for (;;) {
      const offer = this.#waiting.shift();
      if (offer) return { done: false, value: offer };
      const { ended } = this.#bare;
      if (this.#isClosed || ended instanceof SessionClosed) return { done: true, value: undefined };
      if (ended) throw ended;
      await Promise.race([this.#news.heard(), this.#bare.over.heard()]);
    }
  }

  /** Takes no more; what waits to be given is refused. What was given may be answered all the same. */
  async return() {
    this.#isClosed = true;
    for (const offer of this.#waiting.splice(0)) offer.refuse(NOBODY);
    this.#news.ring();
    return { done: /** @type {true} */ (true), value: undefined };
  }

  /** @param {FlowEnd} end */
  async #take(end) {
    try {
      const offer = await hear(end, [OFFER]);
      if (offer[5] || offer[4] !== 1) end.reset(ResetCode.UNWANTED, "folders are not taken here");
      else if (!Number.isSafeInteger(offer[3]) || offer[3] < 0) throw new ProtocolError("a size that is none");
      else if (this.#isClosed) end.reset(ResetCode.UNWANTED, NOBODY);
      else this.#waiting.push(new FileOffer(this.#bare, end, offer));
      this.#news.ring();
    } catch (error) {
      if (error instanceof ProtocolError) end.reset(ResetCode.BAD_DATA, error.reason);
    }
  }
}

// What both ends say...

/** @param {Bare} bare @param {FlowEnd} end @param {unknown} what */
async function say(bare, end, what) {
  while (!end.hasRoom && !bare.whyUnwritable && !end.whyUnwritable) {
    bare.core.ask(end.flow);
    await bare.room.heard();
  }
  const error = bare.whyUnwritable ?? end.whyUnwritable;
  if (error) throw error;
  end.put(what);
}

/** @param {FlowEnd} end @param {number[]} kinds */
async function hear(end, kinds) {
  return read(await end.receive(), kinds);
}

const LENGTHS = [6, 2, 4, 2, 3, 2, 2];

/** @param {unknown} said @param {number[]} kinds @returns {any[]} */
function read(said, kinds) {
  if (!Array.isArray(said) || !kinds.includes(said[0]) || said.length !== LENGTHS[said[0]]) {
    throw new ProtocolError("something about a file that is not to be said here");
  }
  return said;
}

/** @param {FlowEnded} error @param {string} otherwise */
function whyOf(error, otherwise) {
  if (!(error instanceof FlowReset)) return new TransferError(otherwise);
  if (error.code === wordsOf(ResetCode, ResetCode.UNWANTED)) return new TransferRefused(error.reason);
  if (error.code === wordsOf(ResetCode, ResetCode.BAD_DATA)) return new TransferDamaged(error.reason);
  return new TransferError(error.reason || error.code);
}

/** The same for the same, unchanged file. @param {Blob & { name?: string, lastModified?: number }} file */
function idOf({ name = "", size, type, lastModified = 0 }) {
  const said = JSON.stringify(["landline file of a page", name, size, type, lastModified]);
  return new Sha256().update(new TextEncoder().encode(said)).digest().slice(0, 16);
}

/** @param {unknown} one @param {Uint8Array} other */
function isSame(one, other) {
  return one instanceof Uint8Array && one.length === other.length && one.every((byte, index) => byte === other[index]);
}
