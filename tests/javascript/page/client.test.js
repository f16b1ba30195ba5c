/**
 * The page's model of the chat, as conversations: what is typed and heard goes in, requests and what is seen come out.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { MOST_ITEMS, MOST_LOOKED_BACK } from "../../../src/landline/apps/chat/page/transcript.js";
import { comeBack, inLobby, joined, line, newClient, read, texts, waiting } from "./model.js";

// Coming in...

test("Enter is the first request: the wished name, and the rooms with nothing seen", () => {
  const client = newClient({ rooms: ["lobby", "dev"] });
  client.opened(0, []);

  assert.deepEqual(client.toSend(), [
    { t: "enter", name: "ana", rooms: { lobby: null, dev: null }, version: 1, run: 100n, asked: 0 },
  ]);
});

test("who wished for a taken name is told both", () => {
  const client = newClient();
  client.opened(0, []);
  client.heard({ t: "entered", name: "ana-2", epoch: "e1" }, 0);

  assert.equal(client.name, "ana-2");
  assert.deepEqual(texts(client), ["ana is taken, so you are ana-2; /nick changes it."]);
});

test("a name that cannot be one is not called taken", () => {
  const client = newClient();
  client.opened(0, []);
  client.heard({ t: "entered", name: "a-b", epoch: "e1", notice: "There cannot be a space in a name." }, 0);

  assert.deepEqual(texts(client), ["You are a-b.", "There cannot be a space in a name."]);
});

test("history is shown when it is there whole, and counts as read", () => {
  const client = newClient();
  client.opened(0, []);
  client.heard({ t: "entered", name: "ana", epoch: "e1" }, 0);
  client.heard(joined("lobby", [line(1), line(2)]), 0);
  read(client, "lobby", [line(1)]);
  assert.deepEqual(texts(client, "#lobby", "line"), []);
  read(client, "lobby", [line(2)]);

  assert.deepEqual(texts(client, "#lobby", "line"), ["line 1", "line 2"]);
  assert.equal(client.unread, 0);
});

test("what the server would not even read does not keep one from coming in later", () => {
  const client = inLobby();
  client.ended(1, "lost");
  assert.equal(client.typed(`/join ${"x".repeat(257)}`, 2), false);
  assert.equal(client.typed(`/nick ${"x".repeat(129)}`, 2), false);
  client.typed("/join \ud800", 2);
  client.opened(3, []);
  const [enter] = client.toSend();

  assert.deepEqual([enter.name, Object.keys(enter.rooms)], ["ana", ["lobby", "\ufffd"]]);
  assert.match(texts(client, "#lobby", "note").at(-1), /far too long for a name: 129 characters/);
});

// ... saying...

test("a line is confirmed by its echo, in its place, as the same thing", () => {
  const client = inLobby();
  assert.equal(client.typed("hello", 1), true);
  assert.deepEqual(client.toSend(), [{ t: "say", id: 101n, room: "lobby", text: "hello", run: 100n, asked: 0 }]);
  assert.deepEqual(waiting(client), [["hello", "sent", false]]);
  read(client, "lobby", [line(1, "before"), line(2, "hello", { name: "ana", id: 101 })]);

  assert.deepEqual(waiting(client), []);
  assert.deepEqual(texts(client, "#lobby", "line"), ["before", "hello"]);
  const [other, own] = client.pane("#lobby").transcript.items.slice(-2);
  assert.deepEqual([other.key, own.key, own.own], ["o1", "i101", true]);
});

test("a number of 63 bits is the same as a number and as a BigInt", () => {
  const client = inLobby({ draw: () => 7n });
  client.typed("hello", 1);
  read(client, "lobby", [line(1, "hello", { id: 7 })]);

  assert.deepEqual(waiting(client), []);
});

test("a line that is not confirmed for two seconds waits, and sooner while the line is down", () => {
  const client = inLobby();
  client.typed("one", 1);
  client.advance(2.9);
  assert.deepEqual(waiting(client), [["one", "sent", false]]);
  assert.equal(client.nextAt(), 3);
  client.advance(3);
  assert.deepEqual(waiting(client), [["one", "sent", true]]);
  client.lineChanged("reconnecting", 3, { why: "cut", redialIn: 1 });
  client.typed("two", 3.1);

  assert.deepEqual(waiting(client).at(-1), ["two", "sent", true]);
});

test("nothing is said of a line's waiting before it is where it outlives the page", () => {
  const client = inLobby({ isKept: true });
  client.lineChanged("reconnecting", 1);
  client.typed("one", 2);
  assert.deepEqual(waiting(client), [["one", "sent", false]]);
  client.kept(101n, 2);

  assert.deepEqual(waiting(client), [["one", "sent", true]]);
});

test("what cannot be said stays where it was typed, with the reason", () => {
  const client = inLobby();

  assert.equal(client.typed("x".repeat(4097), 1), false);
  assert.equal(client.typed("/nosuch", 1), false);
  assert.deepEqual(client.toSend(), []);
  assert.match(texts(client).at(-2), /4,097 bytes, and 4,096 is the most/);
  assert.match(texts(client).at(-1), /There is no command \/nosuch/);
});

test("a line that was refused says why, and is not lost", () => {
  const client = inLobby();
  client.typed("hello", 1);
  client.unpublished(101n, "You are not in the room lobby.", 2, false);
  const item = client.pane("#lobby").transcript.items.at(-1);

  assert.deepEqual([item.kind, item.text, item.why], ["failed", "hello", "Not sent to #lobby. You are not in the room lobby."]);
  assert.deepEqual(waiting(client), []);
});

test("a doubtful line is told as that, and taken back when it turns up", () => {
  const client = inLobby();
  client.typed("hello", 1);
  client.unpublished(101n, "lost", 2, true);
  assert.match(client.pane("#lobby").transcript.items.at(-1).why, /Nobody can tell whether this reached #lobby/);
  read(client, "lobby", [line(1, "hello", { id: 101 })]);

  assert.deepEqual(texts(client, "#lobby", "failed"), []);
  assert.deepEqual(texts(client, "#lobby", "line"), ["hello"]);
});

test("a stored line whose place was passed already waits no more", () => {
  const client = inLobby({ lines: [line(5)] });
  client.typed("hello", 1);
  client.published(101n, 4, 2);

  assert.deepEqual(waiting(client), []);
});

test("a stored line that is seen only as missing waits no more", () => {
  const client = inLobby();
  client.typed("hello", 1);
  client.published(101n, 4, 2);
  assert.deepEqual(waiting(client), [["hello", "stored", false]]);
  const { reading } = client.rooms.get("lobby");
  client.read("lobby", reading, { position: { epoch: "e1", offset: 5 }, gap: "expired" }, 3);

  assert.deepEqual(waiting(client), []);
});

// ... on bad lines...

test("what the next Enter says for itself is not asked for again", () => {
  const client = inLobby();
  client.typed("/join tea", 1);
  client.typed("/nick eva", 1);
  client.toSend();
  client.ended(2, "lost");
  comeBack(client, 3);

  const sent = client.toSend();
  assert.deepEqual(sent.map((request) => request.t), ["enter"]);
  assert.deepEqual([sent[0].name, Object.keys(sent[0].rooms)], ["eva", ["lobby", "tea"]]);
});

test("in another life of the server nothing goes before Enter", () => {
  const client = inLobby();
  client.typed("/who", 1);
  client.interrupted(2);
  client.settled(1, "failed");
  client.opened(2);

  assert.deepEqual(client.toSend().map((request) => request.t), ["enter"]);
});

test("a new session goes on where the room was read to; what was said meanwhile is counted, and nothing comes twice", () => {
  const client = inLobby({ lines: [line(1), line(2)] });
  client.ended(1, "expired");
  assert.match(texts(client).at(-1), /The line is down \(expired\)/);
  client.opened(2, []);
  assert.deepEqual(client.toSend()[0].rooms, { lobby: { epoch: "e1", offset: 2 } });
  client.heard({ t: "entered", name: "ana", epoch: "e1" }, 3);
  client.heard(joined("lobby", [line(3)], { after: 2 }), 3);
  read(client, "lobby", [line(3)]);

  assert.deepEqual(texts(client, "#lobby", "line"), ["line 1", "line 2", "line 3"]);
  assert.ok(texts(client).includes("The line is back after 2.0 s."));
  assert.ok(texts(client).includes("1 line was said while you were away:"));
});

test("what a lost session leaves: lists are asked for again, private lines are doubtful, a call is over", () => {
  const client = inLobby();
  client.typed("/who", 1);
  client.typed("/msg ben psst", 1);
  client.show("#lobby");
  client.heard({ t: "rang", name: "ben" }, 1);
  client.toSend();
  for (const id of [1, 2]) client.settled(id, "unknown");
  client.ended(2, "lost");

  assert.equal(client.call.stage, "none");
  assert.match(client.pane("@ben").transcript.items.at(-1).why, /Nobody can tell whether this reached ben/);
  comeBack(client, 3);
  assert.deepEqual(client.toSend().map((request) => request.t), ["enter", "who"]);
});

test("a private line that never left goes out with the next session", () => {
  const client = inLobby();
  client.typed("/msg ben psst", 1);
  client.toSend();
  client.settled(1, "failed");
  client.ended(2, "lost");
  comeBack(client, 3);

  assert.deepEqual(client.toSend().slice(1), [{ t: "msg", to: "ben", text: "psst", id: 1 }]);
});

test("what an earlier life of the page left goes out by itself, and is seen to wait", () => {
  const client = newClient();
  client.opened(0, [{ t: "say", id: 7n, room: "lobby", text: "from before", run: 1n, asked: 0 }]);

  assert.deepEqual(waiting(client), [["from before", "sent", true]]);
  assert.deepEqual(texts(client), ["1 line from before goes out."]);
  assert.deepEqual(client.toSend().map((request) => request.t), ["enter"]);
});

test("another life of the server: Enter again, lines go on by themselves", () => {
  const client = inLobby();
  client.typed("hello", 1);
  client.toSend();
  client.interrupted(2);
  client.opened(2);

  assert.deepEqual(client.toSend().map((request) => request.t), ["enter"]);
  assert.deepEqual(waiting(client), [["hello", "sent", true]]);
});

test("who came and went is told after the lines before it", () => {
  const client = inLobby();
  client.heard({ t: "came", room: "lobby", name: "cleo", at: 2 }, 1);
  read(client, "lobby", [line(1)]);
  assert.ok(!texts(client).includes("cleo joined"));
  read(client, "lobby", [line(2)]);

  assert.deepEqual(texts(client).slice(-3), ["line 1", "line 2", "cleo joined"]);
  assert.ok(client.rooms.get("lobby").members.has("cleo"));
});

test("a gap says what is missing", () => {
  const client = inLobby();
  const { reading } = client.rooms.get("lobby");
  client.read("lobby", reading, { position: { epoch: "e1", offset: 9 }, gap: "expired" }, 1);

  assert.equal(texts(client).at(-1), "#lobby: Older lines than these are no longer kept.");
  client.read("lobby", reading, { position: { epoch: "e1", offset: 10 }, gap: "damaged" }, 1);

  assert.equal(texts(client).at(-1), "#lobby: Some lines are damaged on the server's disk and cannot be shown.");
});

// ... elsewhere...

test("what comes where nobody looks is counted, and marked when it is looked at", () => {
  const client = inLobby();
  client.heard({ t: "whispered", name: "ben", text: "one" }, 1);
  client.heard({ t: "whispered", name: "ben", text: "two" }, 1);
  assert.equal(client.unread, 2);
  client.show("@ben");
  const talk = client.pane("@ben");

  assert.equal(client.unread, 0);
  assert.equal(talk.newFrom, talk.transcript.items[0].key);
  client.show("#lobby");
  assert.equal(talk.newFrom, "");
});

test("a page that nobody sees counts what comes to the place that it shows", () => {
  const client = inLobby();
  client.isWatched = false;
  read(client, "lobby", [line(1)]);
  assert.equal(client.unread, 1);
  client.isWatched = true;
  client.markRead();

  assert.equal(client.unread, 0);
});

test("leaving a room says of the lines that had not gone that they will not go", () => {
  const client = newClient({ rooms: ["lobby", "dev"] });
  client.typed("too early", 1);
  client.typed("/leave", 1);

  assert.equal(client.current, "#dev");
  assert.deepEqual(texts(client, "#dev", "failed"), ["too early"]);
});

test("a room that is not open is left, and the reason told", () => {
  const client = newClient({ rooms: ["lobby", "dev"] });
  client.opened(0, []);
  client.heard({ t: "entered", name: "ana", epoch: "e1" }, 0);
  client.heard({ t: "barred", room: "lobby", why: "it is full" }, 0);

  assert.deepEqual(client.rooms.names, ["dev"]);
  assert.equal(texts(client, "#dev").at(-1), "It is full.");
});

test("somebody else's new name is theirs everywhere", () => {
  const client = inLobby();
  client.heard({ t: "whispered", name: "ben", text: "hi" }, 1);
  client.show("@ben");
  client.heard({ t: "renamed", old: "ben", new: "bob" }, 2);

  assert.equal(client.current, "@bob");
  assert.ok(client.rooms.get("lobby").members.has("bob"));
  assert.equal(texts(client, "@bob").at(-1), "ben is called bob now");
});

test("looking back asks for what lies before everything shown, a page at a time", () => {
  const client = inLobby({ lines: [line(8)] });
  assert.equal(client.lookBack("lobby", 50, 1), true);
  assert.equal(client.lookBack("lobby", 50, 1), false);
  assert.deepEqual(client.toSend(), [{ t: "earlier", room: "lobby", before: 8, limit: 50, id: 1 }]);
  client.heard({ t: "earlier-lines", id: 1, room: "lobby", lines: [line(3), line(5)], after: 2 }, 2);
  assert.deepEqual(texts(client, "#lobby", "line"), ["line 3", "line 5", "line 8"]);
  client.lookBack("lobby", 50, 3);
  assert.equal(client.toSend()[0].before, 3);
  client.heard({ t: "earlier-lines", id: 2, room: "lobby", lines: [], after: 0, is_start: true }, 4);

  assert.equal(client.lookBack("lobby", 50, 5), false);
});

test("in another history one looks back from its beginning", () => {
  const client = inLobby({ lines: [line(80)] });
  client.ended(1, "lost");
  comeBack(client, 2, { epoch: "other", after: 4, lines: [line(5)], missing: "It is another history." });
  client.toSend();
  client.lookBack("lobby", 10, 3);

  assert.equal(client.toSend()[0].before, 5);
});

test("a long talk keeps what is newest, and what went can be looked back at", () => {
  const client = inLobby();
  const many = Array.from({ length: MOST_ITEMS + 10 }, (_, index) => line(index + 1));
  read(client, "lobby", many);
  const shown = texts(client, "#lobby", "line");
  assert.ok(shown.length <= MOST_ITEMS);
  assert.equal(shown.at(-1), `line ${MOST_ITEMS + 10}`);
  client.lookBack("lobby", 10, 1);

  const [{ before }] = client.toSend();
  assert.equal(shown[0], `line ${before}`);
});

test("what comes while nobody sees the page, or is scrolled back in it, grows no further than it may", () => {
  const many = Array.from({ length: MOST_LOOKED_BACK + 10 }, (_, index) => line(index + 1));
  for (const [isAtEnd, most] of /** @type {const} */ ([[true, MOST_ITEMS], [false, MOST_LOOKED_BACK]])) {
    const client = inLobby();
    Object.assign(client, { isWatched: false, isAtEnd });
    read(client, "lobby", many);
    for (let number = 0; number < MOST_LOOKED_BACK; number++) client.heard({ t: "came", room: "lobby", name: `n${number}` }, 1);
    const { items } = client.pane("#lobby").transcript;

    assert.ok(items.length <= most);
    assert.equal(items.at(-1).text, `n${MOST_LOOKED_BACK - 1} joined`);
    assert.equal(client.unread, many.length);
  }
});

test("an answer to looking back that came too late to stand before the oldest line leaves no hole", () => {
  const client = inLobby({ lines: [line(8)] });
  client.lookBack("lobby", 50, 1);
  client.toSend();
  read(client, "lobby", Array.from({ length: MOST_ITEMS + 10 }, (_, index) => line(index + 9)));
  const shown = texts(client, "#lobby", "line");
  client.heard({ t: "earlier-lines", id: 1, room: "lobby", lines: [line(3), line(5)], after: 2 }, 2);
  assert.deepEqual(texts(client, "#lobby", "line"), shown);
  client.lookBack("lobby", 50, 3);

  assert.equal(`line ${client.toSend()[0].before}`, shown[0]);
});

// ... and calls.

test("a call that we make: ringing, talking, over, and back to where we were", () => {
  const client = inLobby();
  client.typed("/call ben", 1);
  assert.deepEqual(client.toSend(), [{ t: "call", to: "ben", id: 1 }]);
  assert.equal(client.current, "call");
  client.heard({ t: "done", id: 1 }, 1);
  client.heard({ t: "call-began", name: "ben" }, 2);
  client.typed("only you", 2);
  assert.deepEqual(client.toSend(), [{ t: "talk", text: "only you", id: 2 }]);
  client.heard({ t: "done", id: 2 }, 2);
  client.heard({ t: "talked", name: "ben", text: "yes" }, 2);
  assert.deepEqual(texts(client, "call", "line"), ["only you", "yes"]);
  client.heard({ t: "call-ended", name: "ben", why: "they hung up" }, 3);

  assert.equal(client.current, "#lobby");
  assert.equal(texts(client).at(-1), "☎ The call with ben is over: they hung up.");
});

test("a line that was meant for a call never goes to a room", () => {
  const client = inLobby();
  client.heard({ t: "rang", name: "ben" }, 1);
  client.heard({ t: "call-began", name: "ben" }, 1);
  client.heard({ t: "call-ended", name: "ben", why: "they hung up" }, 2);
  client.show("call");

  assert.equal(client.typed("only you", 3), false);
  assert.deepEqual(client.toSend(), []);
  assert.equal(texts(client, "call").at(-1), "The call with ben is over.");
});

test("the end that we make ourselves counts at once, and what the server says of it is no news", () => {
  const client = inLobby();
  client.heard({ t: "rang", name: "ben" }, 1);
  client.typed("/bye", 2);
  assert.deepEqual(client.toSend(), [{ t: "hangup", id: 1 }]);
  client.heard({ t: "call-ended", name: "ben", why: "you declined" }, 3);
  client.heard({ t: "done", id: 1 }, 3);

  assert.equal(texts(client).filter((text) => text.includes("No call with ben")).length, 1);
  client.heard({ t: "rang", name: "ben" }, 4);
  client.typed("/bye", 5);
  client.heard({ t: "rang", name: "cleo" }, 5);
  client.heard({ t: "call-ended", name: "ben", why: "you declined" }, 6);
  assert.deepEqual([client.call.stage, client.call.name], ["ringing", "cleo"]);
});

test("leaving waits for what was said, and asked again it does not", () => {
  const client = inLobby();
  client.typed("hello", 1);
  client.typed("bye", 1);
  assert.equal(client.isDone, false);
  client.advance(3);
  assert.match(texts(client).at(-1), /1 line is still waiting to go out first; \/bye again leaves/);
  client.typed("bye", 4);

  assert.equal(client.isDone, true);
});

// ... and files.

test("who is back later than we is offered then what stood, and what was accepted stays so", () => {
  const client = inLobby();
  client.files.offer({ name: "a.bin", size: 10 }, { to: "ben" }, 1);
  const [offer] = client.toSend();
  client.heard({ t: "done", id: offer.id }, 1);
  client.heard({ t: "file-offered", file: 7, by: "ben", name: "b.bin", size: 5 }, 1);
  client.files.accept(0, 1);
  const [take] = client.toSend();
  client.heard({ t: "done", id: take.id }, 1);
  const arriving = client.files.expected("7", 5);
  client.files.notReceived(arriving, client.files.began(arriving), "the server was restarted", 2);
  client.interrupted(2);
  comeBack(client, 3, { epoch: "e2" });
  const again = client.toSend().find(({ t }) => t === "offer-file");
  assert.equal(again.file, offer.file);
  client.heard({ t: "sorry", id: again.id, why: "There is nobody called ben here." }, 3);
  client.heard({ t: "came", room: "lobby", name: "Ben" }, 4);
  client.heard({ t: "file-offered", file: 7, by: "ben", name: "b.bin", size: 5 }, 4);

  assert.deepEqual(client.toSend().map(({ t, file }) => [t, file]), [["offer-file", offer.file], ["take-file", 7]]);
});

test("of more than a hundred offers the oldest goes that was not accepted, and never the one that has just come", () => {
  const client = inLobby();
  const offered = (file) => client.heard({ t: "file-offered", file, by: "ben", name: `${file}.bin`, size: 5 }, 1);
  const numbers = () => client.files.all.map((each) => each.file);
  for (let file = 1; file <= 100; file += 1) offered(file);
  for (let number = 2; number <= 100; number += 1) client.files.accept(number, 1);
  offered(101);
  assert.equal(numbers().includes(1), false);

  client.files.accept(101, 1);
  offered(102);
  assert.equal(numbers().at(-1), 102);
  offered(103);
  assert.deepEqual([numbers().length, numbers().includes(102), numbers().at(-1)], [101, false, 103]);
});
