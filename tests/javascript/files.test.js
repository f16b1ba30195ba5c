// Files between the JavaScript client and a Python server: whole, over cut lines, and on where they stopped.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { Arrival, LandlineError, TransferError, TransferRefused, connect } from "../../src/landline/javascript/index.js";
import { Sha256 } from "../../src/landline/javascript/sha256.js";
import { folder, sharedServer, startProxy } from "./house.js";

const server = sharedServer();
const QUICK = { pause: () => 0 };
const SIZE = (3 << 20) + 17;

/** Bytes that repeat nowhere near. */
function content(size, seed = 1) {
  const made = new Uint8Array(size);
  let word = seed;
  for (let i = 0; i < size; i++) made[i] = (word = (Math.imul(word, 1664525) + 1013904223) | 0) >>> 24;
  return made;
}

function fileOf(size, name = "a.bin", seed = 1) {
  return Object.assign(new Blob([content(size, seed)]), { name, lastModified: 1_700_000_000_000 });
}

async function open(t, address = server.address) {
  const session = await connect(address, QUICK);
  t.after(() => session.close());
  return session;
}

test("SHA-256 is that of the platform, however it is cut", () => {
  for (const size of [...Array(200).keys(), 1000]) {
    const bytes = content(size);
    const expected = createHash("sha256").update(bytes).digest("hex");
    for (const step of [1, 7, 64, 1001]) {
      const hash = new Sha256();
      for (let at = 0; at < size; at += step) hash.update(bytes.subarray(at, at + step));
      assert.equal(Buffer.from(hash.digest()).toString("hex"), expected);
      assert.equal(Buffer.from(hash.digest()).toString("hex"), expected); // it may be asked again
    }
  }
});

test("a file is sent whole, with its time, and leaves no flow behind", async (t) => {
  const to = folder(t);
  const session = await open(t);
  await session.send(["take-file", to]);
  for (const [index, size] of [0, 1, 65536, SIZE].entries()) {
    const told = [];
    const sent = await session.sendFile(fileOf(size, `../${index}.bin`, index), { progress: (done) => told.push(done) });

    assert.deepEqual(sent, { name: `${index}.bin`, size, resumed: 0 });
    assert.deepEqual(readFileSync(path.join(to, `${index}.bin`)), Buffer.from(content(size, index)));
    assert.deepEqual([told[0], told.at(-1)], [0, size]);
  }
});

test("more files are sent than a session may have flows", async (t) => {
  const to = folder(t);
  const session = await open(t);
  await session.send(["take-file", to]);
  for (let i = 0; i < 70; i++) await session.sendFile(fileOf(3, `${i}`, i));

  assert.equal(readdirSync(to).length, 70);
});

test("a file goes on over lines that are cut", async (t) => {
  const to = folder(t);
  const proxy = await startProxy(t, server.address);
  const session = await open(t, proxy.address);
  await session.send(["take-file", to]);
  let last = 0;
  const cut = (done) => {
    if (done - last > 1 << 20) {
      last = done;
      proxy.cut();
    }
  };
  const sent = await session.sendFile(fileOf(SIZE), { progress: cut });

  assert.ok(proxy.lines > 2);
  assert.equal(sent.resumed, 0);
  assert.deepEqual(readFileSync(path.join(to, "a.bin")), Buffer.from(content(SIZE)));
});

test("sent again after it was given up, only the rest is sent", async (t) => {
  const to = folder(t);
  const session = await open(t);
  await session.send(["take-file", to]);
  const giving = new AbortController();
  const halfway = (done) => done >= 2 << 20 && giving.abort();
  await assert.rejects(session.sendFile(fileOf(SIZE), { progress: halfway, signal: giving.signal }), { name: "AbortError" });
  const sent = await session.sendFile(fileOf(SIZE));

  assert.ok(sent.resumed > 0);
  assert.deepEqual(readFileSync(path.join(to, "a.bin")), Buffer.from(content(SIZE)));
});

test("who takes no files refuses them", async (t) => {
  const session = await open(t);
  await assert.rejects(session.sendFile(fileOf(3)), (error) => error instanceof TransferRefused && error.message === "nobody here takes files");
});

async function offered(t, size = SIZE, address = server.address) {
  const session = await open(t, address);
  const offers = session.files();
  const from = folder(t);
  const source = path.join(from, "b.bin");
  writeFileSync(source, content(size));
  const next = async () => {
    await session.send(["send-file", source]);
    return (await offers.next()).value;
  };
  return { session, offers, next, source };
}

test("a file is received as a blob, over lines that are cut", async (t) => {
  const proxy = await startProxy(t, server.address);
  const { next } = await offered(t, SIZE, proxy.address);
  const offer = await next();
  assert.deepEqual([offer.name, offer.size], ["b.bin", SIZE]);
  let last = 0;
  const progress = (done) => {
    if (done - last > 1 << 20) {
      last = done;
      proxy.cut();
    }
  };
  const blob = await offer.accept({ progress });

  assert.ok(proxy.lines > 2);
  assert.deepEqual(Buffer.from(await blob.arrayBuffer()), Buffer.from(content(SIZE)));
  assert.throws(() => offer.refuse(), LandlineError);
});

test("what came of it is gone on with, and begun anew where it is another file", async (t) => {
  const { next, source } = await offered(t);
  const arrival = new Arrival();
  const giving = new AbortController();
  const halfway = (done) => done >= 1 << 20 && giving.abort();
  await assert.rejects((await next()).accept({ arrival, progress: halfway, signal: giving.signal }), { name: "AbortError" });
  const before = arrival.size;
  assert.ok(before >= 1 << 20);
  const told = [];
  const blob = await (await next()).accept({ arrival, progress: (done) => told.push(done) });
  assert.equal(told[0], before);
  assert.deepEqual(Buffer.from(await blob.arrayBuffer()), Buffer.from(content(SIZE)));

  writeFileSync(source, content(SIZE, 2));
  const other = [];
  const second = await (await next()).accept({ arrival, progress: (done) => other.push(done) });
  assert.equal(other[0], 0);
  assert.deepEqual(Buffer.from(await second.arrayBuffer()), Buffer.from(content(SIZE, 2)));
});

test("a no, and no more of them, are told", async (t) => {
  const { session, offers, next } = await offered(t, 3);
  (await next()).refuse("not today");
  const offer = await next();
  await offers.return();
  assert.equal((await offers.next()).done, true);
  const blob = await offer.accept(); // what was given goes on
  assert.equal(blob.size, 3);
  await session.send("still here");
  assert.equal(await session.receive(), "still here");
});

test("a session that is lost ends what is on its way", async (t) => {
  const to = folder(t);
  const session = await open(t);
  await session.send(["take-file", to]);
  const progress = (done) => done > 1 << 20 && void session.send(["fail"]);
  await assert.rejects(session.sendFile(fileOf(20 << 20), { progress }), (error) => !(error instanceof TransferError) && error instanceof LandlineError);
  assert.equal(existsSync(path.join(to, "a.bin")), false);
});
