// What time does to a connection, without any passing: every deadline, and the clock of a machine that slept.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "../../src/landline/javascript/connection.js";
import { Core } from "../../src/landline/javascript/core.js";
import { CloseCode, FrameDecoder, MAGIC, Type, encodeFrame, joined } from "../../src/landline/javascript/frames.js";
import { encodeFields } from "../../src/landline/javascript/handshake.js";
import { Heartbeat } from "../../src/landline/javascript/heartbeat.js";
import { limitsFrom } from "../../src/landline/javascript/limits.js";
import { wakefulClock } from "../../src/landline/javascript/waiting.js";
import { WELCOME } from "./house.js";

const NAMES = Object.fromEntries(Object.entries(Type).map(([name, type]) => [type, name]));

/** A connection that talks, at time 0, with what it wrote in the greeting taken away. */
function talking(limits = limitsFrom(), welcome = WELCOME) {
  const connection = new Connection(limits, 0);
  connection.greet({ life: new Uint8Array(16), window: limits.window, max_message: limits.maxMessage, max_flows: 64 });
  connection.dataToSend(0);
  connection.receiveData(joined([MAGIC, encodeFields(Type.WELCOME, welcome)]), 0);
  const core = new Core(limits, welcome);
  connection.carry(welcome, core, 0);
  connection.dataToSend(0);
  connection.events();
  return { connection, core };
}

const written = (connection, now) =>
  connection.dataToSend(now).flatMap((data) => [...new FrameDecoder(1 << 20).feed(data)].map(([type]) => NAMES[type]));

const ended = (connection) => connection.events().find(({ kind }) => kind === "ended");

test("an answer to the first frame is waited for as long as a dial may take", () => {
  const connection = new Connection(limitsFrom(), 5);
  assert.equal(connection.timeoutAt(), 15);
  connection.handleTimeout(14.9);
  assert.equal(ended(connection), undefined);
  connection.handleTimeout(15);

  assert.equal(ended(connection).code, CloseCode.TIMED_OUT);
  assert.deepEqual(connection.dataToSend(15), []);
});

test("an unfinished frame has its time, and a second more for each KiB", () => {
  const { connection } = talking();
  const frame = encodeFrame(Type.BYTES, 0, new Uint8Array(10 << 10));
  connection.receiveData(frame.subarray(0, 5), 1);
  connection.receiveData(frame.subarray(5, 100), 2);
  for (let now = 3; now < 41; now += 5) connection.handleTimeout(now);
  assert.equal(ended(connection), undefined);
  connection.handleTimeout(41.1);

  assert.equal(ended(connection).code, CloseCode.TIMED_OUT);
  assert.equal(written(connection, 41.1).at(-1), "CLOSE");
});

test("silence is asked about, suspected, and ends the line; any byte proves life", () => {
  const { connection } = talking();
  connection.handleTimeout(25);
  assert.deepEqual(written(connection, 25), ["PING"]);
  connection.handleTimeout(29);
  assert.deepEqual(connection.events().map(({ kind }) => kind), ["suspected"]);
  connection.receiveData(encodeFrame(Type.PONG).subarray(0, 1), 30);
  assert.deepEqual(connection.events().map(({ kind }) => kind), ["heard"]);
  connection.receiveData(encodeFrame(Type.PONG).subarray(1), 30);
  for (const now of [55, 59, 63]) connection.handleTimeout(now);

  assert.equal(ended(connection).code, CloseCode.DEAD);
});

test("a timer that comes late finds nobody dead: it asks first, and waits anew", () => {
  const { connection } = talking();
  for (let now = 10_000; now < 100_000; now += 10_000) {
    connection.handleTimeout(now);
    assert.deepEqual(written(connection, now), ["PING"]);
  }
  assert.equal(ended(connection), undefined);
  connection.handleTimeout(90_004);
  connection.handleTimeout(90_008);

  assert.equal(ended(connection).code, CloseCode.DEAD);
});

test("who asks for a sign of life gives the peer all of its time to answer", () => {
  const { connection } = talking();
  connection.handleTimeout(25);
  connection.handleTimeout(29);
  connection.probe(32.9);
  assert.deepEqual(written(connection, 32.9), ["PING", "PING"]);
  connection.handleTimeout(40);
  assert.equal(ended(connection), undefined);
  connection.handleTimeout(40.9);

  assert.equal(ended(connection).code, CloseCode.DEAD);
});

test("a fifth is taken off the interval by chance, and no peer can ask for a flood of pings", () => {
  assert.equal(new Heartbeat(20, 8, 100).timeoutAt(), 120);
  const { connection } = talking(limitsFrom(), { ...WELCOME, heartbeat: 0, dead_after: 0 });
  assert.ok(connection.timeoutAt() >= 0.05);
});

test("bytes that wait and of which none leaves end the line, not those that leave slowly", () => {
  const { connection, core } = talking();
  core.send(core.messages, "x".repeat(1000));
  assert.equal(written(connection, 1).at(-1), "TEXT");
  let now = 1;
  for (let backlog = 1000; backlog > 0; backlog -= 100) connection.handleTimeout((now += 2.5), backlog);
  assert.equal(ended(connection), undefined);
  for (let looks = 0; looks < 5; looks++) connection.handleTimeout((now += 2.5), 100);

  assert.equal(ended(connection).reason, "the server takes no more bytes");
});

test("a close waits for the server's in time, and what was sent goes first", () => {
  const { connection, core } = talking();
  core.send(core.messages, "last");
  connection.close(CloseCode.NORMAL, "done", 1);
  assert.deepEqual(written(connection, 1).slice(-2), ["TEXT", "CLOSE"]);
  connection.handleTimeout(5.9);
  assert.equal(ended(connection), undefined);
  connection.handleTimeout(6);

  assert.equal(ended(connection).code, CloseCode.TIMED_OUT);
});

test("a server's close is answered in time, whether our program has handled all or not", () => {
  const { connection, core } = talking();
  connection.receiveData(joined([encodeFrame(Type.TEXT, 0, Uint8Array.of(65)), encodeFields(Type.CLOSE, { code: 0 })]), 1);
  assert.deepEqual(connection.events().map(({ kind }) => kind), ["arrived", "peer closed"]);
  connection.handleTimeout(6);

  assert.equal(written(connection, 6).at(-1), "CLOSE");
  assert.equal(ended(connection).code, CloseCode.NORMAL);
  assert.equal(core.isEverythingHandled, false);
});

test("several flows write in turns, and END stands after all of its flow", () => {
  const { connection, core } = talking();
  const [one, other] = [core.openFlow("a"), core.openFlow("b")];
  for (let number = 0; number < 3; number++) for (const flow of [one, other]) core.send(flow, new Uint8Array(1000));
  core.endFlow(one);
  const frames = connection.dataToSend(1).flatMap((data) => [...new FrameDecoder(1 << 20).feed(data)].map(([type, number]) => `${NAMES[type]} ${number}`));

  assert.deepEqual(frames.slice(0, 2), ["OPEN 1", "OPEN 3"]);
  assert.equal(frames.filter((each) => each === "BYTES 3").length, 3);
  assert.equal(frames.at(-1), "END 1");
  assert.ok(!frames.includes("CREDIT 3") || frames.indexOf("CREDIT 3") > 1); // nothing is said of a flow before its OPEN
});

test("the default clock goes on when the wall's has gone on without it", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const clock = wakefulClock();
  const before = clock();
  t.mock.timers.setTime(1_000_000 + 3_600_000);
  const after = clock();
  t.mock.timers.setTime(1_000_000);

  assert.ok(after - before > 3599.9); // what passed before the clock was looked at is none of it
  assert.ok(clock() >= after, "it never goes back");
});
