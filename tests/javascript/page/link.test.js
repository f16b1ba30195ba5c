/**
 * The page's link, over sessions that the test plays: what is sent and published in which order, and what becomes of it when they end.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../../../src/landline/apps/chat/page/client.js";
import { Link, latch } from "../../../src/landline/apps/chat/page/link.js";
import { joined, texts } from "./model.js";

/** A queue that is waited for. */
class Queue {
  items = [];
  #stirred = latch();
  put(item) {
    this.items.push(item);
    this.#stirred.open();
  }
  async take() {
    while (!this.items.length) {
      this.#stirred = latch();
      await this.#stirred.opened;
    }
    const item = this.items.shift();
    if (item instanceof Error) throw item;
    return item;
  }
}

/** An error as the library names it. */
function failure(name, facts = {}) {
  return Object.assign(new Error(name), { name }, facts);
}

/** A session that is played: what it was given is in `sent` and `published`. */
class FakeSession {
  sent = [];
  published = [];
  earlier = [];
  subscriptions = new Map();
  closed = "";
  #inbox = new Queue();
  #changes = new Queue();

  async send(value) {
    const outcome = Promise.withResolvers?.() ?? deferred();
    this.sent.push({ ...value, outcome });
    return { outcome: outcome.promise };
  }
  publish(topic, value, { onKept }) {
    const kept = deferred();
    this.published.push({ topic, text: value.text, id: value.id, onKept, ...kept });
    return kept.promise;
  }
  subscribe(topic, { after }) {
    const items = new Queue();
    this.subscriptions.set(topic, { after, items });
    const iterator = { next: async () => ({ done: false, value: await items.take() }), return: async () => ({ done: true }) };
    return { [Symbol.asyncIterator]: () => iterator };
  }
  receive() {
    return this.#inbox.take();
  }
  async *states() {
    for (;;) yield await this.#changes.take();
  }
  hear(told) {
    this.#inbox.put(told);
  }
  change(state) {
    this.#changes.put(state);
  }
  drop(seconds) {
    this.dropped = seconds;
  }
  async close(reason) {
    this.closed ||= reason;
    this.#inbox.put(failure("SessionClosed", { reason }));
  }
}

function deferred() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

/** Let everything happen that can happen without an answer. */
async function settled() {
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setTimeout(resolve)); // behind every timer that is due
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A link that has entered the lobby over the first of these sessions. */
async function talking({ sessions = [new FakeSession()], failures = [], earlier = [] } = {}) {
  let number = 100n;
  sessions[0].earlier = earlier;
  const client = new Client({ name: "ana", rooms: ["lobby"], draw: () => number++, wall: () => 1000, isKept: true });
  const dials = [];
  const left = [...sessions];
  const dial = async () => {
    dials.push(client.line.state);
    if (failures.length) throw failures.shift();
    return left.length > 1 ? left.shift() : left[0];
  };
  const link = new Link(client, dial, () => {}, {
    encode: (value) => value,
    decode: (value) => value,
    sha256: () => new Uint8Array(32),
    now: () => 0,
    pause: () => 0,
  });
  const running = link.run();
  await settled();
  enter(sessions[0]);
  await settled();
  const act = async (what) => {
    what();
    link.advance();
    await settled();
  };
  return { client, link, running, act, dials, session: sessions[0], sessions };
}

function enter(session) {
  session.hear({ t: "entered", name: "ana", epoch: "e1" });
  session.hear(joined("lobby", [], { after: 3 }));
}

const kinds = (session) => session.sent.map((request) => request.t);

test("it enters, reads its rooms from where they are to be read, and publishes lines at once", async () => {
  const { client, session, act } = await talking();
  assert.deepEqual(kinds(session), ["enter"]);
  assert.deepEqual(session.subscriptions.get("room.lobby").after, { epoch: "e1", offset: 3 });
  await act(() => client.typed("hello", 0));
  session.subscriptions.get("room.lobby").items.put({
    position: { epoch: "e1", offset: 4n },
    data: { name: "ana", text: "hello", at: 5, id: session.published[0].id },
  });
  await settled();

  assert.deepEqual(session.published.map(({ topic, text }) => [topic, text]), [["room.lobby", "hello"]]);
  assert.deepEqual(client.waitingIn("#lobby"), []);
  assert.deepEqual(client.rooms.get("lobby").seen, { epoch: "e1", offset: 4 });
});

test("what is asked after a line comes after it", async () => {
  const { client, session, act } = await talking();
  await act(() => client.typed("hello", 0));
  await act(() => client.typed("/who", 0));
  assert.deepEqual(kinds(session), ["enter"]);
  session.published[0].resolve({ epoch: "e1", offset: 4 });
  await settled();

  assert.deepEqual(kinds(session), ["enter", "who"]);
});

test("a lost session tells what became of each request, and the next one enters anew", async () => {
  const sessions = [new FakeSession(), new FakeSession()];
  const { client, session, act } = await talking({ sessions });
  await act(() => client.typed("/msg ben one", 0));
  await act(() => client.typed("/msg ben two", 0));
  session.sent[1].outcome.resolve({ status: "unknown" });
  session.sent[2].outcome.resolve({ status: "failed" });
  session.hear(failure("SessionLost", { reason: "expired" }));
  await settled();
  enter(sessions[1]);
  await settled();

  assert.deepEqual(sessions[1].sent.map((request) => [request.t, request.text]), [["enter", undefined], ["msg", "two"]]);
  assert.deepEqual(texts(client, "@ben", "failed"), ["one"]);
});

test("a line that a lost session left in the outbox is neither doubtful nor said again", async () => {
  const sessions = [new FakeSession(), new FakeSession()];
  const { client, session, act } = await talking({ sessions });
  await act(() => client.typed("hello", 0));
  const [{ id }] = session.published;
  sessions[1].earlier = [{ topic: "room.lobby", data: { t: "say", id, room: "lobby", text: "hello" }, position: new Promise(() => {}) }];
  session.published[0].reject(failure("PublishUnknown", { isKept: true, reason: "the session ended" }));
  session.hear(failure("SessionLost", { reason: "expired" }));
  await settled();
  enter(sessions[1]);
  await settled();

  assert.deepEqual(sessions[1].published, []);
  assert.deepEqual(texts(client, "#lobby", "failed"), []);
  assert.deepEqual(client.waitingIn("#lobby").map((pending) => pending.stage), ["sent"]);
});

test("a line that never reached the outbox is published with the next session", async () => {
  const sessions = [new FakeSession(), new FakeSession()];
  const { client, session, act } = await talking({ sessions });
  await act(() => client.typed("hello", 0));
  session.published[0].reject(failure("SessionLost", { reason: "expired" }));
  session.hear(failure("SessionLost", { reason: "expired" }));
  await settled();

  assert.deepEqual(sessions[1].published.map(({ text }) => text), ["hello"]);
});

test("another life of the server: Enter goes first, though a request waited for a line", async () => {
  const { client, session, act } = await talking();
  await act(() => client.typed("hello", 0));
  await act(() => client.typed("/who", 0));
  session.hear(failure("SessionInterrupted", { reason: "restarted" }));
  await settled();
  assert.deepEqual(kinds(session), ["enter", "enter"]);
  enter(session);
  session.published[0].resolve({ epoch: "e1", offset: 4 });
  await settled();

  assert.deepEqual(kinds(session), ["enter", "enter", "who"]);
});

test("it dials until somebody answers, and says why it waits", async () => {
  const failures = [failure("ConnectError", { reason: "nobody is there" }), failure("Refused", { reason: "it is full" })];
  const { client, dials } = await talking({ failures });
  await settled();

  assert.equal(dials.length, 3);
  assert.equal(client.entered, true);
});

test("the state of the line is the client's", async () => {
  const { client, session } = await talking();
  session.change({ state: "reconnecting", reason: "the line dropped", retryIn: 3 });
  await settled();

  assert.deepEqual([client.line.state, client.line.redialAt], ["reconnecting", 3]);
  session.change({ state: "connected", reason: "" });
  await settled();
  assert.equal(client.line.state, "connected");
});

test("leaving closes the session when all is said, and nothing is dialled any more", async () => {
  const { client, session, act, running, dials } = await talking();
  await act(() => client.typed("bye", 0));
  await running;

  assert.equal(session.closed, "bye");
  assert.equal(dials.length, 1);
});

test("who is put out of a room stops reading it", async () => {
  const { client, session } = await talking();
  session.subscriptions.get("room.lobby").items.put(failure("NotAllowed"));
  await settled();

  assert.deepEqual(client.rooms.names, []);
});
