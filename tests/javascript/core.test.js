// The session's own state beyond what the file of vectors has: flows, credit, replays, and what may not be said of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "../../src/landline/javascript/connection.js";
import { Core } from "../../src/landline/javascript/core.js";
import { Full } from "../../src/landline/javascript/errors.js";
import { CloseCode, FrameDecoder, MAGIC, ResetCode, Type, decodeCounts, encodeCounts, encodeFrame, joined } from "../../src/landline/javascript/frames.js";
import { encodeFields } from "../../src/landline/javascript/handshake.js";
import { limitsFrom } from "../../src/landline/javascript/limits.js";
import { WELCOME } from "./house.js";

const NAMES = Object.fromEntries(Object.entries(Type).map(([name, type]) => [type, name]));

/** A client whose line can be dropped: `says` is what arrives, `leaves` what it wrote, in words. */
class End {
  constructor({ limits = {}, welcome = {} } = {}) {
    this.limits = limitsFrom(limits);
    this.welcome = { ...WELCOME, ...welcome };
    this.core = new Core(this.limits, this.welcome);
    this.begin({});
    this.leaves();
  }

  begin(welcome) {
    const resumes = this.connection !== undefined;
    this.connection = new Connection(this.limits, 0);
    this.connection.greet(resumes ? { session: WELCOME.session } : { life: WELCOME.life });
    this.connection.dataToSend(0);
    const answer = { ...this.welcome, resumed: resumes, ...welcome };
    this.connection.receiveData(joined([MAGIC, encodeFields(Type.WELCOME, answer)]), 0);
    this.connection.carry(answer, this.core, 0);
  }

  says(...frames) {
    this.connection.receiveData(joined(frames), 0);
    return this.connection.events();
  }

  leaves(now = 0) {
    return [...new FrameDecoder(1 << 20).feed(joined([new Uint8Array(), ...this.connection.dataToSend(now)]))].map(([type, number, payload]) =>
      type >= Type.ACK && type <= Type.WAITING && type !== Type.CLOSE
        ? `${NAMES[type]} ${number} ${decodeCounts(payload, payload.length / 8).join()}`
        : `${NAMES[type]} ${number}`,
    );
  }

  /** How a connection ended over what arrived. */
  breaks(...frames) {
    return this.says(...frames).find(({ kind }) => kind === "ended")?.code;
  }
}

const text = (number = 0, size = 1) => encodeFrame(Type.TEXT, number, new Uint8Array(size).fill(65));
const open = (number, window = 1000) => encodeFields(Type.OPEN, { purpose: "p", window }, number);

test("a peer may send one message beyond its credit, and no more", () => {
  const limits = { limits: { window: 100 } };

  assert.equal(new End(limits).breaks(text(0, 99), text()), CloseCode.PROTOCOL_ERROR);
  assert.equal(new End(limits).breaks(text(0, 30), text(0, 5000)), undefined);
});

test("flows of the peer have even numbers that rise, and there are so many at once", () => {
  const end = () => new End({ limits: { maxFlows: 2 } });

  assert.equal(end().breaks(open(2), open(6)), undefined);
  for (const numbers of [[1], [2, 2], [4, 2], [2, 4, 6]]) {
    assert.equal(end().breaks(...numbers.map((number) => open(number))), CloseCode.PROTOCOL_ERROR, String(numbers));
  }
  const over = end();
  over.says(open(2), open(4), encodeFields(Type.RESET, { code: 0, handled: 0, taken: 0 }, 2));
  assert.equal(over.breaks(open(6)), undefined); // the first is over: we answered its reset
});

test("we open as many as the peer lets us, and one more when one is over", () => {
  const end = new End({ welcome: { max_flows: 1 } });
  const flow = end.core.openFlow("p");
  assert.throws(() => end.core.openFlow("p"), Full);
  end.core.abandonFlow(flow, ResetCode.CANCELLED);
  end.leaves();
  end.says(encodeFields(Type.RESET, { code: 0, handled: 0, taken: 0 }, 1));

  assert.equal(end.core.openFlow("p").number, 3);
});

test("what may not be said of a flow breaks the protocol; what may have crossed its end is not looked at", () => {
  const reset = (fields) => encodeFields(Type.RESET, { code: 0, handled: 0, taken: 0, ...fields }, 1);
  const end = () => {
    const made = new End();
    const flow = made.core.openFlow("p");
    made.core.send(flow, "one");
    made.leaves();
    return made;
  };
  const broken = [
    [encodeFrame(Type.DONE, 1)], [encodeFrame(Type.END, 1), encodeFrame(Type.END, 1)], [encodeFrame(Type.END, 1), text(1)],
    [encodeFrame(Type.END, 1, Uint8Array.of(1))], [encodeFrame(Type.END, 3)], [encodeCounts(Type.CREDIT, 3, 5000)], [encodeFrame(Type.DONE, 0)],
    [encodeFields(Type.OPEN, { purpose: "p" }, 2)],
  ];
  for (const frames of broken) assert.equal(end().breaks(...frames), CloseCode.PROTOCOL_ERROR);
  for (const fields of [{ taken: 2 }, { handled: 1 }]) assert.equal(end().breaks(reset(fields)), CloseCode.MISCOUNT);
  const over = end();
  over.says(reset({ taken: 1 }));
  over.leaves();

  assert.equal(over.breaks(encodeCounts(Type.HANDLED, 1, 1), encodeCounts(Type.CREDIT, 1, 9999), encodeCounts(Type.ASK, 1, 1)), undefined);
});

test("a field that is missing, of another type or out of its range breaks the protocol", () => {
  const good = [[Type.CLOSE, { code: 0 }], [Type.CLOSE, { code: 1, reason: "x".repeat(500), retry_in: 2_678_400, redirect: "tcp://there:1", other: [1] }]];
  const bad = [
    [Type.CLOSE, {}], [Type.CLOSE, { code: 99 }], [Type.CLOSE, { code: "0" }], [Type.CLOSE, { code: 0, reason: "x".repeat(501) }],
    [Type.CLOSE, { code: 1, retry_in: -1 }], [Type.CLOSE, { code: 1, retry_in: 2_678_401 }], [Type.CLOSE, { code: 1, redirect: 5 }], [Type.CLOSE, [0]],
    [Type.OPEN, { purpose: "x".repeat(256), window: 1 }], [Type.OPEN, { purpose: "p", window: -1 }], [Type.OPEN, { purpose: "p", window: 2n ** 63n }],
    [Type.OPEN, { purpose: "p", window: 0.5 }],
  ];
  for (const [type, fields] of good) assert.equal(new End().breaks(encodeFields(type, fields)), fields.code === 0 ? undefined : fields.code);
  for (const [type, fields] of bad) assert.equal(new End().breaks(encodeFields(type, fields, 2)), CloseCode.PROTOCOL_ERROR, JSON.stringify(Object.keys(fields)));
  assert.equal(new End().breaks(encodeFields(Type.OPEN, { purpose: "p", window: 2n ** 63n - 1n }, 2)), undefined);
});

test("a reset says what was taken and handled: what is beyond certainly failed", () => {
  const end = new End();
  const flow = end.core.openFlow("p");
  for (let number = 0; number < 4; number++) end.core.send(flow, number);
  end.leaves();
  end.says(encodeFields(Type.RESET, { code: 2, handled: 1, taken: 3, reason: "so" }, 1));

  assert.deepEqual([flow.handledByPeer, flow.reach, flow.sent], [1, 3, 4]);
  assert.deepEqual(flow.reset, { code: 2, handled: 1, taken: 3, reason: "so" });
});

test("what arrives for a flow after our reset is counted and dropped", () => {
  const end = new End();
  const flow = end.core.openFlow("p");
  end.leaves();
  end.core.abandonFlow(flow, ResetCode.UNWANTED);

  assert.equal(end.breaks(text(1), text(1)), undefined);
  assert.equal(end.core.received, 2);
  assert.equal(flow.inbox.length, 0);
});

test("nothing is told of a flow before its OPEN is written on this line", () => {
  const end = new End();
  const flow = end.core.openFlow("p");
  end.core.send(flow, "one");
  end.core.ask(flow);
  assert.deepEqual(end.leaves(), ["OPEN 1", "PACKED 1"].map((each) => each.replace("PACKED", "TEXT")));
  end.begin({});

  assert.deepEqual(end.leaves(), ["CONFIRM 0", "ACK 0 0,0", "HANDLED 0 0", "CREDIT 0 589824", "OPEN 1", "TEXT 1"]);
  assert.deepEqual(end.leaves(), ["HANDLED 1 0", "CREDIT 1 589824", "ASK 1 1"]);
});

test("after a drop only what the peer lacks is written again, and counts go on", () => {
  const end = new End();
  for (let number = 0; number < 3; number++) end.core.send(end.core.messages, "x");
  end.leaves();
  end.says(text());
  end.begin({ received: 1 });

  assert.deepEqual(end.leaves(), ["CONFIRM 0", "ACK 0 1,1", "HANDLED 0 0", "CREDIT 0 589824", "TEXT 0", "TEXT 0"]);
  assert.equal(end.breaks(encodeCounts(Type.ACK, 0, 3, 1)), undefined);
  assert.equal(end.core.sending.frames, 0);
});

test("several flows share one budget of credit, and each has some", () => {
  const end = new End({ limits: { window: 100_000, credit: 150_000 } });
  const flows = [1, 2, 3].map(() => end.core.openFlow("p"));
  const windows = flows.map(({ granted }) => granted);

  assert.deepEqual(windows, [25_000, 12_500, 6_250]);
});

test("flows take turns at being the first", () => {
  const end = new End({ welcome: { window: 1 << 30 } });
  const flows = [end.core.messages, end.core.openFlow("p")];
  end.leaves();
  end.says(encodeCounts(Type.CREDIT, 1, 1 << 30));
  for (const flow of flows) for (let number = 0; number < 40; number++) end.core.send(flow, new Uint8Array(17_000));
  const firsts = [end.leaves()[0], end.leaves()[0], end.leaves()[0]];

  assert.equal(new Set(firsts).size, 2);
});

test("the last counts stand right before our CLOSE, whoever closes", () => {
  for (const code of [CloseCode.GOING_AWAY, CloseCode.FAILED]) {
    const end = new End();
    end.says(text(), encodeFields(Type.CLOSE, { code }));
    assert.deepEqual(end.leaves(), ["ACK 0 1,0", "CLOSE 0"]);
  }
  const end = new End();
  end.core.send(end.core.messages, "last");
  end.says(text());
  end.core.take(end.core.messages);
  end.core.handleTaken(end.core.messages);
  end.connection.close(CloseCode.NORMAL, "", 0);

  assert.deepEqual(end.leaves(), ["TEXT 0", "ACK 0 1,1", "HANDLED 0 1", "CREDIT 0 589889", "CLOSE 0"]);
});

test("after our CLOSE nothing counted is written, and news still is", () => {
  const end = new End();
  end.connection.close(CloseCode.NORMAL, "", 0);
  assert.deepEqual(end.leaves(), ["CLOSE 0"]);
  end.core.send(end.core.messages, "too late");
  end.says(encodeFrame(Type.PING));

  assert.deepEqual(end.leaves(), ["PONG 0"]);
});

test("a peer that opens flows and acks nothing is not borne for ever", () => {
  const end = new End();
  let code;
  for (let number = 2; code === undefined && number < 20_000; number += 2) {
    code = end.breaks(open(number), encodeFields(Type.RESET, { code: 0, handled: 0, taken: 0 }, number));
    if (number % 200 === 0) end.leaves();
  }

  assert.equal(code, CloseCode.PROTOCOL_ERROR);
});
