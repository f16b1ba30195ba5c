/**
 * The place in the browser where a client's lines wait until they are answered: they survive a reload, and a tab that was closed.
 *
 * That it is one client's alone, the number in its name says, which `identity` sees to.
 */

/** A browser may keep nothing at all for a page, and says so to whoever asks. @type {any} */
const NOTHING = {
  getItem: () => null,
  setItem() {
    throw new Error("nothing is kept here");
  },
  removeItem() {},
};

/** What the browser keeps, or what keeps nothing. @param {() => Storage} get @returns {Storage} */
export function storageOf(get) {
  try {
    get().getItem("");
    return get();
  } catch {
    return NOTHING;
  }
}

/**
 * A storage for `connect`, or undefined where the browser keeps nothing: then what waits is lost with the page.
 *
 * @param {Storage} local
 * @param {bigint} number the client's
 */
export function keptBy(local, number) {
  const prefix = `landline.chat.outbox.${number}.`;
  try {
    local.setItem(prefix, "");
    local.removeItem(prefix);
  } catch {
    return undefined;
  }
  return {
    /** @param {string} key */
    get(key) {
      const text = local.getItem(prefix + key);
      return text === null ? null : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    },
    /** @param {string} key @param {Uint8Array | null} value */
    set(key, value) {
      if (value === null) local.removeItem(prefix + key);
      else local.setItem(prefix + key, btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join("")));
    },
  };
}
