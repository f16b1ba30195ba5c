// Credentials that are a function, and those that are shown over a live session, to a real server and to one that says what it is told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DataError, NotAllowed, SessionLost, connect } from "../../src/landline/javascript/index.js";
import { WELCOME, startScripted, startServer, welcome } from "./house.js";

const QUICK = { pause: () => 0, limits: { closeTimeout: 0.5 } };

const state = async (session, wanted) => {
  for await (const change of session.states()) if (change.state === wanted) return;
};

test("a function is asked at every dial", async (t) => {
  let asked = 0;
  const { address, said } = await startScripted(t, (line) => line.hangUp(), (line) => line.hangUp());
  await assert.rejects(connect(address, { credentials: async () => ++asked, ...QUICK }));

  assert.deepEqual(said.map(({ credentials }) => credentials), [1, 2]);
});

test("what a function throws the first dial rejects with, and what cannot be sent", async (t) => {
  const { address } = await startScripted(t);
  const thrown = new Error("no key");
  const failing = () => {
    throw thrown;
  };
  await assert.rejects(connect(address, { credentials: failing }), thrown);
  await assert.rejects(connect(address, { credentials: () => "x".repeat(4000) }), DataError);
  await assert.rejects(connect(address, { credentials: () => new Promise(() => {}), connectTimeout: 0.01 }), /too long/);
});

test("a redial without credentials is tried again", async (t) => {
  const warned = t.mock.method(console, "warn", () => {});
  const { address } = await startServer(t);
  const given = [() => "good", () => { throw new Error("away"); }, () => Promise.reject(new Error("away")), () => "good"];
  const session = await connect(address, { credentials: () => given.shift()(), ...QUICK });
  const isBack = state(session, "connected");
  await session.send("hello");
  await session.receive();
  session.drop();
  await isBack;
  await session.send("again");
  assert.equal(await session.receive(), "again");
  assert.equal(given.length, 0);
  assert.equal(warned.mock.callCount(), 2);
  await session.close();
});

test("a session stays for as long as there are new credentials, over one line", async (t) => {
  const { address } = await startServer(t);
  let asked = 0;
  let isThird;
  const third = new Promise((resolve) => (isThird = resolve));
  const credentials = () => {
    if (++asked === 3) isThird();
    return ["token", asked, 2.5];
  };
  const session = await connect(address, { credentials, random: () => 0, ...QUICK }); // at 60 % of the time: a second before it is over
  await third;
  await session.refresh();
  await session.send("still here");
  assert.equal(await session.receive(), "still here");
  assert.equal(session.state, "connected");
  assert.ok(asked >= 4);
  await session.close();
});

test("what was refused is not shown again, and the session ends when its time is over", async (t) => {
  const warned = t.mock.method(console, "warn", () => {});
  const { address } = await startServer(t);
  const given = [["token", 2]];
  const session = await connect(address, { credentials: () => given.shift() ?? "bad", ...QUICK });
  await assert.rejects(session.refresh(), NotAllowed);
  await assert.rejects(session.receive(), (error) => error instanceof SessionLost && /credentials ran out/.test(error.reason));
  assert.equal(warned.mock.callCount(), 0); // by itself it has shown nothing
});

test("a grant that cannot be read is no welcome", async (t) => {
  const { address } = await startScripted(t, welcome({ expires_in: "soon" }), welcome({ expires_in: -1 }));
  await assert.rejects(connect(address, QUICK));
  assert.ok(!("expires_in" in WELCOME));
});

test("nothing waits any more when a session is over", async (t) => {
  const { address } = await startServer(t);
  const session = await connect(address, { credentials: ["token", 1000], ...QUICK });
  await session.close();
  // Node would not come to the end of this file for 600 seconds.
});
