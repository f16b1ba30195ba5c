/**
 * Who a tab is: the same over a reload, another beside it, and the one of a tab that was closed.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { findIdentity, holdWith } from "../../../src/landline/apps/chat/page/identity.js";
import { inviteIn, keepInvite, takeInvites } from "../../../src/landline/apps/chat/page/invite.js";
import { keptBy, storageOf } from "../../../src/landline/apps/chat/page/kept.js";

class Memory {
  #items = new Map();
  constructor(most = Infinity) {
    this.most = most;
  }
  get length() {
    return this.#items.size;
  }
  getItem(key) {
    return this.#items.get(key) ?? null;
  }
  setItem(key, value) {
    if (this.#items.size >= this.most && !this.#items.has(key)) throw new Error("quota");
    this.#items.set(key, String(value));
  }
  removeItem(key) {
    this.#items.delete(key);
  }
  copy() {
    const copy = new Memory();
    for (const [key, value] of this.#items) copy.setItem(key, value);
    return copy;
  }
}

/** A browser: what is kept in it, and the locks of its tabs. */
class Browser {
  local = new Memory();
  #locks = new Set();
  #next = 1n;

  async open(tab = new Memory()) {
    const held = [];
    const hold = async (name) => {
      if (this.#locks.has(name)) return false;
      this.#locks.add(name);
      held.push(name);
      return true;
    };
    const identity = await findIdentity({ local: this.local, tab, hold, draw: () => this.#next++ });
    return { ...identity, tab, close: () => held.forEach((name) => this.#locks.delete(name)) };
  }
}

test("somebody new has a number, no name, and the lobby", async () => {
  const { number, name, rooms } = await new Browser().open();

  assert.deepEqual([number, name, rooms], [1n, "", ["lobby"]]);
});

test("a reload is the same, with name and rooms", async () => {
  const browser = new Browser();
  const before = await browser.open();
  before.keep("ana", ["lobby", "tea"]);
  before.close();
  const { number, name, rooms } = await browser.open(before.tab);

  assert.deepEqual([number, name, rooms], [1n, "ana", ["lobby", "tea"]]);
});

test("two tabs are two clients; a third takes the place of the one that was closed", async () => {
  const browser = new Browser();
  const one = await browser.open();
  one.keep("ana", ["lobby"]);
  const two = await browser.open();
  two.keep("ana-2", ["tea"]);
  assert.deepEqual([one.number, two.number], [1n, 2n]);
  assert.equal(two.name, "ana");
  two.close();
  const three = await browser.open();

  assert.deepEqual([three.number, three.name, three.rooms], [2n, "ana-2", ["tea"]]);
});

test("a tab that was duplicated with all it had is somebody else", async () => {
  const browser = new Browser();
  const one = await browser.open();
  const copy = await browser.open(one.tab.copy());

  assert.notEqual(copy.number, one.number);
});

test("what is kept and cannot be read makes somebody new, and stops nobody", async () => {
  const browser = new Browser();
  browser.local.setItem("landline.chat.clients", '["x", -1, "99999999999999999999", {}, "7"]');
  browser.local.setItem("landline.chat.client.7", '{"name": 3, "rooms": "tea"}');
  const { number, name, rooms } = await browser.open();

  assert.deepEqual([number, name, rooms], [7n, "", ["lobby"]]);
  browser.local.most = 0;
  assert.doesNotThrow(() => browser.open().then((identity) => identity.keep("ana", [])));
});

test("without locks only a reload goes on as who it was", async () => {
  const tab = new Memory();
  tab.setItem("landline.chat.number", "5");
  const open = (isReload) => findIdentity({ local: new Memory(), tab, hold: holdWith(undefined, isReload), draw: () => 9n });

  assert.equal((await open(true)).number, 5n);
  assert.equal((await open(false)).number, 9n);
});

test("an invitation is taken out of the address and kept; without one, the kept one holds", () => {
  const local = new Memory();
  const urls = [];
  const history = { replaceState: (_state, _title, url) => urls.push(url) };
  const at = (hash) => takeInvites({ hash, pathname: "/", search: "?x" }, history, local);

  assert.deepEqual(at(""), []);
  assert.deepEqual(at("#invite=a%20word&sha256=00"), ["a word"]);
  assert.deepEqual(urls, ["/?x"]);
  keepInvite("a word", local);
  assert.deepEqual(at("#other"), ["a word"]);
  assert.deepEqual(at("#invite=a%20word&invite=other"), ["a word"]);
  assert.deepEqual(at("#invite=wrong"), ["wrong", "a word"]);
  assert.deepEqual(at("#invite="), ["a word"]);
  assert.equal(inviteIn(" https://chat.example/#invite=a%20word&sha256=00 "), "a word");
  assert.equal(inviteIn("a-word"), "a-word");
});

test("what is kept and cannot be a name or a room is as if it was not kept", async () => {
  const browser = new Browser();
  const { tab, close } = await browser.open();
  for (const details of [{ name: "ana", rooms: ["lobby", "x".repeat(257)] }, { name: "x".repeat(129) }, { name: 1, rooms: [1] }, [], 7]) {
    browser.local.setItem("landline.chat.client.1", JSON.stringify(details));
    close();
    const { name, rooms, ...again } = await browser.open(tab);
    again.close();

    assert.ok(name.length <= 128);
    assert.deepEqual(rooms, ["lobby"]);
  }
});

test("a browser that keeps nothing lets one in all the same", async () => {
  const denied = storageOf(() => {
    throw new Error("denied");
  });
  const full = storageOf(() => /** @type {any} */ (new Memory(0)));
  for (const nothing of [denied, full]) {
    const { number, rooms, keep } = await findIdentity({ local: nothing, tab: nothing, hold: async () => true, draw: () => 7n });
    keep("ana", ["lobby"]);

    assert.deepEqual([number, rooms], [7n, ["lobby"]]);
    assert.equal(keptBy(nothing, number), undefined);
  }
});

test("what waits is kept as bytes, by number, and removed", () => {
  const local = new Memory();
  const [one, two] = [keptBy(local, 1n), keptBy(local, 2n)];
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  one.set("key", bytes);

  assert.deepEqual(one.get("key"), bytes);
  assert.equal(two.get("key"), null);
  one.set("key", null);
  assert.equal(local.length, 0);
  assert.equal(keptBy(new Memory(0), 1n), undefined);
});
