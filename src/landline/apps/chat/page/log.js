/**
 * Draws what is said in the pane that is looked at: keeps to the newest line, or to the line that the person reads; asks for more when
 * they come to the top.
 */

import { make, reconcile, setText, byId } from "./dom.js";
import { pieces } from "./links.js";
import { rowsOf } from "./rows.js";
import { dateOf, timeOf, wholeTimeOf } from "./times.js";

const NEAR = 60; // pixels from the end that still count as the end
const EARLY = 300; // pixels from the top at which more is asked for
const PAGE = 50; // lines

export class Log {
  /**
   * @param {import("./client.js").Client} client
   * @param {() => number} now steady, in seconds
   * @param {{ changed: () => void, again: (text: string) => void }} view
   */
  constructor(client, now, view) {
    this._client = client;
    this._now = now;
    this._view = view;
    this._log = byId("log");
    this._newest = byId("newest");
    this._top = make("div", { class: "top" });
    this._rows = make("div", { class: "rows" });
    this._log.append(this._top, this._rows);
    /** @type {Map<string, { sign: string, node: Element }>} */
    this._drawn = new Map();
    this._pane = "";
    /** The newest line is in view, and what comes next shall be. */
    this.isAtEnd = true;
    this._log.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this._newest.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.isAtEnd && this._stick()).observe(this._log);
    new ResizeObserver(() => this.isAtEnd && this._stick()).observe(this._rows);
  }

  draw() {
    const client = this._client;
    const pane = client.pane(client.current);
    const isOther = this._pane !== client.current;
    if (isOther) this._turn(client.current);
    const anchor = this.isAtEnd ? null : this._anchor();
    const transcript = pane?.transcript;
    const view = { name: client.name, now: Date.now() / 1000, newFrom: pane?.newFrom ?? "" };
    const rows = transcript ? rowsOf(transcript, client.waitingIn(client.current), view) : [];
    this._drawTop();
    reconcile(this._rows, rows, (row) => this._draw(row), this._drawn);
    if (this.isAtEnd) this._stick();
    else if (anchor) this._log.scrollTop += anchor.node.getBoundingClientRect().top - anchor.top;
    // What was there before is not news; a moment later what comes is.
    if (isOther) requestAnimationFrame(() => this._log.setAttribute("aria-live", "polite"));
    this._newest.hidden = this.isAtEnd;
    setText(this._newest, pane?.unread ? `${pane.unread} new ↓` : "Newest ↓");
    this._askForMore();
  }

  toEnd() {
    this.isAtEnd = true;
    this._stick();
    this._view.changed();
  }

  /** @param {string} pane */
  _turn(pane) {
    this._pane = pane;
    this._log.setAttribute("aria-live", "off");
    this._rows.replaceChildren();
    this._drawn.clear();
    this.isAtEnd = true;
  }

  _stick() {
    this._log.scrollTop = this._log.scrollHeight;
  }

  /** The first row in view, and where it is: it shall stay there whatever comes above it. */
  _anchor() {
    const top = this._log.getBoundingClientRect().top;
    for (const node of this._rows.children) {
      const box = node.getBoundingClientRect();
      if (box.bottom > top) return { node, top: box.top };
    }
    return null;
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this._log;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (isAtEnd !== this.isAtEnd) {
      this.isAtEnd = isAtEnd;
      this._view.changed();
    } else this._askForMore();
  }

  // What stands above the first line...

  _askForMore() {
    const { scrollTop, scrollHeight, clientHeight } = this._log;
    const isShort = scrollHeight <= clientHeight + NEAR;
    if (isShort || (scrollTop < EARLY && !this.isAtEnd)) this._lookBack();
  }

  _lookBack() {
    const { current } = this._client;
    if (current.startsWith("#") && this._client.lookBack(current.slice(1), PAGE, this._now())) this._view.changed();
  }

  _drawTop() {
    const client = this._client;
    const room = client.current.startsWith("#") ? client.rooms.get(client.current.slice(1)) : undefined;
    const words = this._topWords(room);
    const sign = `${words}${room?.caughtUp && !room.transcript.isStart}`;
    if (this._top.dataset.sign === sign) return;
    this._top.dataset.sign = sign;
    this._top.replaceChildren(
      room?.caughtUp && !room.transcript.isStart
        ? make("button", { type: "button", class: "quiet", onclick: () => this._lookBack() }, "Earlier lines")
        : make("p", {}, words),
    );
  }

  /** @param {import("./rooms.js").Room | undefined} room */
  _topWords(room) {
    const { current } = this._client;
    if (current.startsWith("@")) return "What you say here reaches one person alone. It is not kept: a reload forgets it.";
    if (current === "call") return "What you say here reaches the two of you alone. It is not kept.";
    if (!room) return "You are in no room. Choose one on the left, or type /join and its name.";
    if (!room.transcript.isStart) return "Reading what was said…";
    return room.transcript.missing || `This is the start of #${room.name}.`;
  }

  // ... and each row.

  /** @param {import("./rows.js").Row} row */
  _draw(row) {
    if (row.kind === "day" || row.kind === "new") return make("div", { class: `split ${row.kind}` }, make("span", {}, row.text));
    if (row.kind === "note") return make("div", { class: `note about-${row.tone}`, dir: "auto" }, row.text);
    const head = make(
      "div",
      { class: row.isFirst ? "head" : "head hidden" },
      make("bdi", { class: "name" }, row.name),
      " ",
      row.at && !row.stage ? time(row.at) : null,
    );
    const text = make("div", { class: "text", dir: "auto" }, ...pieces(row.text).map(drawPiece));
    const classes = ["line", row.own ? "own" : "", row.isFirst ? "first" : "", row.stage, row.kind === "failed" ? "failed" : ""];
    const under = row.kind === "failed" ? this._drawFailed(row) : row.stage === "waiting" ? make("p", { class: "under" }, "… waiting") : null;
    return make("div", { class: classes.filter(Boolean).join(" ") }, head, text, under);
  }

  /** @param {import("./rows.js").Row} row */
  _drawFailed(row) {
    const again = () => this._view.again(row.text);
    return make(
      "p",
      { class: "under" },
      make("span", { "aria-hidden": "true" }, row.why.startsWith("Nobody") ? "? " : "✗ "),
      `${row.why} `,
      make("button", { type: "button", class: "small", onclick: again }, "Put it back to type"),
    );
  }
}

/** @param {number} at */
function time(at) {
  return make("time", { dateTime: dateOf(at).toISOString(), title: wholeTimeOf(at) }, timeOf(at));
}

/** @param {{ text: string, href?: string, host?: string }} piece */
function drawPiece({ text, href, host }) {
  if (!href) return text;
  const link = make("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text);
  return host ? make("span", {}, link, make("bdi", {}, ` (${host})`)) : link;
}
