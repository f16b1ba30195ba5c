/**
 * The page's questions: who one is, which room to join, what can be typed; each a dialog that Escape closes, and the browser keeps the
 * keyboard in.
 */

import { apart, byId, make, setText } from "./dom.js";
import { VERBS } from "./commands.js";
import { oneLine } from "./text.js";

/**
 * Ask for one word.
 *
 * @param {object} about
 * @param {string} about.title
 * @param {string} about.label
 * @param {string} about.button
 * @param {string} [about.value]
 * @param {string} [about.about] more words
 * @param {number} [about.most] characters
 * @param {(answer: string) => string} [about.check] says why an answer will not do, as a sentence; empty when it does
 * @param {boolean} [about.isNeeded] there is no way around it
 * @param {Node[]} [about.more]
 * @param {(dialog: HTMLDialogElement) => void} [about.opened]
 * @returns {Promise<string>} empty when it was closed
 */
export function ask({ title, label, button, value = "", about = "", most = 200, check = () => "", isNeeded = false, more = [], opened }) {
  const field = make("input", { id: "asked", type: "text", value, maxLength: most, required: true, autocomplete: "off", spellcheck: false });
  const why = make("p", { id: "why", class: "why", role: "alert" });
  field.setAttribute("aria-describedby", "why");
  const { dialog, closed } = open(title, [
    about ? make("p", {}, about) : null,
    make("label", { htmlFor: "asked" }, label),
    field,
    why,
    ...more,
    make(
      "div",
      { class: "buttons" },
      isNeeded ? null : make("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"),
      make("button", { type: "submit", class: "send" }, button),
    ),
  ]);
  let answer = "";
  dialog.querySelector("form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = field.value.trim();
    setText(why, typed && check(typed));
    if (!typed || why.textContent) return;
    answer = typed;
    dialog.close();
  });
  if (isNeeded) keepOpen(dialog);
  opened?.(dialog);
  field.select();
  return closed.then(() => answer);
}

/**
 * Ask which room to join: one of those that there are, or a new one.
 *
 * @param {string} about words
 * @param {(list: HTMLElement, choose: (room: string) => void) => () => void} fill draws the rooms into the list when they are known;
 *   returns what ends that
 * @returns {Promise<string>}
 */
export function askRoom(about, fill) {
  const list = make("ul", { class: "list chosen", "aria-label": "Rooms that there are" });
  let chosen = "";
  let end = () => {};
  const asked = ask({
    title: "Join a room",
    label: "Room",
    button: "Join",
    about,
    more: [list],
    opened: (dialog) => {
      end = fill(list, (room) => {
        chosen = room;
        dialog.close();
      });
    },
  });
  return asked.then((typed) => {
    end();
    return chosen || typed;
  });
}

/** A room in the list of rooms. @param {{ name: string, members: number }} room @param {() => void} choose */
export function roomRow({ name, members }, choose) {
  const about = make("span", { class: "about" }, members ? `${members} here` : "empty");
  return make("li", {}, make("button", { type: "button", class: "entry", onclick: choose }, apart(`#${oneLine(name)}`), about));
}

/** What can be typed and pressed. */
export function showHelp() {
  const rows = VERBS.flatMap((verb) => [make("dt", {}, make("code", {}, verb.usage)), make("dd", {}, verb.what)]);
  const keys = [
    ["Enter", "say it"],
    ["Shift+Enter", "begin a new line"],
    ["Alt+↑ Alt+↓", "the room before, the next"],
    ["Escape", "close a list, or go to the newest line"],
  ].flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]);
  const { dialog } = open("What can be typed", [
    make("p", {}, "Type a line and send it: everybody in the room reads it. A line that begins with / is a command:"),
    make("dl", {}, ...rows),
    make("p", {}, "A line that should begin with a / begins with two. Keys:"),
    make("dl", {}, ...keys),
    make("div", { class: "buttons" }, make("button", { type: "button", class: "send", onclick: () => dialog.close() }, "Close")),
  ]);
}

/** Say something that there is only one answer to. @param {string} title @param {string} words @param {string} button @param {() => void} act */
export function tellLast(title, words, button, act) {
  const { dialog } = open(title, [
    make("p", {}, words),
    make("div", { class: "buttons" }, make("button", { type: "button", class: "send", onclick: act }, button)),
  ]);
  keepOpen(dialog);
}

/** There is no way around it: a browser that is asked to cancel twice does not ask back, so the key is not let through. @param {HTMLDialogElement} dialog */
function keepOpen(dialog) {
  dialog.setAttribute("closedby", "none");
  dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());
  dialog.addEventListener("cancel", (event) => event.preventDefault());
}

/** @param {string} title @param {(Node | null)[]} content */
function open(title, content) {
  byId("app").querySelector("dialog[open]")?.close();
  const form = make("form", { method: "dialog" }, make("h2", { id: "dialog-title" }, title), ...content);
  const dialog = make("dialog", { "aria-labelledby": "dialog-title" }, form);
  const closed = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(undefined);
    });
  });
  byId("app").append(dialog);
  dialog.showModal();
  return { dialog, closed };
}
