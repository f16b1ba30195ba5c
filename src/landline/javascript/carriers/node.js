/**
 * Bytes over Node's sockets: TCP, TLS and Unix. A browser never loads this.
 */

import net from "node:net";
import tls from "node:tls";

import { ConnectError } from "../errors.js";

/** @typedef {import("../driver.js").Carrier} Carrier */
/** @typedef {import("../driver.js").Receiver} Receiver */

const LINGER = 2000; // milliseconds for the peer to end its direction after we ended ours

/**
 * @param {string} address
 * @param {AbortSignal} signal
 * @returns {Promise<Carrier>}
 * @throws {ConnectError}
 */
export function open(address, signal) {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const where = url.protocol === "unix:" ? { path: decodeURIComponent(url.pathname) } : { host, port: Number(url.port) };
  const isTls = url.protocol === "tls:";
  return new Promise((resolve, reject) => {
    const socket = isTls ? tls.connect({ ...where, servername: net.isIP(host) ? "" : host }) : net.connect({ ...where, noDelay: true });
    const onAbort = () => {
      reject(signal.reason);
      socket.destroy();
    };
    const onError = (/** @type {Error} */ error) => reject(new ConnectError(address, error.message, { cause: error }));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once(isTls ? "secureConnect" : "connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      socket.setNoDelay(true);
      resolve(new SocketCarrier(socket, address));
    });
  });
}

/** @implements {Carrier} */
class SocketCarrier {
  #socket;

  /**
   * @param {net.Socket} socket
   * @param {string} peer
   */
  constructor(socket, peer) {
    this.#socket = socket;
    this.peer = peer;
    socket.on("error", () => {}); // a close follows, and that is all a session wants to know
  }

  get backlog() {
    return this.#socket.writableLength;
  }

  get isWritable() {
    return this.#socket.writable && !this.#socket.writableNeedDrain;
  }

  /** @param {Receiver} receiver */
  start(receiver) {
    const socket = this.#socket;
    socket.on("data", (/** @type {Buffer} */ data) => {
      receiver.received(new Uint8Array(data.buffer, data.byteOffset, data.length));
    });
    socket.on("drain", () => receiver.writable());
    socket.on("close", () => receiver.ended());
    if (socket.destroyed) receiver.ended();
  }

  /** @param {Uint8Array[]} frames */
  write(frames) {
    if (!this.#socket.writable) return;
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  }

  close() {
    const socket = this.#socket;
    const timer = setTimeout(() => socket.destroy(), LINGER);
    socket.once("close", () => clearTimeout(timer));
    socket.end();
    if (socket.destroyed) clearTimeout(timer);
  }

  abort() {
    this.#socket.destroy();
  }
}
