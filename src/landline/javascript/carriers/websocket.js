/**
 * Bytes over a WebSocket: each binary message holds whole frames, never part of one; together they are the stream that TCP would carry.
 */

import { ConnectError } from "../errors.js";
import { joined } from "../frames.js";

/** @typedef {import("../driver.js").Carrier} Carrier */
/** @typedef {import("../driver.js").Receiver} Receiver */

const FULL = 256 << 10; // bytes that wait in the socket; from here on it takes no more
const LOOK_AGAIN = 20; // milliseconds: a WebSocket does not tell when its bytes have left
const NORMAL = 1000;

/**
 * @param {string} address
 * @param {AbortSignal} signal
 * @param {typeof WebSocket} [WebSocketClass] the platform's by default
 * @returns {Promise<Carrier>}
 * @throws {ConnectError}
 */
export function open(address, signal, WebSocketClass = globalThis.WebSocket) {
  if (!WebSocketClass) {
    throw new ConnectError(address, "this platform has no WebSocket; pass one to connect(…, { WebSocket }), or use tcp://");
  }
  return new Promise((resolve, reject) => {
    const socket = new WebSocketClass(address);
    socket.binaryType = "arraybuffer";
    const onAbort = () => {
      reject(signal.reason);
      socket.close();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.onopen = () => {
      signal.removeEventListener("abort", onAbort);
      socket.onerror = null; // a close follows, and no platform says more
      resolve(new WebSocketCarrier(socket, address));
    };
    socket.onerror = socket.onclose = () => reject(new ConnectError(address, "no WebSocket answered there"));
  });
}

/** @implements {Carrier} */
class WebSocketCarrier {
  #socket;
  /** @type {Receiver | undefined} */
  #receiver;
  #isLookingAgain = false;

  /**
   * @param {WebSocket} socket
   * @param {string} peer
   */
  constructor(socket, peer) {
    this.#socket = socket;
    this.peer = peer;
  }

  get backlog() {
    return this.#socket.bufferedAmount;
  }

  get isWritable() {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    if (this.backlog < FULL) return true;
    this.#lookAgain();
    return false;
  }

  /** @param {Receiver} receiver */
  start(receiver) {
    this.#receiver = receiver;
    this.#socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) receiver.received(new Uint8Array(data));
      else this.abort(); // text is none of ours
    };
    this.#socket.onclose = () => receiver.ended();
    if (this.#socket.readyState > this.#socket.OPEN) receiver.ended();
  }

  /** @param {Uint8Array[]} frames */
  write(frames) {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(joined(frames));
  }

  close() {
    this.#socket.close(NORMAL);
  }

  abort() {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
    this.#receiver?.ended();
  }

  #lookAgain() {
    if (this.#isLookingAgain) return;
    this.#isLookingAgain = true;
    setTimeout(() => {
      this.#isLookingAgain = false;
      if (this.isWritable) this.#receiver?.writable();
    }, LOOK_AGAIN);
  }
}
