// The browser's storage, with stand-ins for what a browser has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { browserStorage } from "../../src/landline/javascript/index.js";

class Store {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key = (place) => [...this.#items.keys()][place] ?? null;
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => this.#items.set(key, value);
  removeItem = (key) => this.#items.delete(key);
}

class Locks {
  held = new Set();
  async request(name, _, work) {
    if (this.held.has(name)) return work(null);
    this.held.add(name);
    try {
      return await work({ name });
    } finally {
      this.held.delete(name);
    }
  }
}

function browser(t, locks) {
  const stores = { localStorage: new Store(), sessionStorage: new Store() };
  for (const [name, value] of Object.entries({ ...stores, navigator: { locks } })) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
  return stores;
}

const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test("what is set is there again after a reload, as it was, until it is removed", async (t) => {
  browser(t, new Locks());
  const first = browserStorage("chat");
  await first.open();
  first.set("key", all);
  first.close();
  await new Promise(setImmediate);
  const second = browserStorage("chat");
  await second.open();

  assert.deepEqual(second.get("key"), all);
  assert.equal(second.get("none"), null);
  second.set("key", null);
  assert.equal(second.get("key"), null);
});

test("two tabs never share a place, and what a tab left behind is taken by the next one", async (t) => {
  browser(t, new Locks());
  const [one, two, three] = [browserStorage("chat"), browserStorage("chat"), browserStorage("chat")];
  await one.open();
  await two.open();
  one.set("key", Uint8Array.of(1));
  two.set("key", Uint8Array.of(2));
  assert.deepEqual([one.get("key"), two.get("key")], [Uint8Array.of(1), Uint8Array.of(2)]);
  two.close();
  await new Promise(setImmediate);
  await three.open();

  assert.deepEqual(three.get("key"), Uint8Array.of(2));
  one.set("key", null);
  for (const tab of [one, three]) tab.close();
  await new Promise(setImmediate);
  const four = browserStorage("chat");
  await four.open(); // both places are free, and in one of them something waits
  assert.deepEqual(four.get("key"), Uint8Array.of(2));
});

test("a storage is of one session at a time", async (t) => {
  browser(t, new Locks());
  const storage = browserStorage("chat");
  await storage.open();
  await assert.rejects(storage.open(), /is open already/);
  storage.close();
  await new Promise(setImmediate);

  await storage.open();
});

test("so many tabs and no more", async (t) => {
  browser(t, new Locks());
  for (let tab = 0; tab < 16; tab++) await browserStorage("chat").open();

  await assert.rejects(browserStorage("chat").open(), /more than 16 tabs/);
});

test("a page that is not secure has no locks, and keeps what each tab has for itself", async (t) => {
  const { localStorage, sessionStorage } = browser(t, undefined);
  const storage = browserStorage("chat");
  await storage.open();
  storage.set("key", Uint8Array.of(1));

  assert.deepEqual([localStorage.length, sessionStorage.length], [0, 1]);
});
