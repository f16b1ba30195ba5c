// docs/protocol-vectors.json: every frame, every conversation, and the bad input that can reach a client.

import assert from "node:assert/strict";
import { test } from "node:test";

import { CloseCode, FrameDecoder, Type, encodeFrame, wordsOf } from "../../src/landline/javascript/frames.js";
import { FILE, Player, bytes, hex, mirrored } from "./player.js";

const GREETING = FILE.conversations.find(({ name }) => name === "a client comes in").steps;

/** Bad input that cannot reach a client, and why. */
const NOT_OURS = {
  "a token of the wrong size": "only a server is shown tokens",
  "talk before the token": "a client is told nothing before it has shown its token: the greeting is over for it then",
};

for (const { words, bytes: written } of FILE.frames) {
  test(`a frame is read byte by byte and written the same: ${words.slice(0, 40)}`, () => {
    const decoder = new FrameDecoder(1 << 20);
    const found = [...bytes(written)].flatMap((byte) => [...decoder.feed(Uint8Array.of(byte))]);

    assert.deepEqual(found.map((frame) => hex(encodeFrame(...frame))), [written]);
  });
}

for (const { name, role, limits, steps } of FILE.conversations) {
  test(`a conversation goes as it is written${role === "client" ? "" : ", in a mirror"}: ${name}`, () => {
    const player = new Player(limits);
    for (const step of role === "client" ? steps : mirrored(steps)) player.step(step);

    assert.equal(player.written, "");
  });
}

for (const { name, stage, arrives, ends, meaning } of FILE.bad_input) {
  test(`bad input ends a connection with its code: ${name}`, { skip: stage === "welcomed" && NOT_OURS[name] }, () => {
    const player = new Player();
    for (const step of GREETING.slice(0, stage === "fresh" ? 2 : undefined)) player.step(step);
    const { arrives: turned } = name === "a flow with a number of ours" ? mirrored([{ arrives }])[0] : { arrives };
    player.arrives(turned);
    player.collect();

    assert.equal(player.ended, ends);
    assert.equal(wordsOf(CloseCode, player.ended), meaning);
  });
}

test("two of the file's bad inputs cannot reach a client, and none is passed over by mistake", () => {
  assert.deepEqual(FILE.bad_input.filter(({ stage }) => stage === "welcomed").map(({ name }) => name), [
    "a token of the wrong size",
    "talk before the token",
  ]);
});

test("every type of frame is in the file", () => {
  const alone = new Set(FILE.frames.map(({ bytes: written }) => bytes(written)[4]));

  assert.deepEqual([...alone].sort((one, other) => one - other), Object.values(Type));
});
