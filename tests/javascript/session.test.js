// Whole sessions with a real server, over real sockets.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import {
  ConnectError, DataError, Full, Refused, SessionClosed, SessionLost, connect,
} from "../../src/landline/javascript/index.js";
import { changed, folder, sharedServer, startProxy, startServer } from "./house.js";

/** Quick to notice silence, and small, so that credit matters. */
const LIMITS = { heartbeat_interval: 0.2, dead_after: 1, stalled_after: 0.05, window: 4096 };
const UNIX = `unix://${folder({ after })}/landline.sock`;
const server = sharedServer({ limits: LIMITS, unix: UNIX });
const QUICK = { pause: () => 0.005 };

test("every kind of value comes back as it was, and is acked when the next is asked for", async (t) => {
  const { address } = server;
  const session = await connect(address);
  const values = [
    "text", "", Uint8Array.of(0, 255), null, true, 0, -1, 2.5, 2n ** 63n, -(2n ** 63n), [1, ["2"]], { a: { b: [] } }, new Date(1234567890123),
    new Map([[1, "one"], [[2, 3], "two"]]), "ÿ€𝄞\ufeff",
  ];
  const receipts = [];
  for (const value of values) receipts.push(await session.send(value));
  const back = [];
  while (back.length < values.length) back.push(await session.receive());

  assert.deepEqual(back, values);
  for (const receipt of receipts) assert.deepEqual(await receipt.outcome, { status: "acked", reason: "" });
  await session.flush();
  await session.close();
  assert.equal(session.state, "closed");
  await assert.rejects(session.send("late"), SessionClosed);
});

test("what cannot be sent is told at once, and disturbs nothing", async (t) => {
  const { address } = server;
  const session = await connect(address);
  const loop = [];
  loop.push(loop);
  for (const value of ["\ud800", () => 1, Symbol("s"), 2n ** 64n, loop, { a: new WeakMap() }, new Uint8Array(2 << 20), new Map([[{ a: 1 }, 2]])]) {
    await assert.rejects(session.send(value), DataError);
    assert.throws(() => session.sendNow(value), DataError);
  }
  await session.send("good");

  assert.equal(await session.receive(), "good");
  await session.close();
});

test("numbers arrive once and in order in both directions while the line is cut again and again", async (t) => {
  const COUNT = 1500;
  const { address } = server;
  const proxy = await startProxy(t, address);
  proxy.budget = () => (proxy.lines > 25 ? Infinity : 200 + Math.floor(Math.random() * 12_000));
  const session = await connect(proxy.address, QUICK);
  await session.send(["numbers", COUNT]);
  const sending = (async () => {
    for (let number = 0; number < COUNT; number++) await session.send(["number", number]);
    await session.send(["heard"]);
  })();
  const got = [];
  let heard;
  while (got.length < COUNT || !heard) {
    const [what, value] = await session.receive();
    if (what === "number") got.push(value);
    else heard = value;
  }
  await sending;
  const expected = Array.from({ length: COUNT }, (_, number) => number);

  assert.deepEqual(got, expected);
  assert.deepEqual(heard, expected);
  assert.ok(proxy.lines > 5, `only ${proxy.lines} lines`);
  await session.close();
});

test("a line that goes silent is suspected, dropped, and the session goes on over another", async (t) => {
  const { address } = server;
  const proxy = await startProxy(t, address);
  const session = await connect(proxy.address, QUICK);
  const states = session.states();
  proxy.isFrozen = true;
  await changed(session.states(), ({ state }) => state === "suspect");
  await changed(session.states(), ({ state }) => state === "reconnecting");
  proxy.isFrozen = false;
  proxy.cut();
  await session.send("after all");

  assert.equal(await session.receive(), "after all");
  await session.close("enough");
  const seen = [];
  for await (const { state, was } of states) if (state !== was) seen.push(state);
  assert.deepEqual(seen.slice(0, 2), ["suspect", "reconnecting"]);
  assert.deepEqual(seen.slice(-2), ["closing", "closed"]);
});

test("a machine that slept asks before it judges", async (t) => {
  const { address } = server;
  const proxy = await startProxy(t, address);
  let slept = 0;
  const session = await connect(proxy.address, { ...QUICK, clock: () => performance.now() / 1000 + slept });
  const states = session.states();
  for (let nights = 0; nights < 3; nights++) {
    slept += 8 * 3600;
    session.probe();
    await session.send(nights);
    assert.equal(await session.receive(), nights);
  }
  await session.close();
  const seen = [];
  for await (const { state } of states) seen.push(state);

  assert.equal(proxy.lines, 1);
  assert.deepEqual(seen, ["closing", "closed"]);
});

test("a session goes over a Unix socket, too", async () => {
  const session = await connect(UNIX);
  await session.send("here");

  assert.equal(await session.receive(), "here");
  await session.close();
});

test("who is not let in is told why", async (t) => {
  const { address } = server;

  await assert.rejects(connect(address, { credentials: "bad" }), (error) => error instanceof Refused && error.code === "unauthorized");
  await assert.rejects(connect(address, { credentials: "x".repeat(4000) }), DataError);
  await (await connect(address, { credentials: "good" })).close();
});

test("nobody there is a ConnectError, and the next address is tried", async (t) => {
  const { address } = server;
  const proxy = await startProxy(t, address);

  await assert.rejects(connect("tcp://127.0.0.1:1"), ConnectError);
  const session = await connect(["tcp://127.0.0.1:1", proxy.address]);
  await session.send("here");
  assert.equal(await session.receive(), "here");
  await session.close();
});

test("the server closes: what came before is handed out, then the loop ends", async () => {
  const session = await connect(server.address, { limits: { closeTimeout: 600 } }); // it ends for what was handled, not for the time
  await session.send("one");
  await session.send(["close", "that was all"]);
  const got = [];
  for await (const message of session) got.push(message);

  assert.deepEqual(got, ["one"]);
  assert.ok(session.isClosed);
  await assert.rejects(session.receive(), (error) => error instanceof SessionClosed && error.reason === "that was all");
});

test("a server's program that fails loses the session, and receipts say what is not known", async (t) => {
  const { address } = server;
  const session = await connect(address);
  const failing = await session.send(["fail"]);
  const receipts = [];
  for (let number = 0; number < 20; number++) receipts.push(session.sendNow("x".repeat(1000)));
  await assert.rejects(session.receive(), (error) => error instanceof SessionLost && error.reason.startsWith("failed"));
  const outcomes = await Promise.all([failing, ...receipts].map(({ outcome }) => outcome));

  assert.notEqual(outcomes[0].status, "acked");
  assert.equal(outcomes.at(-1).status, "failed"); // there was no credit for it
  assert.equal(session.state, "lost");
});

test("a full outbox throws from sendNow, and has send wait until there is room", async (t) => {
  const { address } = server;
  const session = await connect(address, { limits: { outboxMessages: 3 } });
  session.drop(0.05);
  for (let number = 0; number < 3; number++) session.sendNow(number);
  assert.throws(() => session.sendNow(3), Full);
  await session.send(3);

  for (let number = 0; number < 4; number++) assert.equal(await session.receive(), number);
  await session.close();
});

test("two programs that only send are told that they wait for each other", async (t) => {
  const { address } = server;
  const session = await connect(address, { limits: { stalledAfter: 0.05, window: 4096, outboxMessages: 10, closeTimeout: 0.05 } });
  const states = session.states();
  await session.send(["flood", 1000]);
  const sending = (async () => {
    for (;;) await session.send("y".repeat(1000));
  })().catch((error) => error);
  const change = await changed(states, ({ reason }) => reason.startsWith("stalled"));

  assert.equal(change.state, "connected");
  await session.close();
  assert.ok((await sending) instanceof SessionClosed);
});

test("an abort ends connecting, and later the session", async (t) => {
  const { address } = server;
  const giveUp = new AbortController();
  await assert.rejects(connect(address, { signal: AbortSignal.abort() }), { name: "AbortError" });
  const session = await connect(address, { signal: giveUp.signal });
  giveUp.abort();

  await assert.rejects(session.receive(), SessionClosed);
});

test("a server that restarts politely is waited for as long as it says", async (t) => {
  const first = await startServer(t, { "retry-in": 0.2 });
  const proxy = await startProxy(t, first.address);
  const session = await connect(proxy.address, QUICK);
  const leaving = changed(session.states(), ({ state, retryIn }) => state === "reconnecting" && retryIn !== undefined);
  await first.stop();
  const { retryIn } = await leaving;
  proxy.behind = server.address;

  assert.ok(retryIn >= 0.1 && retryIn <= 0.6, `${retryIn}`);
  await assert.rejects(session.receive(), (error) => error instanceof SessionLost && error.reason === "unknown session");
});

test("a server is at each address that carried the session: the word of any of them ends it", { timeout: 30_000 }, async (t) => {
  const nowhere = "tcp://127.0.0.1:1";
  const [first, second] = [await startServer(t), await startServer(t)];
  const [one, two] = [await startProxy(t, first.address), await startProxy(t, first.address)];
  const session = await connect([one.address, two.address], QUICK);
  const back = changed(session.states(), ({ state }) => state === "connected");
  one.behind = nowhere;
  one.cut();
  await back;
  [one.behind, two.behind] = [second.address, nowhere];
  two.cut();

  await assert.rejects(session.receive(), (error) => error instanceof SessionLost && error.reason === "unknown session");
});
