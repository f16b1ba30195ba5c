/**
 * The session that programs hold: messages both ways, receipts, topics, states; it outlives its connections.
 */

import { SessionClosed } from "./errors.js";
import { Offers, sendFile } from "./files.js";
import { Messages } from "./messages.js";
import { Subscription } from "./topics.js";
import { within } from "./waiting.js";

/** @typedef {import("./flowend.js").Receipt} Receipt */

/**
 * One end of a persistent session.
 *
 * Messages are text, bytes (`Uint8Array`) or anything that msgpack can hold; each arrives once and in order, across any number of dropped
 * lines, for as long as both ends hold the session. What could not be saved is told, never hidden.
 */
export class Session {
  #bare;
  #messages;
  #publishing;
  #durable;
  #line;

  /**
   * Made by `connect`.
   *
   * @param {import("./bare.js").Bare} bare
   * @param {import("./topics.js").Publishing} publishing
   * @param {import("./durable.js").DurableSends} durable
   * @param {{ drop: (seconds: number) => void, probe: () => void, refresh: () => Promise<void> }} line
   */
  constructor(bare, publishing, durable, line) {
    this.#bare = bare;
    this.#messages = new Messages(bare);
    this.#publishing = publishing;
    this.#durable = durable;
    this.#line = line;
  }

  // Sending...

  /**
   * Queues a message; its receipt tells what becomes of it. Waits while the outbox is full, also while the line is down.
   *
   * A `durable` one goes on in another life of the server, where that has storage: it is acked when the server's program has handled it and
   * that is stored. With a storage of ours it goes on in another life of this program, too; it is there when this resolves. Durable ones
   * keep their order among themselves, not with the others.
   *
   * @param {unknown} value text, bytes, or anything that msgpack holds
   * @param {{ durable?: boolean }} [how]
   * @returns {Promise<Receipt>}
   * @throws {import("./errors.js").DataError} the value cannot be sent
   * @throws {import("./errors.js").SessionEnded} the session is over
   */
  async send(value, { durable = false } = {}) {
    return durable ? this.#durable.send(value) : this.#messages.send(value);
  }

  /**
   * Queues a message without waiting.
   *
   * @param {unknown} value
   * @returns {Receipt}
   * @throws {import("./errors.js").Full} the outbox has no room
   * @throws {import("./errors.js").DataError | import("./errors.js").SessionEnded} as for `send`
   */
  sendNow(value) {
    return this.#messages.sendNow(value);
  }

  /**
   * Waits until the server's program has handled everything sent so far, durable sends included.
   *
   * @throws {import("./errors.js").SessionEnded | import("./errors.js").SessionInterrupted} it ended before that was known
   */
  async flush() {
    await this.#messages.flush();
    await this.#durable.outgoing.flush();
  }

  // Receiving...

  /**
   * The next message. Asking for it acks the one before; `ack` does so earlier.
   *
   * @returns {Promise<any>}
   * @throws {SessionClosed} it was closed, and everything that came before was returned
   * @throws {import("./errors.js").SessionLost} it was lost, and everything that arrived was returned
   * @throws {import("./errors.js").SessionInterrupted} once, when another life of the server goes on with it
   */
  receive() {
    return this.#messages.receive();
  }

  /**
   * The messages until the session is closed; a lost one throws `SessionLost`. Leaving the loop leaves the session as it is.
   *
   * @returns {AsyncIterableIterator<any>}
   */
  [Symbol.asyncIterator]() {
    /** @type {AsyncIterableIterator<any>} */
    const messages = {
      next: async () => {
        try {
          return { done: false, value: await this.receive() };
        } catch (error) {
          if (error instanceof SessionClosed) return { done: true, value: undefined };
          throw error;
        }
      },
      [Symbol.asyncIterator]: () => messages,
    };
    return messages;
  }

  /** Says that everything received so far is handled. */
  ack() {
    this.#messages.ack();
  }

  // Topics of the server...

  /**
   * Publishes to a topic of the server, once, whatever happens to the line meanwhile and to a server that keeps its topics.
   *
   * @param {string} topic for example `prices.acme`
   * @param {unknown} data as for `send`, and 512 bytes smaller
   * @param {{ onKept?: () => void }} [how] `onKept` is called when it is in the storage of `connect`: it goes out even if this program dies
   * @returns {Promise<import("./topics.js").Position>} where it is, once it is stored
   * @throws {import("./errors.js").TopicError | import("./errors.js").DataError} it cannot be published
   * @throws {import("./errors.js").PublishFailed} it is not published; the message says why
   * @throws {import("./errors.js").PublishUnknown} it may be: the session ended, or the server lost what it knew
   */
  publish(topic, data, { onKept } = {}) {
    return this.#publishing.publish(topic, data, onKept);
  }

  /**
   * What the storage of `connect` held at the beginning: published earlier and not answered. It goes out by itself, oldest first.
   *
   * @returns {{ topic: string, data: any, position: Promise<import("./topics.js").Position> }[]}
   */
  get earlier() {
    return this.#publishing.earlier;
  }

  /**
   * The publications of the server's topics that a pattern selects: first what was published before, then what is published from now on,
   * in one order for everybody. What is missing is told by a `Gap`.
   *
   * @param {string} pattern a topic, or with `*` for one token, or a final `**` for one or more
   * @param {{ after?: import("./topics.js").Beginning }} [how] a `Position` to go on from; `start` for all that is kept; `last` for the newest
   *   of each topic; or `now`
   * @returns {Subscription}
   * @throws {import("./errors.js").TopicError} the pattern breaks the rules
   * @throws {import("./errors.js").Full} the server allows no more flows of this session now
   * @throws {import("./errors.js").SessionEnded} the session is over
   */
  subscribe(pattern, { after = "now" } = {}) {
    return new Subscription(this.#bare, pattern, after);
  }

  // Files...

  /**
   * Sends a file; resolves when the server's program has it, whole and verified. It goes on by itself over dropped lines, and sent again over
   * another session, an unchanged file goes on where it stopped.
   *
   * @param {Blob & { name?: string, lastModified?: number }} file a `File` of a page, or a Blob
   * @param {{ name?: string, progress?: import("./files.js").Watch, signal?: AbortSignal }} [how] `signal` gives up
   * @returns {Promise<{ name: string, size: number, resumed: number }>} what it is called there, and how many bytes were there before
   * @throws {import("./errors.js").TransferRefused} the server does not want it
   * @throws {import("./errors.js").TransferError} it cannot be read, changed meanwhile, or could not be stored
   * @throws {import("./errors.js").SessionEnded} the session is over
   */
  sendFile(file, { name = file.name ?? "", progress = () => {}, signal } = {}) {
    return sendFile(this.#bare, file, name, progress, signal);
  }

  /**
   * Takes files: an asynchronous iterator of `FileOffer`, each to be accepted or refused. Whoever never calls this takes none. Ends with the
   * session; a lost one throws `SessionLost`.
   *
   * @returns {Offers}
   */
  files() {
    return new Offers(this.#bare);
  }

  // Ending...

  /**
   * Ends the session in an orderly way: what was sent is delivered first, and what was published or sent durably is answered, within
   * `closeTimeout` seconds each. Never rejects.
   *
   * @param {string} [reason]
   */
  async close(reason = "") {
    const { closeTimeout } = this.#bare.limits;
    const outgoing = [this.#publishing.outgoing, this.#durable.outgoing];
    await within(closeTimeout, Promise.all(outgoing.map((each) => each.whenAnswered())));
    await this.#bare.close(reason);
    await Promise.all(outgoing.map((each) => each.whenThrough()));
  }

  // Looking at it...

  /** Its public id: 32 hexadecimal digits. It is no secret and opens nothing. */
  get id() {
    return Array.from(this.#bare.id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Whether the session is over. */
  get isClosed() {
    return this.#bare.ended !== undefined;
  }

  /** Where the session is now. */
  get state() {
    return this.#bare.state;
  }

  /**
   * Each change of state from now on, each new plan to redial, and once when both programs wait for each other; ends with the session.
   *
   * @returns {AsyncGenerator<import("./bare.js").StateChange, void, void>}
   */
  states() {
    return this.#bare.states();
  }

  // Being known...

  /**
   * Shows the credentials of `connect` now, over the live session; a function is asked for them. Resolves when the server took them. Where the
   * server granted the session for a time, that happens by itself before it is over.
   *
   * @throws {import("./errors.js").NotAllowed} they are not good; the session goes on for as long as those before are
   * @throws {import("./errors.js").LandlineError} they are not to be had, the server could not find out, or the session is over
   */
  refresh() {
    return this.#line.refresh();
  }

  // Trying it...

  /**
   * Asks the server for a sign of life now, and does not wait with the next dial where there is no line: for a page that hears that the
   * network is back, or that it is seen again.
   */
  probe() {
    this.#line.probe();
  }

  /**
   * Hangs up beneath the session, as a bad line would, and stays away that long. To see what happens.
   *
   * @param {number} [seconds]
   */
  drop(seconds = 0) {
    this.#line.drop(seconds);
  }
}
