/**
 * Draws the files that are offered and on their way, each with what can be done about it; takes those that are chosen or dropped on the page.
 */

import { apart, byId, make, reconcile } from "./dom.js";
import { sizeText, timeText } from "./files.js";
import { oneLine } from "./text.js";

export class Transfers {
  /**
   * @param {import("./client.js").Client} client
   * @param {{ offer: (files: Iterable<File>) => void, accept: (number: number) => void, refuse: (number: number) => void }} acts
   */
  constructor(client, acts) {
    this._client = client;
    this._acts = acts;
    this._box = byId("files");
    /** @type {Map<string, { sign: string, node: Element }>} */
    this._drawn = new Map();
    /** @type {Map<number, string>} the addresses of what is here, by number */
    this._urls = new Map();
    const chosen = byId("file");
    byId("attach").addEventListener("click", () => chosen.click());
    chosen.addEventListener("change", () => {
      acts.offer([...chosen.files]);
      chosen.value = ""; // the same may be chosen again
    });
    // Wherever on the page a file is dropped, the browser must not go to it instead.
    addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) acts.offer([...(event.dataTransfer?.files ?? [])]);
    });
  }

  draw() {
    const { all } = this._client.files;
    for (const [number, url] of this._urls) {
      if (all.some((each) => each.number === number)) continue;
      URL.revokeObjectURL(url);
      this._urls.delete(number);
    }
    this._box.hidden = !all.length;
    const rows = all.map((each) => ({ key: `${each.number}`, sign: signOf(each), each }));
    reconcile(this._box, rows, ({ each }) => this._row(each), this._drawn);
    // What moves is no other row: the keyboard, and who listens, stay where they are.
    for (const each of all) {
      const node = this._drawn.get(`${each.number}`)?.node;
      const [move] = each.moves.values();
      if (!node || !move) continue;
      const bar = node.querySelector("progress");
      if (bar) bar.value = each.size ? move.done / each.size : 1;
      const words = node.querySelector(".far");
      if (words) words.textContent = far(each, move);
    }
  }

  /** @param {import("./files.js").Shared} each */
  _row(each) {
    const { number } = each;
    const name = oneLine(each.name);
    const refuse = (/** @type {string} */ words) => button(words, "bad", `${words} ${name}`, () => this._acts.refuse(number));
    const accept = button("Accept", "good", `Accept ${name}`, () => this._acts.accept(number));
    const whose = each.own ? (each.room ? `to #${oneLine(each.room)}` : `to ${oneLine(each.who)}`) : `from ${oneLine(each.who)}`;
    const head = [apart(name, "what"), ` (${sizeText(each.size)}) `, apart(whose)];
    const about = each.why ? make("span", { class: "far" }, ` stopped: ${each.why}`) : null;
    if (each.blob) return make("div", { class: "file" }, ...head, this._save(each, name), button("Done", "", `Forget ${name}`, () => this._acts.refuse(number)));
    if (each.moves.size) {
      const bar = make("progress", { max: 1, "aria-label": `How far ${name} is` });
      return make("div", { class: "file" }, ...head, bar, make("span", { class: "far" }), refuse("Stop"));
    }
    if (each.own) return make("div", { class: "file" }, ...head, refuse("Take back"));
    if (each.isAccepted) {
      // It goes on by itself when its sender offers it again; where what stopped it was here, somebody may ask for it.
      const again = about && !each.isGone ? button("Go on", "good", `Go on with ${name}`, () => this._acts.accept(number)) : null;
      return make("div", { class: "file" }, ...head, about ?? make("span", { class: "far" }, "waiting"), again, refuse("Stop"));
    }
    return make("div", { class: "file", role: "alert" }, "⇩ ", ...head, about, accept, refuse("Refuse"));
  }

  /** @param {import("./files.js").Shared} each @param {string} name */
  _save(each, name) {
    const isNew = !this._urls.has(each.number);
    // As a plain stream of bytes: whatever it is called, it is not opened here.
    const blob = new Blob([/** @type {Blob} */ (each.blob)], { type: "application/octet-stream" });
    const href = this._urls.get(each.number) ?? URL.createObjectURL(blob);
    this._urls.set(each.number, href);
    const link = make("a", { href, download: plainName(name), class: "save" }, "Save");
    if (isNew) link.click();
    return link;
  }
}

/** A name that is no path; the browser makes the rest of it safe. @param {string} name */
export function plainName(name) {
  const last = name.split(/[\\/]/).filter((part) => part.replace(/[. ]/g, "")).pop() ?? "";
  return last.replace(/^\.+/, "_") || "unnamed";
}

/** @param {import("./files.js").Shared} each */
function signOf(each) {
  return JSON.stringify([each.name, each.who, each.moves.size > 0, each.isAccepted, each.isGone, each.why, Boolean(each.blob)]);
}

/** @param {import("./files.js").Shared} each @param {import("./files.js").Move} move */
function far(each, move) {
  const percent = each.size ? Math.floor((100 * move.done) / each.size) : 100;
  const others = each.moves.size > 1 ? ` (+${each.moves.size - 1})` : "";
  const { rate } = move;
  const pace = rate ? `, ${sizeText(rate)}/s, ${timeText((each.size - move.done) / rate)} left` : "";
  return ` ${percent} %${pace}${others}`;
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

/** @param {string} words @param {string} tone @param {string} label @param {() => void} act */
function button(words, tone, label, act) {
  return make("button", { type: "button", class: `small ${tone}`, "aria-label": label, onclick: act }, words);
}
