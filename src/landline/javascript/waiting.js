/**
 * What waiting is made of: a bell that wakes whoever waits, a promise from outside, and a bound on how long.
 */

/**
 * @template T
 * @typedef {{ promise: Promise<T>, resolve: (value: T) => void, reject: (error: unknown) => void }} Deferred
 */

/**
 * A promise, and what settles it. One that is rejected and looked at by nobody is no failure of the program.
 *
 * @template [T=void]
 * @returns {Deferred<T>}
 */
export function deferred() {
  /** @type {Partial<Deferred<T>>} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return /** @type {Deferred<T>} */ (made);
}

/** Wakes all who wait, each time that something may have changed; who was woken looks again. */
export class Bell {
  /** @type {Deferred<void> | undefined} */
  #next;

  /** Resolves at the next ring. */
  heard() {
    this.#next ??= deferred();
    return this.#next.promise;
  }

  ring() {
    this.#next?.resolve();
    this.#next = undefined;
  }
}

const LONGEST = 2 ** 31 - 1; // milliseconds that a timer of the platform can wait

/**
 * Waits, for so long at the most.
 *
 * @param {number} seconds
 * @param {Promise<unknown>} promise one that does not reject
 * @returns {Promise<boolean>} whether it came in time
 */
export async function within(seconds, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.min(LONGEST, 1000 * seconds), false);
  });
  try {
    return /** @type {boolean} */ (await Promise.race([promise.then(() => true), late]));
  } finally {
    clearTimeout(timer);
  }
}

/** @type {(work: () => void) => void} */
const soon = typeof setImmediate === "function" ? setImmediate : overChannel();

/**
 * Does something at the end of this turn of the event loop, after all that is due now.
 *
 * @param {() => void} work
 */
export function afterTurn(work) {
  soon(work);
}

function overChannel() {
  const { port1, port2 } = new MessageChannel();
  /** @type {(() => void)[]} */
  const waiting = [];
  port1.onmessage = () => waiting.shift()?.();
  return (/** @type {() => void} */ work) => {
    waiting.push(work);
    port2.postMessage(null);
  };
}

/**
 * The default clock, in seconds: monotonic, and it goes on while the machine sleeps, where that of the platform may stand still. A wall
 * clock that is set forward looks like sleep, which does no harm: the peer is asked for a sign of life.
 *
 * @returns {() => number}
 */
export function wakefulClock() {
  let steady = performance.now();
  let wall = Date.now();
  let now = steady;
  return () => {
    const passed = performance.now() - steady;
    const onTheWall = Date.now() - wall;
    steady += passed;
    wall += onTheWall;
    now += onTheWall - passed > 1000 ? onTheWall : passed;
    return now / 1000;
  };
}
