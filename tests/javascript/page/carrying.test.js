/** What the page sends of its files at the same time, and in which order. */

import assert from "node:assert/strict";
import test from "node:test";

import { carryFiles } from "../../../src/landline/apps/chat/page/carrying.js";
import { inLobby } from "./model.js";

/** A client that offers files numbered by `wanted`, over a session whose sends the test ends itself. */
function carrying() {
  const client = inLobby();
  const sends = new Map();
  const sendFile = (_source, { name }) =>
    new Promise((resolve, reject) => sends.set(name, { resolve, reject: () => reject(new Error("not passed on")) }));
  const session = { files: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }), return() {} }), sendFile };
  const link = { advance: () => carrier.stir(), now: () => 0, arrival: () => null };
  const carrier = carryFiles(session, client, link);
  return {
    client,
    /** Names of what is being sent and has not ended. */
    get sending() {
      return [...sends.keys()];
    },
    offer(name) {
      client.files.offer({ name, size: 10 }, { room: "lobby" }, 0);
      return client.toSend().find(({ t }) => t === "offer-file").file;
    },
    want(file, ticket, by = "ben") {
      client.heard({ t: "file-wanted", file, ticket, by }, 0);
      carrier.stir();
    },
    async end(name, how = "resolve") {
      sends.get(name)[how]();
      sends.delete(name);
      await new Promise(setImmediate);
    },
  };
}

test("four files go at the same time; the next when one is through, in the order they were wanted", async () => {
  const at = carrying();
  const [first, second] = [at.offer("a"), at.offer("b")];
  for (const ticket of [1, 2, 3, 4]) at.want(first, ticket);
  at.want(second, 5);
  at.want(first, 6);
  assert.deepEqual(at.sending, ["1", "2", "3", "4"]);

  await at.end("2");
  assert.deepEqual(at.sending, ["1", "3", "4", "5"]);
});

test("who was given up for taking nothing waits behind who waited for them, whichever file they want", async () => {
  const at = carrying();
  const [first, second] = [at.offer("a"), at.offer("b")];
  for (const ticket of [1, 2, 3, 4]) at.want(first, ticket);
  for (const ticket of [5, 6]) at.want(second, ticket);

  for (const ticket of [11, 12]) at.want(first, ticket);
  for (const name of ["1", "2", "3"]) await at.end(name, "reject");
  assert.deepEqual(at.sending, ["4", "5", "6", "b"]);
});

test("what is taken back while it waits is not sent", async () => {
  const at = carrying();
  const [first, second, third] = [at.offer("a"), at.offer("b"), at.offer("c")];
  for (const ticket of [1, 2, 3, 4]) at.want(first, ticket);
  at.want(second, 5);
  at.want(third, 6);
  at.client.files.refuse(2, 0);

  await at.end("1");
  assert.deepEqual(at.sending, ["2", "3", "4", "6"]);
});
