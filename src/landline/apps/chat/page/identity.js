/**
 * Who this tab is to the chat: the number that it drew once, with the name and the rooms that go with it.
 *
 * Each tab is a client of its own, and a reload goes on as the same one. A tab that is opened anew takes the place of one that was closed,
 * with what waited there to go out; so there are never more clients than tabs at once. A lock that lives as long as the tab tells which
 * numbers are in use, also by a tab that was duplicated with all it had.
 */

import { RAW_NAME, RAW_ROOM } from "./text.js";

const CLIENTS = "landline.chat.clients"; // the numbers of this browser, oldest first
const NUMBER = "landline.chat.number"; // that of this tab
const NAME = "landline.chat.name"; // that was chosen last
const MOST = 64;
const PATIENCE = 2000; // milliseconds that a reload waits for the page before it to let go

/**
 * @typedef {object} Identity
 * @property {bigint} number
 * @property {string} name empty for somebody new
 * @property {string[]} rooms
 * @property {(name: string, rooms: string[]) => void} keep remembers them for the next life of the tab
 */

/**
 * @param {object} browser
 * @param {Storage} browser.local outlives the tab
 * @param {Storage} browser.tab outlives a reload
 * @param {(name: string, patience: number) => Promise<boolean>} browser.hold takes a lock for as long as the tab lives
 * @param {() => bigint} browser.draw
 * @returns {Promise<Identity>}
 */
export async function findIdentity({ local, tab, hold, draw }) {
  const known = numbersIn(local);
  const own = tab.getItem(NUMBER) ?? "";
  let number = isNumber(own) && (await hold(lockOf(own), PATIENCE)) ? own : "";
  for (const other of known) {
    if (number) break;
    if (await hold(lockOf(other), 0)) number = other;
  }
  if (!number) {
    number = String(draw());
    await hold(lockOf(number), 0);
  }
  put(tab, NUMBER, number);
  if (!known.includes(number)) put(local, CLIENTS, JSON.stringify([...known, number].slice(-MOST)));
  const { name = local.getItem(NAME) ?? "", rooms = ["lobby"] } = detailsOf(local, number);
  return {
    number: BigInt(number),
    name,
    rooms,
    keep(newName, newRooms) {
      put(local, NAME, newName);
      put(local, detailsKey(number), JSON.stringify({ name: newName, rooms: newRooms }));
    },
  };
}

/**
 * Takes locks with the browser's lock manager. Where there is none, as on plain http, every tab that was not reloaded is somebody new.
 *
 * @param {LockManager | undefined} locks
 * @param {boolean} isReload
 * @returns {(name: string, patience: number) => Promise<boolean>}
 */
export function holdWith(locks, isReload) {
  if (!locks) return async (_name, patience) => patience > 0 && isReload;
  return (name, patience) =>
    new Promise((resolve) => {
      const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
      const held = locks.request(name, options, (lock) => {
        resolve(lock !== null);
        return lock && new Promise(() => {}); // until the tab is closed
      });
      held.catch(() => resolve(false));
    });
}

/** @param {string} number */
function lockOf(number) {
  return `landline.chat.client.${number}`;
}

/** @param {string} number */
function detailsKey(number) {
  return `landline.chat.client.${number}`;
}

/** @param {Storage} local @returns {string[]} */
function numbersIn(local) {
  const known = parsed(local.getItem(CLIENTS));
  return Array.isArray(known) ? known.filter(isNumber) : [];
}

/** @param {Storage} local @param {string} number @returns {{ name?: string, rooms?: string[] }} */
function detailsOf(local, number) {
  const details = parsed(local.getItem(detailsKey(number)));
  if (typeof details !== "object" || details === null) return {};
  const { name, rooms } = details;
  const areRooms = Array.isArray(rooms) && rooms.length > 0 && rooms.every((room) => isShort(room, RAW_ROOM));
  return { name: isShort(name, RAW_NAME) ? name : undefined, rooms: areRooms ? rooms : undefined };
}

/** Whether the server would read it. @param {unknown} word @param {number} most */
function isShort(word, most) {
  return typeof word === "string" && word.length <= most;
}

/** @param {unknown} number */
function isNumber(number) {
  return typeof number === "string" && /^[1-9][0-9]{0,18}$/.test(number) && BigInt(number) < 1n << 63n;
}

/** @param {string | null} text */
function parsed(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** Remember something, if there is room. @param {Storage} storage @param {string} key @param {string} value */
function put(storage, key, value) {
  try {
    storage.setItem(key, value);
  } catch {
    // full, or not allowed: the next life of the tab begins anew
  }
}
