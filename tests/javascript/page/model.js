/**
 * A client of the page for the tests, and a server's side of conversations with it.
 */

import { Client } from "../../../src/landline/apps/chat/page/client.js";

/** A client whose run and lines are numbered 100, 101, 102... @param {object} [options] */
export function newClient(options = {}) {
  let number = 100n;
  return new Client({ name: "ana", rooms: ["lobby"], draw: () => number++, wall: () => 1000, ...options });
}

/** A client that has entered and is in the lobby with ben, who said these lines before. */
export function inLobby({ lines = [], ...options } = {}) {
  const client = newClient(options);
  client.opened(0, []);
  client.heard({ t: "entered", name: "ana", epoch: "e1" }, 0);
  client.heard(joined("lobby", lines), 0);
  read(client, "lobby", lines);
  client.toSend();
  return client;
}

/** What a server says to whoever is to read these lines first. */
export function joined(room, lines = [], { epoch = "e1", after, missing } = {}) {
  const begin = after ?? (lines.length ? lines[0].offset - 1 : 0);
  const until = lines.length ? lines.at(-1).offset : 0;
  const told = { t: "joined", room, members: [{ name: "ana" }, { name: "ben" }], after: { epoch, offset: begin }, until };
  return missing ? { ...told, missing } : told;
}

/** Have a client read these lines in a room that it is in. */
export function read(client, room, lines, now = 0, epoch = "e1") {
  for (const line of lines) {
    const { reading } = client.rooms.get(room);
    client.read(room, reading, { position: { epoch, offset: line.offset }, line }, now);
  }
}

export function line(offset, text = `line ${offset}`, { name = "ben", id = 0, at = 1000 + offset } = {}) {
  return { offset, at, name, text, id };
}

/** The texts that stand in a place, of one kind or all. */
export function texts(client, key = "#lobby", kind = undefined) {
  const items = client.pane(key).transcript.items;
  return items.filter((item) => kind === undefined || item.kind === kind).map((item) => item.text);
}

/** Our lines that wait there, as what they are. */
export function waiting(client, key = "#lobby") {
  return client.waitingIn(key).map((pending) => [pending.request.text, pending.stage, pending.late]);
}

/** A new session begins, and the server tells what the lobby holds after what was seen. */
export function comeBack(client, now, { lines = [], epoch = "e1", after, missing } = {}) {
  client.opened(now, []);
  client.heard({ t: "entered", name: client.name, epoch }, now);
  const seen = client.rooms.get("lobby")?.seen;
  client.heard(joined("lobby", lines, { epoch, after: after ?? (seen?.offset || 0), missing }), now);
  read(client, "lobby", lines, now, epoch);
}
