// How a client comes in and comes back, with a server that says whatever a server may say.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";

import {
  AddressError, ConnectError, ConnectTimeout, Refused, SessionClosed, SessionInterrupted, SessionLost, connect,
} from "../../src/landline/javascript/index.js";
import { CloseCode, MAGIC, Type, encodeCounts, wordsOf } from "../../src/landline/javascript/frames.js";
import { encode } from "../../src/landline/javascript/pack.js";
import { decode } from "../../src/landline/javascript/unpack.js";
import { WELCOME, changed, refuse, startScripted, welcome } from "./house.js";

const QUICK = { pause: () => 0, limits: { closeTimeout: 0.01 } };
const RESUMED = { resumed: true };
const GOING_ON = [CloseCode.GOING_AWAY, CloseCode.DEAD, CloseCode.BUSY, CloseCode.TIMED_OUT];

/** A line that is hung up as soon as the client has confirmed. */
const brief = (fields) => (line) => {
  line.on = (type) => type === Type.CONFIRM && line.hangUp();
  welcome(fields)(line);
};

/** Says nothing, and hangs up. */
const silent = (line) => line.hangUp();

/** The line after the client has confirmed, and what it says then. */
function talk(fields) {
  const ready = Promise.withResolvers ? Promise.withResolvers() : withResolvers();
  const answer = (line) => {
    line.on = (type) => type === Type.CONFIRM && ready.resolve(line);
    welcome(fields)(line);
  };
  return { answer, line: ready.promise };
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

const frames = async (line, type, count = 1) => {
  while (line.frames.filter((frame) => frame.type === type).length < count) await new Promise(setImmediate);
  return line.frames.filter((frame) => frame.type === type);
};

test("attempts rise strictly, tokens are shown until a newer one came, and the counts go along", async (t) => {
  const token = new Uint8Array(32).fill(9);
  const last = talk({ ...RESUMED, token: new Uint8Array(32).fill(10) });
  const { address, said } = await startScripted(
    t, brief(), silent, silent, brief({ ...RESUMED, token }), refuse(CloseCode.STALE, { attempt: 40 }), last.answer,
  );
  const session = await connect(address, { credentials: { user: "me" }, ...QUICK });
  await last.line;

  assert.deepEqual(said.map(({ attempt }) => attempt), [undefined, 2, 3, 4, 5, 41]);
  assert.deepEqual(said.slice(1, 4).map((resume) => resume.token), Array(3).fill(WELCOME.token));
  assert.deepEqual(said.slice(4).map((resume) => resume.token), [token, token]);
  for (const resume of said.slice(1)) {
    assert.deepEqual([resume.session, resume.life, resume.received], [WELCOME.session, WELCOME.life, 0]);
  }
  assert.deepEqual(said.map(({ credentials }) => credentials), Array(6).fill({ user: "me" }));
  assert.equal(session.id, "01".repeat(16));
  await session.close();
});

test("what a server still knows of a session that ended settles each receipt", async (t) => {
  const first = talk();
  const { address } = await startScripted(t, first.answer, refuse(CloseCode.FAILED, { received: 2, handled: 1 }));
  const session = await connect(address, QUICK);
  const receipts = ["a", "b", "c"].map((value) => session.sendNow(value));
  const line = await first.line;
  await frames(line, Type.TEXT, 3);
  line.hangUp();

  await assert.rejects(session.receive(), (error) => error instanceof SessionLost && error.received === 2 && error.unacked === 2);
  assert.deepEqual(await Promise.all(receipts.map(async ({ outcome }) => (await outcome).status)), ["acked", "unknown", "failed"]);
});

test("a server that had closed in peace says so, and what it had handled", async (t) => {
  const first = talk();
  const { address } = await startScripted(t, first.answer, refuse(CloseCode.NORMAL, { received: 1, handled: 1, reason: "done" }));
  const session = await connect(address, QUICK);
  const receipts = ["a", "b"].map((value) => session.sendNow(value));
  const line = await first.line;
  await frames(line, Type.TEXT, 2);
  line.hangUp();

  await assert.rejects(session.receive(), (error) => error instanceof SessionClosed && error.reason === "done");
  assert.deepEqual(await Promise.all(receipts.map(async ({ outcome }) => (await outcome).status)), ["acked", "failed"]);
});

test("a refusal says by its code whether the session lives on", async (t) => {
  for (const code of Object.values(CloseCode)) {
    const last = talk(RESUMED);
    const { address } = await startScripted(t, brief(), refuse(code), last.answer);
    const session = await connect(address, QUICK);
    if (GOING_ON.includes(code)) {
      await last.line;
      assert.equal(session.isClosed, false);
          await session.close();
    } else {
      await assert.rejects(session.receive(), (error) => (code === CloseCode.NORMAL ? error instanceof SessionClosed : error.reason === wordsOf(CloseCode, code)));
    }
  }
});

test("a close says by its code whether the session lives on, and is answered with the last counts", async (t) => {
  for (const code of Object.values(CloseCode)) {
    const first = talk();
    const last = talk(RESUMED);
    const { address } = await startScripted(t, first.answer, last.answer);
    const session = await connect(address, QUICK);
    const line = await first.line;
    line.say(Type.CLOSE, { code, reason: "so it is" });
    const [close] = await frames(line, Type.CLOSE);

    assert.equal(decode(close.payload).code, code);
    if (GOING_ON.includes(code)) {
      await last.line;
          await session.close();
    } else {
      await assert.rejects(session.receive(), (error) => error.reason.endsWith("so it is"));
    }
  }
});

test("how long a server wishes us away is kept to, spread by half of it", async (t) => {
  for (const [random, expected] of [[0, 0.02], [0.5, 0.04], [1, 0.06]]) {
    const last = talk(RESUMED);
    const { address } = await startScripted(t, brief(), refuse(CloseCode.BUSY, { retry_in: 0.04 }), last.answer);
    const session = await connect(address, { ...QUICK, random: () => random });
    const planned = changed(session.states(), ({ retryIn }) => retryIn > 0);
    await last.line;

    assert.equal((await planned).retryIn, expected);
      await session.close();
  }
});

test("pauses are drawn evenly from a span that doubles", async (t) => {
  const last = talk(RESUMED);
  const { address } = await startScripted(t, brief(), silent, silent, silent, last.answer);
  const limits = { ...QUICK.limits, redialMin: 0.01, redialMax: 0.03 };
  const session = await connect(address, { random: () => 0.5, limits });
  const pauses = [];
  for await (const { state, retryIn } of session.states()) {
    if (retryIn !== undefined) pauses.push(retryIn);
    if (state === "connected") break;
  }

  assert.deepEqual(pauses.slice(-4), [0.005, 0.01, 0.015, 0.015]);
  await session.close();
});

test("a count that cannot be ends the session, and the server is told", async (t) => {
  const second = { frames: [] };
  const { address } = await startScripted(t, brief(), (line) => {
    Object.assign(second, { line });
    welcome({ ...RESUMED, received: 5 })(line);
  });
  const session = await connect(address, QUICK);

  await assert.rejects(session.receive(), (error) => error instanceof SessionLost && error.reason.startsWith("miscount"));
});

test("a welcome that answers another question is no welcome", async (t) => {
  const last = talk(RESUMED);
  const other = { ...RESUMED, session: new Uint8Array(16) };
  const { address, said } = await startScripted(t, brief(), welcome({ resumed: false }), welcome(other), last.answer);
  const session = await connect(address, QUICK);
  await last.line;

  assert.equal(said.length, 4);
  await session.close();
  const resuming = await startScripted(t, welcome(RESUMED), welcome(RESUMED));
  await assert.rejects(connect(resuming.address), ConnectError);
});

test("in another life of the server receipts settle, the counts begin anew, and the program is told once", async (t) => {
  const first = talk({ window: 200 });
  const last = talk({ ...RESUMED, life: new Uint8Array(16).fill(77), window: 1 << 18 });
  const { address } = await startScripted(t, first.answer, last.answer);
  const session = await connect(address, QUICK);
  const line = await first.line;
  const receipts = ["a", "b", "c", "d"].map((value) => session.sendNow(value + "x".repeat(40)));
  await frames(line, Type.TEXT, 2);
  line.say(Type.TEXT, new TextEncoder().encode("before"));
  line.say(Type.HANDLED, encodeCounts(0, 0, 1).subarray(9));
  assert.equal((await receipts[0].outcome).status, "acked");
  line.hangUp();
  const again = await last.line;
  const acks = await frames(again, Type.ACK);

  assert.deepEqual(acks[0].payload, new Uint8Array(16));
  assert.equal(await session.receive(), "before");
  await assert.rejects(session.receive(), (error) => error instanceof SessionInterrupted && error.unacked === 3);
  assert.deepEqual(await Promise.all(receipts.map(async ({ outcome }) => (await outcome).status)), ["acked", "unknown", "failed", "failed"]);
  again.say(Type.TEXT, new TextEncoder().encode("after"));
  assert.equal(await session.receive(), "after");
  await session.close();
});

test("a server that goes names another address: it is followed if it is one of ours, and to no other", async (t) => {
  const there = talk(RESUMED);
  const elsewhere = await startScripted(t, welcome(RESUMED));
  const back = talk(RESUMED);
  const second = await startScripted(t, there.answer, back.answer);
  const first = talk();
  const here = await startScripted(t, first.answer, brief(RESUMED));
  const session = await connect([here.address, second.address], QUICK);
  (await first.line).say(Type.CLOSE, { code: CloseCode.GOING_AWAY, redirect: second.address, retry_in: 0 });
  const line = await there.line;
  line.say(Type.CLOSE, { code: CloseCode.GOING_AWAY, redirect: elsewhere.address, retry_in: 0 });
  await back.line;

  assert.deepEqual([here.said.length, second.said.length, elsewhere.said.length], [1, 2, 0]);
  await session.close();
});

test("only the word of its home ends a session, at any address that carried it in this life of the server", async (t) => {
  const last = talk(RESUMED);
  const home = await startScripted(t, brief(), silent, last.answer, silent);
  const other = await startScripted(t, refuse(CloseCode.UNKNOWN_SESSION), brief(RESUMED), refuse(CloseCode.EXPIRED));
  const session = await connect([home.address, other.address], QUICK);
  (await last.line).hangUp();

  await assert.rejects(session.receive(), (error) => error.reason === "expired");
  assert.deepEqual([home.said.length, other.said.length], [4, 3]);
});

test("in another life of the server the addresses before are no homes any more", async (t) => {
  const last = talk({ ...RESUMED, life: new Uint8Array(16).fill(6) });
  const first = await startScripted(t, brief(), silent, refuse(CloseCode.UNKNOWN_SESSION));
  const second = await startScripted(t, brief({ ...RESUMED, life: new Uint8Array(16).fill(6) }), silent, last.answer);
  const session = await connect([first.address, second.address], QUICK);
  await last.line;

  assert.deepEqual([first.said.length, second.said.length], [3, 3]);
  await session.close();
});

test("a server that goes hands its session over: the word of the one that it names ends it", async (t) => {
  const first = talk();
  const here = await startScripted(t, first.answer, ...Array(9).fill(silent));
  const there = await startScripted(t, refuse(CloseCode.UNKNOWN_SESSION));
  const session = await connect([here.address, there.address], QUICK);
  (await first.line).say(Type.CLOSE, { code: CloseCode.GOING_AWAY, redirect: there.address });

  await assert.rejects(session.receive(), (error) => error.reason === "unknown session");
  assert.equal(here.said.length, 1);
});

test("a first dial is repeated for a server that goes, and once for a line that drops", async (t) => {
  const last = talk();
  const going = refuse(CloseCode.GOING_AWAY, { retry_in: 0.01 });
  const { address, said } = await startScripted(t, going, silent, going, last.answer);
  const session = await connect(address, QUICK);
  assert.equal(said.length, 4);
  await session.close();
  const refused = await startScripted(t, refuse(CloseCode.GOING_AWAY, { retry_in: 100 })); // longer than a dial may take

  await assert.rejects(connect(refused.address, QUICK), Refused);
  const dropping = await startScripted(t, silent, silent, welcome());
  await assert.rejects(connect(dropping.address, QUICK), ConnectError);
  assert.equal(dropping.said.length, 2);
});

test("who answers nothing, or something else, is no server of ours", async (t) => {
  const speaks = async (...bytes) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      if (bytes.length) socket.write(Uint8Array.from(bytes));
      t.after(() => socket.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    return `tcp://127.0.0.1:${server.address().port}`;
  };

  await assert.rejects(connect(await speaks(), { connectTimeout: 0.02 }), ConnectTimeout);
  await assert.rejects(connect(await speaks(...Buffer.from("220 mail"))), /does not speak landline/);
  await assert.rejects(connect(await speaks(...MAGIC.subarray(0, 7), 2)), /speaks version 2/);
});

test("a session that no server takes up is lost when its time is over", async (t) => {
  const { address } = await startScripted(t, brief({ resume_window: 0.1 }), ...Array(50).fill(silent));
  const session = await connect(address, { pause: () => 0.03 });

  await assert.rejects(session.receive(), (error) => error.reason === "no server went on with it for 0.1 s");
});

test("a pause of the program's own that fails loses the session", async (t) => {
  const { address } = await startScripted(t, brief());
  const session = await connect(address, {
    pause: () => {
      throw new Error("a bug");
    },
  });

  await assert.rejects(session.receive(), /cannot be redialled: Error: a bug/);
});

test("a page that hears that the network is back does not wait for the next dial", async (t) => {
  const last = talk(RESUMED);
  const { address } = await startScripted(t, brief(), last.answer);
  const session = await connect(address, { ...QUICK, pause: () => 200 });
  await changed(session.states(), ({ retryIn }) => retryIn === 200);
  session.probe();
  await last.line;
  await session.close();
});

test("a close that nobody answers ends in time: closed if all had arrived, else lost", async (t) => {
  const { address } = await startScripted(t, welcome(), welcome());
  const limits = { closeTimeout: 0.03 };
  const told = await connect(address, { limits });
  await told.close("goodbye");
  assert.equal(told.state, "closed");
  const untold = await connect(address, { limits });
  const receipt = untold.sendNow("unread");
  await untold.close();

  assert.equal(untold.state, "lost");
  assert.equal((await receipt.outcome).status, "unknown");
});

test("a durable send that is said again is answered, and not given again", async (t) => {
  const outbox = new Uint8Array(16).fill(5);
  const first = talk();
  const last = talk({ ...RESUMED, life: new Uint8Array(16).fill(8) });
  const { address } = await startScripted(t, first.answer, last.answer);
  const session = await connect(address, QUICK);
  const data = (text) => Uint8Array.of(Type.TEXT, ...new TextEncoder().encode(text));
  const answers = async (line, count) => (await frames(line, Type.BYTES, count)).map(({ payload }) => decode(payload));
  const begin = (line) => {
    line.say(Type.OPEN, { purpose: "landline.send", window: 1 << 18 }, 2);
    line.say(Type.BYTES, encode([0, outbox]), 2);
  };
  const line = await first.line;
  begin(line);
  line.say(Type.BYTES, encode([1, 1, 0, "", data("one")]), 2);
  line.say(Type.BYTES, encode([1, 2, 0, "", data("two")]), 2);
  assert.equal(await session.receive(), "one");
  const two = session.receive();
  assert.equal(await two, "two");
  assert.deepEqual(await answers(line, 2), [[0, false], [1, 1, "", 0]]);
  line.hangUp();
  const again = await last.line;
  begin(again);
  again.say(Type.BYTES, encode([1, 1, 0, "", data("one")]), 2);
  again.say(Type.BYTES, encode([1, 2, 0, "", data("two")]), 2);
  again.say(Type.BYTES, encode([1, 3, 2, "", Uint8Array.of(Type.TEXT, 0xff)]), 2);
  again.say(Type.BYTES, encode([1, 3, 2, "", data("three, which was given up")]), 2);
  again.say(Type.BYTES, encode([1, 4, 2, "", data("four")]), 2);
  await assert.rejects(session.receive(), SessionInterrupted);

  assert.equal(await session.receive(), "four");
  const [opened, ...rest] = await answers(again, 5);
  assert.deepEqual(opened, [0, true]);
  assert.deepEqual(rest.map(([what, number, code]) => [what, number, code]), [[1, 1, ""], [1, 2, ""], [2, 3, 0], [2, 3, 2]]);
  await session.close();
});

test("a subscription goes on in another life after what it was told, gaps that were passed over included", async (t) => {
  const lives = [1, 2, 3].map((life) => talk({ resumed: life > 1, life: new Uint8Array(16).fill(life) }));
  const { address } = await startScripted(t, ...lives.map(({ answer }) => answer));
  const session = await connect(address, QUICK);
  const subscription = session.subscribe("a.*", { after: "last" });
  const asked = async (line) => decode((await frames(line, Type.BYTES))[0].payload);
  const first = await lives[0].line;
  assert.deepEqual(await asked(first), ["a.*", 3, "", 0]);
  for (const said of [[1, "e", 7], [0, "a.b", 8, Uint8Array.of(Type.TEXT, 65)], [2, "a.*", "e", 8, "e", 12, "the reader was behind"]]) {
    first.say(Type.BYTES, encode(said), 1);
  }
  const items = [(await subscription.next()).value, (await subscription.next()).value];
  assert.deepEqual([items[0].data, items[0].position.offset, items[1].to.offset], ["A", 8, 12]);
  const next = subscription.next();
  first.hangUp();
  const second = await lives[1].line;
  assert.deepEqual(await asked(second), ["a.*", 0, "e", 12]);
  second.say(Type.BYTES, encode([1, "f", 12]), 1);
  second.say(Type.BYTES, encode([2, "a.*", "e", 12, "f", 15, "expired"]), 1);
  assert.equal((await next).value.reason, "expired");
  const last = subscription.next();
  second.hangUp();

  assert.deepEqual(await asked(await lives[2].line), ["a.*", 0, "f", 12]);
  await session.close();
  assert.equal((await last).done, true);
});

test("addresses are read strictly, and the location of a page becomes that of its server", async () => {
  for (const address of ["nonsense", "ftp://there", "tcp://there", "tcp://:1", ""]) await assert.rejects(connect(address), AddressError, address);
  await assert.rejects(connect([]), AddressError);
  await assert.rejects(connect("http://127.0.0.1:1/chat#here", { WebSocket: undefined }), (error) => error.address === "ws://127.0.0.1:1/chat");
  await assert.rejects(connect("tcp://127.0.0.1:1", { limits: { windows: 1 } }), RangeError);
  await assert.rejects(connect("tcp://127.0.0.1:1", { limits: /** @type {any} */ ({ constructor: 1 }) }), RangeError);
  await assert.rejects(connect("tcp://127.0.0.1:1", { limits: { window: 0.5 } }), RangeError);
});
