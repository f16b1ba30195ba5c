/**
 * Draws both sides: on the left the rooms, private talk and the call, each with what was not read there; on the right who is here.
 * On a narrow page they are drawers over the talk.
 */

import { apart, byId, make, reconcile, setText } from "./dom.js";
import { oneLine } from "./text.js";
import { CALL } from "./typist.js";
import { noteOf } from "./words.js";

const MOST_PEOPLE = 500; // drawn; of more, the rest is a number

export class Sides {
  /**
   * @param {import("./client.js").Client} client
   * @param {{ show: (key: string) => void, close: (key: string) => void, browse: () => void, whisper: (name: string) => void,
   *   ring: (name: string) => void }} acts
   */
  constructor(client, acts) {
    this._client = client;
    this._acts = acts;
    this._list = make("ul", { class: "list", "aria-label": "Rooms" });
    this._private = make("ul", { class: "list", "aria-label": "Private talk" });
    this._privateHead = make("h2", { hidden: true }, "Private");
    const browse = make("button", { type: "button", class: "quiet wide", onclick: () => acts.browse() }, "Join a room…");
    byId("panes").append(make("h2", {}, "Rooms"), this._list, browse, this._privateHead, this._private);
    this._people = make("ul", { class: "list" });
    this._more = make("p", { class: "more", hidden: true });
    byId("people-list").append(this._people, this._more);
    /** @type {Map<string, { sign: string, node: Element }>[]} */
    this._drawn = [new Map(), new Map(), new Map()];
    this._drawers = { rooms: byId("rooms"), people: byId("people") };
    for (const side of /** @type {("rooms" | "people")[]} */ (["rooms", "people"])) {
      byId(`open-${side}`).addEventListener("click", () => this.open(side));
      byId(`close-${side}`).addEventListener("click", () => this.close());
    }
    byId("veil").addEventListener("click", () => this.close());
  }

  // Drawers...

  /** @param {"rooms" | "people"} side */
  open(side) {
    const isOpen = this._drawers[side].classList.contains("open");
    this.close();
    if (isOpen) return;
    this._drawers[side].classList.add("open");
    byId("app").classList.add("drawn");
    byId(`open-${side}`).setAttribute("aria-expanded", "true");
    byId(`close-${side}`).focus();
  }

  /** @returns {boolean} whether one was open */
  close() {
    const wasOpen = byId("app").classList.contains("drawn");
    for (const side of /** @type {("rooms" | "people")[]} */ (["rooms", "people"])) {
      if (!this._drawers[side].classList.contains("open")) continue;
      const hadFocus = this._drawers[side].contains(document.activeElement);
      this._drawers[side].classList.remove("open");
      byId(`open-${side}`).setAttribute("aria-expanded", "false");
      if (hadFocus) byId(`open-${side}`).focus();
    }
    byId("app").classList.remove("drawn");
    return wasOpen;
  }

  // ... and what is in them.

  draw() {
    const client = this._client;
    const rooms = [...client.rooms].map((room) => paneRow(`#${room.name}`, `#${oneLine(room.name)}`, room, client));
    const talks = [...client.conversations.values()].reverse();
    const others = talks.map((talk) => paneRow(`@${talk.name}`, oneLine(talk.name), talk, client));
    if (client.call.name) others.unshift(paneRow(CALL, `☎ ${oneLine(client.call.name)}`, client.call, client, client.call.stage));
    const [first, second, third] = this._drawn;
    reconcile(this._list, rooms, (row) => this._drawPane(row), first);
    reconcile(this._private, others, (row) => this._drawPane(row), second);
    this._privateHead.hidden = others.length === 0;
    this._drawPeople(third);
    setText(byId("me"), oneLine(client.name));
    const elsewhere = client.unread;
    byId("elsewhere").hidden = elsewhere === 0;
    setText(byId("elsewhere"), elsewhere > 99 ? "99+" : String(elsewhere));
    setText(byId("open-rooms-words"), elsewhere ? `Rooms, ${elsewhere} not read` : "Rooms");
  }

  /** @param {ReturnType<typeof paneRow>} row */
  _drawPane(row) {
    const unread = row.unread ? make("span", { class: "badge" }, String(Math.min(row.unread, 999)), make("span", { class: "hidden" }, " not read")) : null;
    const current = row.isCurrent ? "page" : undefined;
    const open = make("button", { type: "button", class: "entry", "aria-current": current, onclick: () => this._acts.show(row.key) }, apart(row.title), unread);
    const words = row.key.startsWith("#") ? `Leave ${row.title}` : `Close the talk with ${row.title}`;
    const isOn = row.key === CALL && this._client.call.stage !== "none";
    const close = isOn ? null : make("button", { type: "button", class: "icon faint", "aria-label": words, title: words, onclick: () => this._acts.close(row.key) }, "✕");
    return make("li", {}, open, close);
  }

  /** @param {Map<string, { sign: string, node: Element }>} drawn */
  _drawPeople(drawn) {
    const client = this._client;
    const members = membersOf(client).sort((one, other) => one.name.localeCompare(other.name));
    const rows = members.slice(0, MOST_PEOPLE).map((member) => personRow(member, client.name));
    reconcile(this._people, rows, (row) => this._drawPerson(row), drawn);
    const more = members.length - rows.length;
    this._more.hidden = more <= 0;
    setText(this._more, `and ${more} more`);
    setText(byId("people-title"), `${members.length} here`);
    setText(byId("count"), String(members.length));
  }

  /** @param {ReturnType<typeof personRow>} row */
  _drawPerson({ name, title, note, isYou, isAway }) {
    const mark = make("span", { class: isAway ? "mark away" : "mark", "aria-hidden": "true" });
    const about = note ? make("span", { class: "about" }, note) : null;
    if (isYou) return make("li", { class: "person" }, make("span", { class: "entry" }, mark, apart(title), about));
    const talk = `Message ${title}`;
    return make(
      "li",
      { class: "person" },
      make("button", { type: "button", class: "entry", title: talk, onclick: () => this._acts.whisper(name) }, mark, apart(title), about),
      make("button", { type: "button", class: "icon faint", "aria-label": `Call ${title}`, title: `Call ${title}`, onclick: () => this._acts.ring(name) }, "☎"),
    );
  }
}

/** @param {string} key @param {string} title @param {{ unread: number }} pane @param {import("./client.js").Client} client */
function paneRow(key, title, { unread }, client, stage = "") {
  const isCurrent = client.current === key;
  return { key, title, unread, isCurrent, sign: JSON.stringify([title, unread, isCurrent, stage]) };
}

/** Who is in the pane that is looked at. @param {import("./client.js").Client} client @returns {import("./words.js").Member[]} */
function membersOf({ current, rooms, call, name }) {
  if (current.startsWith("#")) return [...(rooms.get(current.slice(1))?.members.values() ?? [])];
  return [{ name }, { name: current === CALL ? call.name : current.slice(1) }];
}

/** @param {import("./words.js").Member} member @param {string} own */
function personRow(member, own) {
  const isYou = member.name === own;
  const note = isYou ? "you" : noteOf(member);
  const isAway = Boolean(member.away);
  return { key: member.name, name: member.name, title: oneLine(member.name), note, isYou, isAway, sign: JSON.stringify([note, isYou, isAway]) };
}
