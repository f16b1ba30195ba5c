// What the tests of whole sessions stand on: a real server in a process of its own, a line that can be cut, and a server that says what it is told.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

import { FrameDecoder, MAGIC, Type, encodeFrame } from "../../src/landline/javascript/frames.js";
import { encodeFields } from "../../src/landline/javascript/handshake.js";
import { decode } from "../../src/landline/javascript/unpack.js";

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const PYTHON = process.env.LANDLINE_TEST_PYTHON ?? path.join(HERE, "../../.venv/bin/python");

/** A folder that goes with its test. */
export function folder(t) {
  const made = mkdtempSync(path.join(tmpdir(), "landline-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Starts server.py; `stop` drains it, `kill` does not. */
export async function startServer(t, options = {}) {
  const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, typeof value === "object" ? JSON.stringify(value) : `${value}`]);
  return startProgram(t, "server.py", given);
}

/** One for all tests of a file that need nothing special; called where these are named. */
export function sharedServer(options, alsoStart = async () => {}) {
  const server = {};
  const ends = [];
  const all = { after: (end) => ends.push(end) };
  before(async () => {
    Object.assign(server, await startServer(all, options));
    await alsoStart(all);
  });
  after(() => Promise.all(ends.map((end) => end())));
  return server;
}

/** Starts a program of this folder that says its address. */
export async function startProgram(t, name, given = []) {
  const child = spawn(PYTHON, [path.join(HERE, name), ...given], { stdio: ["pipe", "pipe", "inherit"] });
  const over = once(child, "exit");
  const end = async (how) => {
    if (child.exitCode === null && child.signalCode === null) how();
    await over;
  };
  t.after(() => end(() => child.kill("SIGKILL")));
  const [line] = await once(createInterface(child.stdout), "line");
  return {
    ...JSON.parse(line),
    stop: () => end(() => child.stdin.end()),
    kill: () => end(() => child.kill("SIGKILL")),
  };
}

/** A line through which everything goes, until it is cut or frozen. `behind` may change: the next call goes there. */
export async function startProxy(t, behind) {
  const pairs = new Set();
  const proxy = { behind, lines: 0, budget: () => Infinity };
  const server = net.createServer((caller) => {
    proxy.lines += 1;
    const { hostname, port } = new URL(proxy.behind);
    const callee = net.connect(Number(port), hostname);
    const pair = { caller, callee };
    pairs.add(pair);
    let left = proxy.budget();
    for (const [from, to] of [[caller, callee], [callee, caller]]) {
      from.on("data", (data) => {
        if (proxy.isFrozen) return;
        to.write(data.subarray(0, left)); // what is beyond goes with the line, in the middle of a frame as a rule
        left -= data.length;
        if (left <= 0) for (const each of [caller, callee]) each.destroySoon();
      });
      from.on("error", () => {});
      from.on("close", () => {
        pairs.delete(pair);
        to.destroySoon();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy.address = `tcp://127.0.0.1:${server.address().port}`;
  proxy.cut = () => pairs.forEach(({ caller, callee }) => [caller, callee].forEach((each) => each.destroy()));
  t.after(() => {
    proxy.cut();
    server.close();
  });
  return proxy;
}

export const WELCOME = {
  session: new Uint8Array(16).fill(1), token: new Uint8Array(32).fill(2), life: new Uint8Array(16).fill(3), received: 0, resumed: false,
  window: 1 << 18, max_message: 1 << 20, heartbeat: 25, dead_after: 8, resume_window: 300, max_flows: 64,
};

/**
 * A server that says what it is told: `answers` are called one after the other, each with a line of its own and the client's greeting on it.
 */
export async function startScripted(t, ...answers) {
  const said = [];
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const decoder = new FrameDecoder(1 << 20);
    let isGreeted = false;
    let head = Buffer.alloc(0);
    const line = {
      frames: [],
      say: (type, payload = new Uint8Array(), number = 0) => {
        if (!socket.destroyed) socket.write(payload instanceof Uint8Array ? encodeFrame(type, number, payload) : encodeFields(type, payload, number));
      },
      greet: (type, fields) => {
        socket.write(MAGIC);
        line.say(type, fields);
      },
      hangUp: () => socket.destroy(),
    };
    socket.on("data", (data) => {
      let rest = data;
      if (!isGreeted) {
        head = Buffer.concat([head, data]);
        if (head.length < MAGIC.length) return;
        rest = head.subarray(MAGIC.length);
        head = Buffer.alloc(0);
      }
      for (const [type, number, payload] of decoder.feed(new Uint8Array(rest))) {
        if (isGreeted) line.frames.push({ type, number, payload: payload.slice() });
        else {
          isGreeted = true;
          said.push({ type, ...decode(payload) });
          answers.shift()?.(line, said.at(-1));
        }
        line.on?.(type, payload, number);
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `tcp://127.0.0.1:${server.address().port}`, said };
}

/** Lets a client in, and acks nothing. */
export const welcome = (fields) => (line) => line.greet(Type.WELCOME, { ...WELCOME, ...fields });

/** Turns it away. */
export const refuse = (code, fields) => (line) => line.greet(Type.REFUSE, { code, ...fields });

/** The first change of state that fits. */
export async function changed(states, fits) {
  for await (const change of states) if (fits(change)) return change;
  throw new Error("the session ended before");
}

/** A storage in memory, and what is in it. */
export function memoryStorage(values = new Map()) {
  return {
    values,
    get: (key) => values.get(key),
    set: async (key, value) => void (value === null ? values.delete(key) : values.set(key, value)),
  };
}
