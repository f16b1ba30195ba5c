// One carrier and one connection, joined: a write a turn, and a look at the clock now and then.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "../../src/landline/javascript/connection.js";
import { Core } from "../../src/landline/javascript/core.js";
import { Driver } from "../../src/landline/javascript/driver.js";
import { FrameDecoder, MAGIC, Type, joined } from "../../src/landline/javascript/frames.js";
import { encodeFields } from "../../src/landline/javascript/handshake.js";
import { limitsFrom } from "../../src/landline/javascript/limits.js";
import { WELCOME } from "./house.js";

const turn = () => new Promise(setImmediate);
const types = (frames) => [...new FrameDecoder(1 << 20).feed(joined([new Uint8Array(), ...frames]))].map(([type]) => type);

/** A session on a carrier that remembers what it is given. */
async function joinedTo(clock) {
  const carrier = {
    peer: "nowhere", backlog: 0, isWritable: true, writes: [],
    start: (receiver) => Object.assign(carrier, { receiver }),
    write: (frames) => carrier.writes.push(frames),
    close: () => (carrier.isClosed = true),
    abort: () => carrier.receiver.ended(),
  };
  const connection = new Connection(limitsFrom(), clock());
  connection.greet({ life: WELCOME.life });
  const driver = new Driver(connection, carrier, clock, (event) => {
    if (event.kind !== "welcomed") return;
    const core = new Core(limitsFrom(), WELCOME);
    core.wake = () => driver.schedule();
    connection.carry(WELCOME, core, clock());
  });
  driver.start();
  await turn();
  carrier.receiver.received(joined([MAGIC, encodeFields(Type.WELCOME, WELCOME)]));
  await turn();
  carrier.writes = [];
  return { carrier, connection, driver };
}

test("everything of one turn is one write, and nothing is written while the carrier takes no more", async () => {
  const { carrier, connection, driver } = await joinedTo(() => 0);
  const { core } = connection;
  for (let number = 0; number < 3; number++) {
    core.send(core.messages, number);
    await null; // a program that awaits each send is still in the same turn
  }
  await turn();
  assert.deepEqual(carrier.writes.map((frames) => types(frames).length), [3]);
  carrier.isWritable = false;
  core.send(core.messages, "waits");
  await turn();
  assert.equal(carrier.writes.length, 1);
  carrier.isWritable = true;
  carrier.receiver.writable();
  await turn();

  assert.equal(carrier.writes.length, 2);
  driver.abort();
  await turn();
  assert.ok(carrier.isClosed);
});

test("a machine that slept is noticed by the clock, soon after it woke, whatever its timers did meanwhile", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  const { carrier, driver } = await joinedTo(() => now);
  for (let seconds = 0; seconds < 3; seconds++) {
    now += 1;
    t.mock.timers.tick(1000); // acks go, and only silence is left to wait for
    await turn();
  }
  carrier.writes = [];
  now += 8 * 3600;
  t.mock.timers.tick(5000); // all that passed for its timers
  await turn();

  assert.deepEqual(carrier.writes.flatMap(types), [Type.PING]);
  driver.abort();
  await turn();
});
