/**
 * What may be shown, what is a command, what is a link: the rules that keep a page safe and a line what it was.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import { parse } from "../../../src/landline/apps/chat/page/commands.js";
import { pieces } from "../../../src/landline/apps/chat/page/links.js";
import { oneLine, roomName, safeText, validLine, whyNoName } from "../../../src/landline/apps/chat/page/text.js";
import { dayOf, timeOf } from "../../../src/landline/apps/chat/page/times.js";
import { draw63, lineOf, sayOf, topicOf } from "../../../src/landline/apps/chat/page/wire.js";
import { Sha256 } from "../../../src/landline/javascript/sha256.js";

test("nothing that is shown moves, hides or turns what stands around it", () => {
  assert.equal(safeText("\x1b[2J a\x00b\x9bc\x7f"), "[2J abc");
  assert.equal(safeText("\u202egnp\u2066.\u200f\u061cexe\ufeff"), "gnp.exe");
  assert.equal(safeText("a\r\nb\u2028c\u0085d"), "a\nb\nc\nd");
  assert.equal(safeText("a" + "\u0301".repeat(9)), "a" + "\u0301".repeat(5));
  assert.equal(safeText("\u0301a"), "a");
  assert.equal(safeText("\ud800x\uffff"), "\ufffdx\ufffd");
  assert.equal(safeText("👩‍👩‍👧 می‌خواهم"), "👩‍👩‍👧 می‌خواهم");
  assert.equal(oneLine("a\nb\tc"), "a b c");
});

test("a line at its limits is said, and one past them is not", () => {
  assert.equal(validLine("é".repeat(2048)).length, 2048);
  assert.throws(() => validLine("é".repeat(2048) + "x"), /4,097 bytes/);
  assert.equal(validLine("x\n".repeat(99) + "x").split("\n").length, 100);
  assert.throws(() => validLine("x\n".repeat(100) + "x"), /101, and 100 is the most/);
  assert.throws(() => validLine(" \n\u200b "), /nothing to say/);
  assert.equal(validLine("\n  code \n"), "  code");
});

test("what cannot be a name is said before one comes in", () => {
  for (const name of ["ana", " Zoë ", "o'brien", "李雷", "अनीता", "guests", "7up"]) assert.equal(whyNoName(name), "");
  assert.equal(whyNoName("a b"), "There cannot be a space in a name: letters, digits and - _ . ' can.");
  assert.match(whyNoName("a@b"), /the character @ in a name/);
  assert.match(whyNoName("a\u200bb"), /the character U\+200B in a name/);
  assert.match(whyNoName("-ana"), /first character/);
  assert.match(whyNoName("Host"), /reserved/);
  assert.match(whyNoName("guest-7"), /given by the server/);
  assert.match(whyNoName("  "), /empty/);
});

test("commands are read as in the terminal", () => {
  assert.deepEqual(parse("hello"), { do: "say", text: "hello" });
  assert.deepEqual(parse("  code\n"), { do: "say", text: "  code" });
  assert.deepEqual(parse("//etc/hosts"), { do: "say", text: "/etc/hosts" });
  assert.deepEqual(parse(" BYE \n"), { do: "bye" });
  assert.deepEqual(parse("/quit"), { do: "bye" });
  assert.deepEqual(parse("/NICK  ana "), { do: "nick", name: "ana" });
  assert.deepEqual(parse("/w ben one\ntwo"), { do: "msg", name: "ben", text: "one\ntwo" });
  assert.deepEqual(parse("/leave"), { do: "leave", room: "" });
  assert.deepEqual(parse("/drop 2.5"), { do: "drop", seconds: 2.5 });
  assert.deepEqual(parse("/drop 600"), { do: "drop", seconds: 600 });
  assert.deepEqual(parse("/history 100"), { do: "history", lines: 100 });
  assert.match(parse("/jion garden").why, /Did you mean \/join\?/);
  assert.match(parse("/drop 600.1").why, /from 0 to 600/);
  assert.match(parse("/history 101").why, /from 1 to 100/);
  assert.match(parse("/join a b").why, /A room's name is one word/);
  assert.match(parse("/constructor").why, /There is no command/);
  assert.match(parse("/" + "x".repeat(999)).why, /…/);
});

test("links are http and https, without what ends the sentence, and lead where they say", () => {
  const hrefs = (/** @type {string} */ text) => pieces(text).flatMap((piece) => (piece.href ? [piece.href] : []));

  assert.deepEqual(hrefs("see https://example.com/a_(b), (http://example.org/x)."), ["https://example.com/a_(b)", "http://example.org/x"]);
  assert.deepEqual(hrefs("javascript:alert(1) data:text/html,x ftp://x/ www.example.com"), []);
  assert.deepEqual(hrefs("https://user:pass@evil.example/ https://good.example@evil.example"), []);
  assert.deepEqual(hrefs("https:// http://"), []);
  assert.equal(pieces("a https://example.com/<b>").map((piece) => piece.text).join(""), "a https://example.com/<b>");
  assert.deepEqual(hrefs('https://example.com/"onclick="x'), ["https://example.com/"]);
});

test("a host that only looks like another is shown as what it is, and one with a sign that looks like an end is no link", () => {
  const links = (/** @type {string} */ text) => pieces(text).filter((piece) => piece.href).map(({ text, host }) => [text, host]);

  assert.deepEqual(links("https://\u0430pple.com http://127.1/ HTTPS://Example.com:443/"), [
    ["https://\u0430pple.com", "xn--pple-43d.com"], ["http://127.1/", "127.0.0.1"], ["HTTPS://Example.com:443/", undefined],
  ]); // prettier-ignore
  assert.deepEqual(links("https://bank.example\u2044login.evil.example https://bank.example%2elogin.evil.example https://a\\@b"), []);
  assert.deepEqual(links(`https://example.com/${")".repeat(1 << 20)}`), []);
});

test("the topic of a room is what the server calls it", () => {
  /** @param {Uint8Array} bytes */
  const sha256 = (bytes) => new Sha256().update(bytes).digest();
  assert.equal(topicOf("a.b", sha256), "room.a%b");
  assert.equal(topicOf("𐐷".repeat(64), sha256), `room.=${createHash("sha256").update("𐐷".repeat(64)).digest("hex")}`);
  assert.equal(roomName(" #Tea "), "tea");
});

test("what is no line is none, and a number has 63 bits and is not 0", () => {
  for (const none of [null, 7, "x", [], {}, { name: 1, text: "x" }, new Uint8Array()]) assert.equal(lineOf(none, 1), null);
  assert.equal(sayOf({ t: "join", room: "x", text: "y" }), null);
  for (let index = 0; index < 100; index++) {
    const number = draw63();
    assert.ok(number > 0n && number < 1n << 63n);
  }
});

test("a time that is none is shown all the same", () => {
  for (const at of [NaN, 1e300, -1e300, Infinity]) assert.equal(typeof timeOf(at), "string");
  assert.equal(dayOf(1000, 1000), "Today");
  assert.equal(dayOf(1000, 1000 + 86_400), "Yesterday");
});
