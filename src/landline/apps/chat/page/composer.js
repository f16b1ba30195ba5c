/**
 * The field for typing: Enter says it, Shift+Enter breaks the line; where there is no keyboard, Enter breaks it and the button says it.
 * What was typed and not said stays with the pane that it was meant for, also over a reload.
 */

import { byId, setText } from "./dom.js";
import { oneLine } from "./text.js";
import { CALL } from "./typist.js";

const DRAFTS = "landline.chat.drafts";
const MOST_ROWS = 8;

export class Composer {
  /**
   * @param {import("./client.js").Client} client
   * @param {(text: string) => boolean} say returns false when it is to stay
   * @param {Storage} tab
   */
  constructor(client, say, tab) {
    this._client = client;
    this._say = say;
    this._tab = tab;
    this._field = byId("say");
    this._pane = "";
    /** @type {Record<string, string>} */
    this._drafts = draftsIn(tab);
    /** Whom a draft is for, however they are called by now. @type {Map<string, any>} */
    this._talks = new Map();
    this._hasKeyboard = matchMedia("(pointer: fine)");
    byId("composer").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this._submit();
    });
    this._field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this._pressed(event));
    this._field.addEventListener("input", () => this._typed());
    byId("skip").addEventListener("click", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.focus();
    });
  }

  draw() {
    const { current, call } = this._client;
    this._follow();
    if (current !== this._pane) this._turn(current);
    const where = current === CALL ? `the call with ${oneLine(call.name)}` : oneLine(current.replace(/^@/, ""));
    const words = current ? `Say something to ${where}` : "Type a command, such as /join lobby";
    setText(byId("say-label"), words);
    const short = current ? `To ${current === CALL ? `${oneLine(call.name)}, in the call` : where}` : "Type a command";
    if (this._field.placeholder !== short) this._field.placeholder = short;
  }

  focus() {
    this._field.focus();
  }

  /** Something that was said, and did not go, is to be typed again. @param {string} text */
  put(text) {
    this._field.value = this._field.value.trim() ? `${this._field.value}\n${text}` : text;
    this._typed();
    this.focus();
  }

  /** What is being typed to somebody goes with them when they call themselves otherwise. */
  _follow() {
    for (const key of Object.keys(this._drafts)) {
      if (!key.startsWith("@")) continue;
      const talk = this._talks.get(key) ?? this._client.pane(key);
      const now = `@${talk?.name}`;
      if (now === key) this._talks.set(key, talk);
      else this._talks.delete(key);
      if (now === key || !talk || this._client.pane(now) !== talk) continue;
      this._drafts[now] = this._drafts[key];
      delete this._drafts[key];
      if (this._pane === key) this._pane = now;
      this._keep();
    }
  }

  /** @param {string} pane */
  _turn(pane) {
    // What is still typed was meant for where one was: a person who wants to go on here says so, and whoever led here does it for them.
    if (this._field.value) this._field.blur();
    this._pane = pane;
    this._field.value = this._drafts[pane] ?? "";
    this._grow();
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !this._hasKeyboard.matches) return;
    event.preventDefault();
    this._submit();
  }

  _submit() {
    const text = this._field.value;
    if (!text.trim()) return;
    const pane = this._pane;
    if (pane !== this._client.current) {
      this.draw(); // another one is looked at since a moment ago; the line was not meant for that
      return;
    }
    this._field.value = "";
    this._typed();
    // A command may lead elsewhere: what stays is put back where it was typed.
    if (!this._say(text)) {
      this._drafts[pane] = text;
      this._pane = "";
      this._keep();
    }
    this.draw();
    this.focus();
  }

  _typed() {
    this._talks.set(this._pane, this._client.pane(this._pane));
    if (this._field.value) this._drafts[this._pane] = this._field.value;
    else delete this._drafts[this._pane];
    this._keep();
    this._grow();
  }

  _keep() {
    try {
      this._tab.setItem(DRAFTS, JSON.stringify(this._drafts));
    } catch {
      // full: the draft is here all the same
    }
  }

  _grow() {
    const style = this._field.style;
    style.height = "auto";
    const row = parseFloat(getComputedStyle(this._field).lineHeight);
    style.height = `${Math.min(this._field.scrollHeight + 2, row * MOST_ROWS)}px`;
  }
}

/** @param {Storage} tab @returns {Record<string, string>} */
function draftsIn(tab) {
  try {
    const drafts = JSON.parse(tab.getItem(DRAFTS) ?? "{}");
    return typeof drafts === "object" && drafts !== null ? drafts : {};
  } catch {
    return {};
  }
}
