/**
 * Reads the rooms that the page is in: a subscription to the topic of each, for as long as it is in it.
 *
 * What a room's topic says goes to the client as it comes; where reading fails it goes on from there after a pause.
 */

import { lineOf, topicOf } from "./wire.js";

const READ_AGAIN = 1000; // milliseconds after which a room is read again that could not be

/**
 * Begin to read; `stir` says that the client may be in other rooms than before.
 *
 * @param {any} session
 * @param {import("./client.js").Client} client
 * @param {{ now: () => number, advance: () => void, decode: (bytes: Uint8Array) => any, sha256: (bytes: Uint8Array) => Uint8Array }} link
 */
export function readRooms(session, client, link) {
  /** @type {Map<string, Reader>} */
  const readers = new Map();
  return {
    stir() {
      for (const [name, reader] of readers) {
        if (client.rooms.isRead(name, reader.reading)) continue;
        reader.stop();
        readers.delete(name);
      }
      for (const { name, reading } of client.rooms) {
        if (!reading || readers.has(name)) continue;
        const reader = new Reader(session, client, link, name, reading);
        readers.set(name, reader);
        reader.run();
      }
    },
    stop() {
      for (const reader of readers.values()) reader.stop();
      readers.clear();
    },
  };
}

class Reader {
  /**
   * @param {any} session
   * @param {import("./client.js").Client} client
   * @param {{ now: () => number, advance: () => void, decode: (bytes: Uint8Array) => any, sha256: (bytes: Uint8Array) => Uint8Array }} link
   * @param {string} name
   * @param {import("./rooms.js").Reading} reading
   */
  constructor(session, client, link, name, reading) {
    this.reading = reading;
    this._session = session;
    this._client = client;
    this._link = link;
    this._name = name;
    this._isStopped = false;
    /** @type {AsyncIterator<any> | null} */
    this._items = null;
  }

  stop() {
    this._isStopped = true;
    this._items?.return?.()?.catch?.(() => {});
  }

  async run() {
    let told = "";
    while (!this._isStopped) {
      try {
        await this._read();
        return;
      } catch (error) {
        const { name, message } = /** @type {any} */ (error);
        if (this._isStopped || ["SessionClosed", "SessionLost", "SessionEnded"].includes(name)) return; // another session goes on
        if (name === "NotAllowed") {
          this._client.putOut(this._name, this.reading, this._link.now());
          this._link.advance();
          return;
        }
        const why = `What is said here cannot be read: ${message}`;
        if (why !== told) {
          this._client.unreadable(this._name, this.reading, why, this._link.now());
          this._link.advance();
        }
        told = why;
      }
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN));
    }
  }

  async _read() {
    const items = this._session.subscribe(topicOf(this._name, this._link.sha256), { after: this.reading.after });
    this._items = items[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await /** @type {AsyncIterator<any>} */ (this._items).next();
      if (done || this._isStopped) return;
      this._take(value);
    }
  }

  /** @param {any} item a Publication or a Gap */
  _take(item) {
    const isGap = item.position === undefined;
    const { epoch, offset } = isGap ? item.to : item.position;
    const position = { epoch, offset: Number(offset) };
    const taken = isGap ? { position, gap: String(item.reason) } : { position, line: this._line(item.data, position.offset) };
    this._client.read(this._name, this.reading, taken, this._link.now());
    this._link.advance();
  }

  /** What is no line is left out. @param {unknown} data @param {number} offset */
  _line(data, offset) {
    try {
      return lineOf(data instanceof Uint8Array ? this._link.decode(data) : data, offset);
    } catch {
      return null;
    }
  }
}
