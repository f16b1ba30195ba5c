/**
 * The page: draws a client's state once for each frame in which it changed, and brings what the person does to the client.
 */

import { Composer } from "./composer.js";
import { ask, askRoom, roomRow, showHelp, tellLast } from "./dialogs.js";
import { byId, make } from "./dom.js";
import { Log } from "./log.js";
import { Sides } from "./sides.js";
import { Status } from "./status.js";
import { Transfers } from "./transfers.js";
import { whyNoName } from "./text.js";
import { CALL } from "./typist.js";
import { left } from "./words.js";

export class View {
  /**
   * @param {import("./client.js").Client} client
   * @param {() => number} now steady, in seconds
   * @param {Storage} tab
   * @param {(name: string, rooms: string[]) => void} keep remembers who and where one is
   */
  constructor(client, now, tab, keep) {
    this._client = client;
    this._now = now;
    this._keep = keep;
    this._kept = "";
    this._isDue = false;
    this._hasLeft = false;
    /** Called when the client was told something. */
    this.acted = () => {};
    /** Called when the person wants it to be dialled now. */
    this.hurry = () => {};
    this._onRooms = () => {};
    this._log = new Log(client, now, { changed: () => this._act(() => {}), again: (text) => this._composer.put(text) });
    this._sides = new Sides(client, {
      show: (key) => this._show(key),
      close: (key) => this._close(key),
      browse: () => this._browse(),
      whisper: (name) => this._act(() => client.show(`@${client.converse(name).name}`), true),
      ring: (name) => this._act(() => client.ring(name, now()), true),
    });
    this._composer = new Composer(client, (text) => this._say(text), tab);
    this._status = new Status(client, now, {
      hurry: () => this.hurry(),
      accept: () => this._act(() => client.call.accept(now())),
      bye: () => this._act(() => client.call.bye(now())),
      show: (key) => this._show(key),
    });
    this._transfers = new Transfers(client, {
      offer: (files) => this._act(() => [...files].forEach((file) => this._orSay(() => client.offer(file, now())))),
      accept: (number) => this._act(() => this._orSay(() => client.files.accept(number, now()))),
      refuse: (number) => this._act(() => this._orSay(() => client.files.refuse(number, now()))),
    });
    client.choose = () => byId("file").click();
    byId("rename").addEventListener("click", () => this._rename());
    byId("help").addEventListener("click", () => showHelp());
    byId("leave").addEventListener("click", () => this._act(() => client.leave(now())));
    byId("theme").addEventListener("click", () => turnTheme());
    showTheme();
    document.addEventListener("keydown", (event) => this._pressed(event));
    document.addEventListener("visibilitychange", () => {
      this._isDue = false; // a frame that was asked for does not come while the page is hidden
      this.changed();
    });
    // What counts down, and the days.
    setInterval(() => {
      this._status.draw();
      this._transfers.draw();
    }, 500);
    setInterval(() => this.changed(), 60_000);
  }

  /** Something is otherwise: draw it with the next frame. */
  changed() {
    if (this._isDue) return;
    this._isDue = true;
    // A page that nobody sees has no frames, and yet a title.
    if (document.visibilityState === "visible") requestAnimationFrame(() => this._draw());
    else setTimeout(() => this._draw());
  }

  _draw() {
    this._isDue = false;
    const client = this._client;
    client.isAtEnd = this._log.isAtEnd;
    client.isWatched = document.visibilityState === "visible" && client.isAtEnd;
    if (client.isWatched) client.markRead();
    this._log.draw();
    this._sides.draw();
    this._composer.draw();
    this._status.draw();
    this._transfers.draw();
    this._onRooms();
    this._remember();
    if (client.isDone && !this._hasLeft) {
      this._hasLeft = true;
      const words = left(client.pending.texts().length, client.isKept);
      tellLast("You have left", words, "Come back", () => location.reload());
    }
  }

  focus() {
    this._composer.focus();
  }

  _remember() {
    const { wished, rooms } = this._client;
    const kept = JSON.stringify([wished, rooms.names]);
    if (kept === this._kept) return;
    this._kept = kept;
    this._keep(wished, rooms.names);
  }

  // What the person does...

  /** @param {() => void} act @param {boolean} [isElsewhere] it leads to another pane */
  _act(act, isElsewhere = false) {
    act();
    this.acted();
    this.changed();
    if (!isElsewhere) return;
    this._sides.close();
    this._composer.draw();
    if (matchMedia("(pointer: fine)").matches) this._composer.focus();
  }

  /** What cannot be is said. @param {() => void} act */
  _orSay(act) {
    try {
      act();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this._client.tell("trouble", error.message);
    }
  }

  /** @param {string} text */
  _say(text) {
    let isSaid = false;
    this._act(() => (isSaid = this._client.typed(text, this._now())));
    this._log.toEnd();
    return isSaid;
  }

  /** @param {string} key */
  _show(key) {
    this._act(() => this._client.show(key), true);
  }

  /** @param {string} key */
  _close(key) {
    const client = this._client;
    this._act(() => (key.startsWith("#") ? client.leaveRoom(key.slice(1), this._now()) : client.close(key)));
  }

  async _rename() {
    const name = await ask({ title: "Change your name", label: "Name", button: "Change", value: this._client.name, most: 32, check: whyNoName });
    if (name) this._act(() => this._client.rename(name, this._now()));
  }

  async _browse() {
    const client = this._client;
    client.roomList = null;
    this._act(() => client.askForRooms(this._now()));
    const room = await askRoom("Choose one, or name a new one.", (list, choose) => {
      /** @type {unknown} */
      let drawn = null;
      this._onRooms = () => {
        if (!client.roomList || client.roomList === drawn) return;
        drawn = client.roomList;
        const others = client.roomList.filter(({ name }) => !client.rooms.has(name));
        list.replaceChildren(...others.map((each) => roomRow(each, () => choose(each.name))));
        if (!others.length) list.append(make("li", { class: "more" }, "There are no others yet."));
      };
      return () => (this._onRooms = () => {});
    });
    if (room) this._act(() => client.join(room, this._now()), true);
  }

  /** @param {KeyboardEvent} event */
  _pressed(event) {
    if (event.key === "Escape" && !document.querySelector("dialog[open]") && !this._sides.close()) this._log.toEnd();
    if (!event.altKey || event.ctrlKey || event.metaKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const client = this._client;
    const talks = [...client.conversations.keys()].reverse().map((name) => `@${name}`);
    const keys = [...client.rooms.names.map((name) => `#${name}`), ...(client.call.name ? [CALL] : []), ...talks];
    const step = event.key === "ArrowUp" ? -1 : 1;
    const next = keys[(keys.indexOf(client.current) + step + keys.length) % keys.length];
    if (next) this._show(next);
  }
}

// Light or dark...

const THEMES = ["", "light", "dark"];

function turnTheme() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "") + 1) % THEMES.length];
  if (next) root.dataset.theme = next;
  else delete root.dataset.theme;
  try {
    localStorage.setItem("landline.chat.theme", next);
  } catch {
    // it holds until the page is closed
  }
  showTheme();
}

function showTheme() {
  const theme = document.documentElement.dataset.theme ?? "";
  byId("theme").textContent = `Colours: ${theme || "auto"}`;
}
