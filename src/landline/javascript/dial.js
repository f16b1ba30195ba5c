/**
 * One dial: a carrier to one of the addresses, a greeting over it, and the server's answer.
 *
 * Of several addresses one after the other is tried, each with its share of the time. A server that is full or going may name another
 * address; it is followed only to one of ours: we show our token to nobody else.
 */

import { AddressError, ConnectError, ConnectTimeout } from "./errors.js";
import { Connection } from "./connection.js";
import { Driver } from "./driver.js";
import { CloseCode, isResumable, wordsOf } from "./frames.js";

/** The server answered REFUSE, which says why and what it still knows. */
export class Turndown extends ConnectError {
  /**
   * @param {string} address
   * @param {import("./handshake.js").Refusal} refusal
   */
  constructor(address, refusal) {
    super(address, refusal.reason || wordsOf(CloseCode, refusal.code));
    this.refusal = refusal;
  }
}

/** The line dropped before the server answered. */
export class Dropped extends ConnectError {}

/** @typedef {{ address: string, driver: Driver, welcome: import("./handshake.js").Welcome }} Answer */

/**
 * How this client dials, whatever the session.
 *
 * @typedef {object} Ways
 * @property {Readonly<import("./limits.js").Limits>} limits
 * @property {() => number} clock
 * @property {() => number} random
 * @property {typeof WebSocket | undefined} WebSocket
 */

/** @type {Readonly<Record<string, string>>} */
const SCHEMES = { "http:": "ws:", "https:": "wss:" };

/**
 * An address as it is compared and dialled: `ws:`, `wss:`, or in Node `tcp:`, `tls:` and `unix:`. The location of a page becomes that of its
 * server.
 *
 * @param {string | URL} address
 * @returns {string}
 * @throws {AddressError}
 */
export function normalized(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    throw new AddressError(`${address} is no address; one looks like wss://example.org or tcp://localhost:12345`);
  }
  if (url.protocol in SCHEMES) url = new URL(url.href.replace(url.protocol, /** @type {string} */ (SCHEMES[url.protocol])));
  if (!["ws:", "wss:", "tcp:", "tls:", "unix:"].includes(url.protocol)) {
    throw new AddressError(`${address}: a session goes over ws, wss, and in Node over tcp, tls and unix`);
  }
  if (url.protocol === "tcp:" || url.protocol === "tls:") {
    if (!url.hostname || !url.port) throw new AddressError(`${address} lacks a host or a port, as in tcp://localhost:12345`);
    return `${url.protocol}//${url.host}`;
  }
  url.hash = ""; // a WebSocket's address has none
  return url.href;
}

/**
 * Tries the addresses in turn; the first that welcomes us. A connection that ends before it carries a session tells that again then.
 *
 * @param {readonly string[]} addresses
 * @param {import("./handshake.js").Hello | import("./handshake.js").Resume} greeting
 * @param {Ways} ways
 * @param {object} how
 * @param {number} how.timeout seconds
 * @param {ReadonlySet<string>} [how.homes] where the session's server is known to be: only its word can end the session
 * @param {AbortSignal} [how.signal] gives up
 * @returns {Promise<Answer>}
 * @throws {Turndown} a server refused, and no other may be asked; or one is full or going; or none knows the session
 * @throws {ConnectError} no such answer came
 */
export async function dialAny(addresses, greeting, ways, { timeout, homes = new Set(), signal }) {
  const until = ways.clock() + timeout;
  /** @type {Error | undefined} */
  let busy, refused, failure;
  for (let left = [...addresses]; left.length;) {
    const address = /** @type {string} */ (left.shift());
    const share = Math.max(until - ways.clock(), 0) / (left.length + 1);
    try {
      return await dial(address, greeting, ways, share, signal);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      if (!(error instanceof Turndown)) {
        failure = error;
        continue;
      }
      const { code, redirect } = error.refusal;
      if (!isResumable(code) && (!homes.size || homes.has(address))) throw error;
      if (isResumable(code)) busy = error;
      else refused = error;
      left = preferred(left, redirect);
    }
  }
  throw busy ?? failure ?? refused;
}

/**
 * The addresses, the one that a server named first, if it is among them.
 *
 * @param {string[]} addresses
 * @param {string} [redirect]
 */
export function preferred(addresses, redirect) {
  const named = listed(addresses, redirect);
  return named === undefined ? addresses : [named, ...addresses.filter((address) => address !== named)];
}

/**
 * The one of the addresses that a server named.
 *
 * @param {readonly string[]} addresses
 * @param {string} [redirect]
 */
export function listed(addresses, redirect) {
  try {
    return redirect === undefined ? undefined : addresses.find((address) => address === normalized(redirect));
  } catch {
    return undefined;
  }
}

/**
 * @param {string} address
 * @param {import("./handshake.js").Hello | import("./handshake.js").Resume} greeting
 * @param {Ways} ways
 * @param {number} seconds
 * @param {AbortSignal} [outer]
 * @returns {Promise<Answer>}
 */
async function dial(address, greeting, ways, seconds, outer) {
  const giveUp = new AbortController();
  const onAbort = () => giveUp.abort(outer?.reason);
  const late = new ConnectTimeout(address, `no answer within ${Number(seconds.toPrecision(3))} s`);
  const timer = setTimeout(() => giveUp.abort(late), 1000 * seconds);
  outer?.addEventListener("abort", onAbort);
  if (outer?.aborted) onAbort();
  try {
    const carrier = await openCarrier(address, ways, giveUp.signal);
    return await greet(address, carrier, greeting, ways, giveUp.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", onAbort);
  }
}

/**
 * @param {string} address
 * @param {Ways} ways
 * @param {AbortSignal} signal
 * @returns {Promise<import("./driver.js").Carrier>}
 */
async function openCarrier(address, ways, signal) {
  const isWeb = address.startsWith("ws");
  // Only on demand: a browser has no sockets, and must not load what asks for them.
  const { open } = isWeb ? await import("./carriers/websocket.js") : await import("./carriers/node.js");
  signal.throwIfAborted();
  return open(address, signal, ways.WebSocket);
}

/**
 * @param {string} address
 * @param {import("./driver.js").Carrier} carrier
 * @param {import("./handshake.js").Hello | import("./handshake.js").Resume} greeting
 * @param {Ways} ways
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
function greet(address, carrier, greeting, ways, signal) {
  return new Promise((resolve, reject) => {
    const connection = new Connection(ways.limits, ways.clock(), ways.random());
    const driver = new Driver(connection, carrier, ways.clock, (event) => {
      if (event.kind === "welcomed") resolve({ address, driver, welcome: event.welcome });
      else if (event.kind === "refused") reject(new Turndown(address, event.refusal));
      else if (event.kind === "ended" && event.code === CloseCode.DEAD) {
        reject(new Dropped(address, "the line dropped before the server answered"));
      } else if (event.kind === "ended") reject(new ConnectError(address, event.reason));
    });
    const onAbort = () => {
      reject(signal.reason);
      driver.abort();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    connection.greet(greeting);
    driver.start();
  });
}
