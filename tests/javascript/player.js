// Plays docs/protocol-vectors.json against our end, from the file alone.
//
// The conversations of a server are played as in a mirror: what it writes in the greeting arrives, what arrives there leaves, and flows change
// the end that opened them. After the greeting both ends keep the same rules, so all the rest is the same bytes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { Connection } from "../../src/landline/javascript/connection.js";
import { Core } from "../../src/landline/javascript/core.js";
import { FrameDecoder, MAGIC, ResetCode, Type, encodeFrame, joined } from "../../src/landline/javascript/frames.js";
import { encodeFields } from "../../src/landline/javascript/handshake.js";
import { limitsFrom } from "../../src/landline/javascript/limits.js";
import { decode } from "../../src/landline/javascript/unpack.js";

export const FILE = JSON.parse(readFileSync(new URL("../../docs/protocol-vectors.json", import.meta.url), "utf8"));

const SESSION = Uint8Array.from({ length: 16 }, (_, place) => place);
const LIFE = SESSION.map((byte) => byte + 16);
const TOKEN = Uint8Array.from({ length: 32 }, (_, place) => place);

export const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
export const hex = (data) => Buffer.from(data).toString("hex");

/** The frames of a step, without the magic. */
export function framesOf(data) {
  const rest = hex(data).startsWith(hex(MAGIC)) ? data.subarray(MAGIC.length) : data;
  return [...new FrameDecoder(1 << 20).feed(rest)];
}

const written = (...frames) => frames.map((frame) => hex(encodeFrame(...frame))).join("");

/** One step or several for a client, out of those of a server. */
export function mirrored(steps) {
  const ours = [];
  const flow = (number) => (number ? number + (number % 2 ? 1 : -1) : 0);
  const turned = (data) => written(...framesOf(bytes(data)).map(([type, number, payload]) => [type, flow(number), payload]));
  for (let place = 0; place < steps.length; place++) {
    const step = steps[place];
    const first = step.arrives === undefined ? undefined : framesOf(bytes(step.arrives))[0]?.[0];
    if (first === Type.HELLO || first === Type.RESUME) {
      const [greeting, welcome] = exchanged(step.arrives, steps[place + 2].leaves);
      const [confirm, ...told] = framesOf(bytes(steps[place + 3].arrives));
      ours.push(first === Type.HELLO ? { greet: {} } : { resume: { attempt: 2 } });
      ours.push({ leaves: greeting }, { arrives: welcome }, { carry: {} });
      ours.push({ leaves: written(confirm) + steps[place + 4].leaves }, { arrives: written(...told) });
      place += 4;
      continue;
    }
    const copy = { ...step, flow: flow(step.flow ?? 0) };
    if (step.arrives !== undefined) copy.arrives = turned(step.arrives);
    if (step.leaves !== undefined) copy.leaves = turned(step.leaves);
    ours.push(copy);
  }
  return ours;
}

/** The two greetings, each end granting what the other one did. */
function exchanged(greeting, welcome) {
  const [[type, , asked], [, , answered]] = [...framesOf(bytes(greeting)), ...framesOf(bytes(welcome))];
  if (type === Type.RESUME) return [greeting, welcome];
  const [ours, theirs] = [decode(asked), decode(answered)];
  [ours.window, theirs.window] = [theirs.window, ours.window];
  return [encodeFields(Type.HELLO, ours), encodeFields(Type.WELCOME, theirs)].map((frame) => hex(joined([MAGIC, frame])));
}

export class Player {
  constructor(limits = {}) {
    this.limits = limitsFrom(limits);
    this.now = 0;
    this.ended = undefined;
    this.written = "";
    this.connection = new Connection(this.limits, 0);
  }

  step(step) {
    const [verb] = Object.keys(step);
    if (verb === "leaves") {
      assert.equal(this.written, step.leaves, String(step.words));
      this.written = "";
    } else if (verb === "ends") {
      assert.equal(this.ended, step.ends);
    } else {
      assert.equal(this.written, "", "something left that the file does not have");
      this[verb](step[verb], step.flow ?? 0);
      this.collect();
    }
  }

  collect() {
    this.written += this.connection.dataToSend(this.now).map(hex).join("");
    for (const event of this.connection.events()) {
      if (event.kind === "ended") this.ended = event.code;
      if (event.kind === "welcomed") this.welcome = event.welcome;
    }
  }

  flow(number) {
    return this.core.flows.get(number);
  }

  arrives(data) {
    this.connection.receiveData(bytes(data), this.now);
  }

  after(seconds) {
    this.now += seconds;
    this.connection.handleTimeout(this.now);
  }

  greet() {
    this.connection.greet({ life: LIFE, window: this.limits.window, max_message: this.limits.maxMessage, max_flows: 64 });
  }

  resume({ attempt }) {
    this.connection.greet({ session: SESSION, token: TOKEN, attempt, life: LIFE, received: this.core.received });
  }

  carry() {
    this.core ??= new Core(this.limits, this.welcome);
    this.connection.carry(this.welcome, this.core, this.now);
  }

  drop() {
    this.connection.receiveEnd();
    this.connection = new Connection(this.limits, this.now);
  }

  send(text, flow) {
    this.core.send(this.flow(flow), text);
  }

  take(count, flow) {
    for (; count > 0; count--) this.core.take(this.flow(flow));
  }

  handled(_, flow) {
    this.core.handleTaken(this.flow(flow));
  }

  end(_, flow) {
    this.core.endFlow(this.flow(flow));
  }

  reset(_, flow) {
    this.core.abandonFlow(this.flow(flow), ResetCode.UNWANTED);
  }

  close() {
    this.connection.close(0, "", this.now);
  }
}
