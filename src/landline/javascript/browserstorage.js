/**
 * A storage in the browser's own: `localStorage`, so that what was published outlives the page.
 *
 * Two tabs never share an outbox: each has a place of its own by a Web Lock, which goes with its tab; a place that a tab left behind is taken
 * by the next one. Where there are no locks (a page that is not secure), `sessionStorage` is used, which each tab has for itself.
 */

const PLACES = 16;

/**
 * @param {string} name of the application; what its tabs keep stands under names that begin so
 * @returns {import("./kept.js").Storage}
 */
export function browserStorage(name) {
  const locks = navigator.locks;
  const store = locks ? localStorage : sessionStorage;
  let prefix = `${name}:0:`;
  /** @type {(() => void) | undefined} */
  let release;
  let isOpen = false;
  return {
    async open() {
      if (isOpen) throw new Error("this storage is open already: it is of one session alone");
      isOpen = true;
      if (!locks) return;
      const places = Array.from({ length: PLACES }, (_, place) => `${name}:${place}:`);
      const left = places.filter((place) => holds(store, place)); // these first: somebody waits for what is in them
      for (const place of [...left, ...places.filter((each) => !left.includes(each))]) {
        release = await hold(locks, place);
        prefix = place;
        if (release) return;
      }
      isOpen = false;
      throw new Error(`more than ${PLACES} tabs have ${name} open`);
    },
    close() {
      release?.();
      isOpen = false;
    },
    get(key) {
      const text = store.getItem(prefix + key);
      return text === null ? null : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    },
    set(key, value) {
      if (value === null) store.removeItem(prefix + key);
      else store.setItem(prefix + key, btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join("")));
    },
  };
}

/**
 * @param {Storage} store
 * @param {string} prefix
 */
function holds(store, prefix) {
  for (let place = 0; place < store.length; place++) if (store.key(place)?.startsWith(prefix)) return true;
  return false;
}

/**
 * A lock that is held until it is released, or its tab is gone.
 *
 * @param {LockManager} locks
 * @param {string} name
 * @returns {Promise<(() => void) | undefined>} releases it; undefined where another has it
 */
function hold(locks, name) {
  return new Promise((resolve, reject) => {
    locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(undefined);
        return new Promise((release) => resolve(() => release(undefined)));
      })
      .catch(reject);
  });
}
