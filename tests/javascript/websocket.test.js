// Over WebSocket: the platform's, where it has one, through a bridge to a real server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConnectError, ConnectTimeout, connect } from "../../src/landline/javascript/index.js";
import { sharedServer, startProgram } from "./house.js";

const web = {};
const server = sharedServer({}, async (all) => Object.assign(web, await startProgram(all, "bridge.py", [new URL(server.address).port])));
const needs = { skip: globalThis.WebSocket ? false : "needs a WebSocket: node --experimental-websocket" };

test("a session over WebSocket writes whole frames, large ones among them, and comes back over another", needs, async () => {
  const { address } = web;
  const session = await connect(address, { pause: () => 0 });
  const values = ["small", new Uint8Array(900_000).fill(7), ...Array.from({ length: 500 }, (_, number) => number)];
  const sending = (async () => {
    for (const value of values) await session.send(value);
  })();
  const got = [];
  while (got.length < values.length) {
    got.push(await session.receive());
    if (got.length === 100) session.drop();
  }
  await sending;

  assert.deepEqual(got, values);
  await session.flush();
  await session.close();
  assert.equal(session.state, "closed");
});

test("a server that speaks it itself takes and tells the same", needs, async (t) => {
  if (!server.websocket) return t.skip("this server speaks no WebSocket yet");
  const session = await connect(server.address.replace("tcp", "ws"), { pause: () => 0 });
  const values = Array.from({ length: 300 }, (_, number) => [number, "x".repeat(number * 10)]);
  for (const value of values) await session.send(value);
  const got = [];
  while (got.length < values.length) {
    got.push(await session.receive());
    if (got.length % 100 === 0) session.drop();
  }

  assert.deepEqual(got, values);
  await session.close();
  assert.equal(session.state, "closed");
});

test("a page's own location is an address", needs, async () => {
  const { address } = web;
  const session = await connect(address.replace("ws", "http"));
  const position = await session.publish("talk.web", 1);

  assert.ok(position.offset > 0);
  await session.close();
});

test("no WebSocket there, or none here, is a ConnectError", needs, async () => {
  await assert.rejects(connect("ws://127.0.0.1:1"), (error) => error instanceof ConnectError && /no WebSocket answered/.test(error.message));
  const present = globalThis.WebSocket;
  globalThis.WebSocket = undefined;
  try {
    await assert.rejects(connect("ws://127.0.0.1:1"), /has no WebSocket/);
  } finally {
    globalThis.WebSocket = present;
  }
});

/** A WebSocket that takes its time, and says what was asked of it. */
class Fake extends EventTarget {
  static made = [];
  OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  sent = [];

  constructor(address) {
    super();
    this.address = address;
    Fake.made.push(this);
  }

  opens() {
    this.readyState = 1;
    this.onopen();
  }

  send(data) {
    this.sent.push(data);
  }

  close() {
    this.readyState = 3;
    this.isClosed = true;
  }
}

test("one that never opens is given up in time", async () => {
  await assert.rejects(connect("wss://example.org/chat", { WebSocket: Fake, connectTimeout: 0.02 }), ConnectTimeout);

  assert.equal(Fake.made.at(-1).address, "wss://example.org/chat");
  assert.ok(Fake.made.at(-1).isClosed);
});

test("while much waits in a socket nothing more is given to it", async () => {
  const { open } = await import("../../src/landline/javascript/carriers/websocket.js");
  const opening = open("ws://localhost", new AbortController().signal, Fake);
  const socket = Fake.made.at(-1);
  socket.opens();
  const carrier = await opening;
  const writable = new Promise((resolve) => carrier.start({ received() {}, ended() {}, writable: resolve }));
  assert.ok(carrier.isWritable);
  socket.bufferedAmount = 1 << 20;
  assert.equal(carrier.isWritable, false);
  assert.equal(carrier.backlog, 1 << 20);
  socket.bufferedAmount = 0;

  await writable;
  carrier.write([Uint8Array.of(1), Uint8Array.of(2, 3)]);
  assert.deepEqual(socket.sent, [Uint8Array.of(1, 2, 3)]);
});
