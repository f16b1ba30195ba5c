// Topics and durable sends with a real server, one that is killed and started again among them.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";

import {
  DataError, Full, Gap, LandlineError, NotAllowed, Position, Publication, PublishFailed, PublishUnknown, SessionInterrupted, TopicError, connect,
} from "../../src/landline/javascript/index.js";
import { changed, folder, memoryStorage, sharedServer, startProxy, startServer } from "./house.js";

const server = sharedServer({ limits: { max_flows: 3 } });
const QUICK = { pause: () => 0.01 };

test("what is published is told to who subscribes: what was kept first, then what comes", async () => {
  const session = await connect(server.address);
  const first = await session.publish("talk.first", { said: "before" });
  const got = [];
  for await (const item of session.subscribe("talk.first", { after: "start" })) {
    got.push(item);
    if (got.length === 1) session.publish("talk.first", "now");
    else break;
  }

  assert.ok(first instanceof Position && got[0] instanceof Publication);
  assert.deepEqual(got.map(({ topic, data }) => [topic, data]), [["talk.first", { said: "before" }], ["talk.first", "now"]]);
  assert.deepEqual(got[0].position, first);
  await session.close();
});

test("a subscription goes on after a position, also one that went through a storage", async () => {
  const session = await connect(server.address);
  const positions = [];
  for (const data of ["a", "b", "c"]) positions.push(await session.publish("talk.after", data));
  const after = JSON.parse(JSON.stringify(positions[0]));
  const subscription = session.subscribe("talk.*", { after });
  const got = [(await subscription.next()).value.data, (await subscription.next()).value.data];

  assert.deepEqual(got, ["b", "c"]);
  assert.deepEqual(subscription.position, positions[2]);
  subscription.close();
  assert.equal((await subscription.next()).done, true);
  await session.close();
});

test("the newest alone, and what retention removed is a Gap", async () => {
  const session = await connect(server.address);
  const positions = [];
  for (let number = 0; number < 5; number++) positions.push(await session.publish("short.one", number));
  const newest = await session.subscribe("short.one", { after: "last" }).next();
  const subscription = session.subscribe("short.one", { after: positions[0] });
  const items = [(await subscription.next()).value, (await subscription.next()).value, (await subscription.next()).value];

  assert.equal(newest.value.data, 4);
  assert.ok(items[0] instanceof Gap);
  assert.equal(items[0].reason, "expired");
  assert.deepEqual(items.slice(1).map(({ data }) => data), [3, 4]);
  await session.close();
});

test("names are checked here, rules at the server", async () => {
  const session = await connect(server.address);
  for (const name of ["", "a..b", "a b", "a.*", "x".repeat(256), "a\u200bb", Array(17).fill("t").join(".")]) {
    await assert.rejects(session.publish(name, 1), TopicError, name);
  }
  for (const name of ["a.**.b", "*.*.*", "a*", "a>"]) assert.throws(() => session.subscribe(name), TopicError, name);
  assert.throws(() => session.subscribe("talk.a", { after: "yesterday" }), TopicError);
  await assert.rejects(session.publish("unheard.of", 1), PublishFailed);
  await assert.rejects(session.publish("talk.large", new Uint8Array(1 << 20)), DataError);
  await assert.rejects(session.subscribe("unheard.of").next(), NotAllowed);
  await session.close();
});

test("a server allows so many subscriptions, and leaving one makes room", async () => {
  const session = await connect(server.address);
  const [first] = ["talk.a", "talk.b", "talk.c"].map((topic) => session.subscribe(topic));
  assert.throws(() => session.subscribe("talk.d"), Full);
  await session.send("turn");
  await session.receive();
  first.close();
  await session.send("turn");
  await session.receive();
  await session.send("turn"); // the reset's answer has come by now
  await session.receive();

  session.subscribe("talk.d");
  await session.close();
});

test("publishes are stored once and in order while the line is cut, many at a time", async (t) => {
  const proxy = await startProxy(t, server.address);
  proxy.budget = () => (proxy.lines > 15 ? Infinity : 2_000 + Math.floor(Math.random() * 10_000));
  const session = await connect(proxy.address, QUICK);
  const published = Array.from({ length: 1100 }, (_, number) => session.publish("talk.cut", number)); // more than may be unanswered
  const got = [];
  for await (const { data } of session.subscribe("talk.cut", { after: "start" })) {
    got.push(data);
    if (got.length === published.length) break;
  }
  const offsets = (await Promise.all(published)).map(({ offset }) => offset);

  assert.deepEqual(got, Array.from(published, (_, number) => number));
  assert.ok(offsets.every((offset, place) => place === 0 || offset > offsets[place - 1]));
  assert.ok(proxy.lines > 3, `only ${proxy.lines} lines`);
  await session.close();
});

test("a server that is killed and started again has each publish once, its subscribers no hole, and its programs each durable send", async (t) => {
  const storage = path.join(folder(t), "server.db");
  let life = await startServer(t, { storage });
  const proxy = await startProxy(t, life.address);
  const session = await connect(proxy.address, QUICK);
  const COUNT = 200;
  const got = [];
  const reading = (async () => {
    for await (const item of session.subscribe("talk.kill", { after: "start" })) {
      got.push(item.data);
      if (item.data === COUNT - 1) return;
    }
  })();
  const received = [];
  let interruptions = 0;
  const listening = (async () => {
    while (received.at(-1) !== "the end") {
      try {
        received.push(await session.receive());
      } catch (error) {
        if (!(error instanceof SessionInterrupted)) throw error;
        interruptions += 1;
      }
    }
  })();
  const plain = await session.send("in doubt, or acked");
  const positions = [];
  const receipts = [];
  for (let number = 0; number < COUNT; number++) {
    positions.push(session.publish("talk.kill", number));
    if (number % 20 === 0) receipts.push(await session.send(number, { durable: true }));
    if (number % 70 !== 69) continue;
    await positions[number - 50];
    await life.kill();
    life = await startServer(t, { storage });
    proxy.behind = life.address;
  }
  await session.send("the end", { durable: true });
  await Promise.all([reading, listening]);
  const offsets = (await Promise.all(positions)).map(({ offset }) => offset);
  const echoes = received.filter((each) => typeof each === "number");

  assert.deepEqual(got, Array.from({ length: COUNT }, (_, number) => number));
  assert.equal(new Set(offsets).size, COUNT);
  assert.equal(interruptions, 2);
  for (const receipt of receipts) assert.equal((await receipt.outcome).status, "acked");
  assert.ok(["acked", "unknown"].includes((await plain.outcome).status));
  assert.ok(echoes.every((number, place) => place === 0 || number >= echoes[place - 1]));
  await session.close();
});

test("what the server sends durably comes once, also when it is killed between two of them", async (t) => {
  const storage = path.join(folder(t), "server.db");
  const first = await startServer(t, { storage });
  const proxy = await startProxy(t, first.address);
  const session = await connect(proxy.address, QUICK);
  const values = Array.from({ length: 30 }, (_, number) => `durable ${number}`);
  const order = await session.send(["durably", ...values]);
  const got = [];
  while (got.length < 10) got.push(await session.receive());
  session.ack();
  await session.send("next");
  while (got.at(-1) !== "next") got.push(await session.receive());
  assert.equal((await order.outcome).status, "acked");
  await first.kill();
  proxy.behind = (await startServer(t, { storage })).address;
  while (got.filter((each) => each !== "next").length < values.length) {
    try {
      got.push(await session.receive());
    } catch (error) {
      assert.ok(error instanceof SessionInterrupted);
    }
  }

  assert.deepEqual(got.filter((each) => each !== "next"), values);
  await session.close();
});

test("a page that is reloaded goes on with what was not answered: once, oldest first, and only that", async (t) => {
  const storage = memoryStorage();
  const proxy = await startProxy(t, server.address);
  const first = await connect(proxy.address, { storage, ...QUICK, limits: { closeTimeout: 0.05 } });
  await first.publish("talk.page", "answered");
  await first.send("sent", { durable: true }).catch((error) => error); // this server keeps no sessions
  proxy.behind = "tcp://127.0.0.1:1";
  proxy.cut();
  const kept = [];
  const large = "!".repeat(20_000); // more than a flow begins with: who did not wait would overtake the second
  const waiting = [`one${large}`, `two${large}`].map((data) => first.publish("talk.page", data, { onKept: () => kept.push(data.slice(0, 3)) }).catch((error) => error));
  await changed(first.states(), ({ retryIn }) => retryIn !== undefined);
  const copy = memoryStorage(new Map(storage.values)); // what the next life finds; this one is closed without its knowing
  await first.close();
  const outcomes = await Promise.all(waiting);

  assert.deepEqual(kept, ["one", "two"]);
  assert.ok(outcomes.every((error) => error instanceof PublishUnknown && error.isKept));
  const second = await connect(server.address, { storage: copy });
  assert.deepEqual(second.earlier.map(({ topic, data }) => [topic, data.slice(0, 3)]), [["talk.page", "one"], ["talk.page", "two"]]);
  await second.publish("talk.page", "three");
  const positions = await Promise.all(second.earlier.map(({ position }) => position));
  assert.equal(positions.length, 2);
  await second.close();
  const third = await connect(server.address, { storage: copy });
  assert.deepEqual(third.earlier, []);
  const got = [];
  for await (const { data } of third.subscribe("talk.page", { after: "start" })) {
    got.push(data.replace(large, ""));
    if (data === "three") break;
  }
  assert.deepEqual(got, ["answered", "one", "two", "three"]);
  await third.close();
});

test("nothing is said before it is kept, and what is published meanwhile waits its turn", async () => {
  const storage = memoryStorage();
  const kept = storage.set;
  const session = await connect(server.address, { storage });
  await session.publish("talk.kept", "first"); // the server has opened the outbox by now
  let letGo;
  storage.set = async (key, value) => {
    if (value && !letGo) await new Promise((resolve) => (letGo = resolve));
    return kept(key, value);
  };
  const published = ["second", "third"].map((data) => session.publish("talk.kept", data));
  const other = await connect(server.address);
  await other.publish("talk.kept", "meanwhile");
  letGo();
  await Promise.all(published);
  const got = [];
  for await (const { data } of other.subscribe("talk.kept", { after: "start" })) {
    got.push(data);
    if (got.length === 4) break;
  }

  assert.deepEqual(got, ["first", "meanwhile", "second", "third"]);
  await Promise.all([session.close(), other.close()]);
});

test("a copied storage gives no number twice to the same server", async () => {
  const storage = memoryStorage();
  const first = await connect(server.address, { storage });
  const copies = [];
  const onKept = () => copies.push(new Map(storage.values), new Map(storage.values)); // it is not answered then
  const positions = [await first.publish("talk.copy", "first", { onKept })];
  await first.close();
  for (const values of copies) {
    const session = await connect(server.address, { storage: memoryStorage(values) });
    positions.push(await session.publish("talk.copy", "another"));
    assert.deepEqual(await session.earlier[0].position, positions[0]);
    await session.close();
  }

  assert.equal(new Set(positions.map(({ offset }) => offset)).size, 3);
});

test("a storage that fails is told, and nothing is published", async () => {
  const storage = memoryStorage();
  const session = await connect(server.address, { storage });
  storage.set = async () => {
    throw new Error("no room");
  };
  await assert.rejects(session.publish("talk.full", 1), (error) => error instanceof PublishFailed && /no room/.test(error.message));
  const receipt = await session.send("x", { durable: true });
  assert.equal((await receipt.outcome).status, "failed");
  await session.close();
  const damaged = memoryStorage(new Map([["landline.publish", Uint8Array.of(0xc1)]]));
  await assert.rejects(connect(server.address, { storage: damaged }), LandlineError);
});

test("a server without storage takes no durable sends, and the receipt says so", async () => {
  const session = await connect(server.address);
  const receipt = await session.send("x", { durable: true });

  assert.equal((await receipt.outcome).status, "failed");
  await session.close();
});
