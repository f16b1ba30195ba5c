/**
 * What a person does on the page: lines and commands become requests, or sentences about why not. `client` adds the line and the server.
 *
 * A person reads and writes in one pane at a time: a room (`#lobby`), talk with one person (`@ben`), or the call (`call`).
 */

import { Call } from "./call.js";
import * as commands from "./commands.js";
import { PendingRequests, RATE, WAITING_AFTER } from "./pending.js";
import { Rooms } from "./rooms.js";
import { RAW_NAME, RAW_ROOM, oneLine, roomName, sameName, shortEnough, validLine } from "./text.js";
import { MOST_ITEMS, MOST_LOOKED_BACK, Transcript } from "./transcript.js";
import { Files } from "./files.js";
import * as words from "./words.js";

export const MAX_WAITING = 1000; // lines of ours without an answer
export const CALL = "call";
export const MOST_CONVERSATIONS = 200; // the one that was silent for the longest goes

/** What two people say to each other in private; it is kept nowhere but here. */
export class Conversation {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.transcript = new Transcript();
    this.unread = 0;
    this.firstUnread = "";
    this.newFrom = "";
  }
}

/** The half of a client that its person types into; see `Client`. */
export class Typist {
  /**
   * @param {object} options
   * @param {string} options.name the name wished for
   * @param {string[]} options.rooms to be in to begin with
   * @param {() => bigint} options.draw gives 63 random bits
   * @param {() => number} options.wall seconds since 1970
   * @param {boolean} [options.isKept] the outbox outlives the page
   */
  constructor({ name, rooms, draw, wall, isKept = false }) {
    this.name = name;
    this.wished = name;
    this.rooms = new Rooms(rooms, (room, tone, text) => this.note(room.transcript, tone, text));
    /** @type {Map<string, Conversation>} */
    this.conversations = new Map();
    this.pending = new PendingRequests({
      doubtful: (pending) => this._didNotGo(pending, words.doubtful(this.aimOf(pending))),
      notSent: (pending, why) => this._didNotGo(pending, words.notSent(this.aimOf(pending), why)),
      afterAll: (pending) => this._transcriptOf(pending).remove(`i${pending.id}`),
      paced: () => this.tell("line", words.paced(RATE)),
    });
    this.call = new Call(
      this.pending,
      (request, now) => this._ask(request, now),
      (tone, text) => this._tellOfCall(tone, text),
      () => this.current === CALL && this.show(this.pane(this._before) ? this._before : `#${this.rooms.names[0] ?? ""}`),
    );
    this.files = new Files(
      (request, now) => this._ask(request, now),
      (tone, text) => this.tell(tone, text),
      draw,
    );
    /** Called when the person would choose a file. */
    this.choose = () => {};
    /** The pane that is looked at. */
    this.current = rooms.length ? `#${rooms[0]}` : "";
    /** Whether the person sees what comes there now. */
    this.isWatched = true;
    /** Whether the newest line there is in view, be the page seen or not. */
    this.isAtEnd = true;
    /** The one that was looked at before the call. */
    this._before = "";
    this.entered = false;
    this.leaving = false;
    this.givenUp = false;
    /** What `/rooms` found last. @type {{ name: string, members: number }[] | null} */
    this.roomList = null;
    this.run = draw();
    this.isKept = isKept;
    this._draw = draw;
    this._wall = wall;
    this._hasSession = false;
    this._nextId = 1;
    /** @type {Record<string, any>[]} */
    this._send = [];
    /** @type {number | null} */
    this._drop = null;
    this._hungUp = false;
    /** @type {number | null} */
    this._toldWaitingAt = null;
    this._isDown = false;
  }

  // Places...

  /** The pane of a key, if it is there. @param {string} key */
  pane(key) {
    if (key === CALL) return this.call;
    return key.startsWith("#") ? this.rooms.get(key.slice(1)) : this.conversations.get(key.slice(1));
  }

  /** Look at a pane. @param {string} key */
  show(key) {
    const pane = this.pane(key);
    if (!pane) return;
    const before = this.pane(this.current);
    if (before && before !== pane) before.newFrom = "";
    if (this.current !== CALL) this._before = this.current;
    this.current = key;
    this.markRead();
  }

  /** The person sees the current pane; what was not read stands behind a mark until they look elsewhere. */
  markRead() {
    const pane = this.pane(this.current);
    if (!pane?.unread) return;
    pane.newFrom = pane.firstUnread;
    pane.unread = 0;
  }

  /** How many lines were not read. */
  get unread() {
    const panes = [...this.rooms, ...this.conversations.values(), this.call];
    return panes.reduce((sum, pane) => sum + pane.unread, 0);
  }

  /** Talk with one person. @param {string} name */
  converse(name) {
    let found = [...this.conversations.values()].find((each) => sameName(each.name, name));
    if (!found) {
      found = new Conversation(name);
      if (this.conversations.size >= MOST_CONVERSATIONS) {
        const silent = [...this.conversations.keys()].find((key) => `@${key}` !== this.current);
        if (silent !== undefined) this.conversations.delete(silent);
      }
    }
    // Whoever spoke last stands last, under the name they have.
    this.conversations.delete(found.name);
    if (this.current === `@${found.name}`) this.current = `@${name}`;
    found.name = name;
    this.conversations.set(name, found);
    return found;
  }

  /** Forget what was said with one person, or in the call that is over. @param {string} key */
  close(key) {
    if (key !== CALL) this.conversations.delete(key.slice(1));
    else if (this.call.stage === "none") this.call.name = "";
    if (this.current === key) this._lookElsewhere();
  }

  _lookElsewhere() {
    this.current = this.rooms.names.length ? `#${this.rooms.names[0]}` : "";
    this.markRead();
  }

  /** Our lines of a pane that are not confirmed, oldest first. @param {string} key */
  waitingIn(key) {
    return this.pending.texts().filter((pending) => this.keyOf(pending) === key);
  }

  /** The pane that a line was said in. @param {import("./pending.js").Pending} pending */
  keyOf(pending) {
    const { t, room, to } = pending.request;
    if (t === "say") return `#${room}`;
    if (t === "talk") return CALL;
    const known = [...this.conversations.keys()].find((name) => sameName(name, to));
    return `@${known ?? to}`;
  }

  /** Where a line goes, as a person writes it. @param {import("./pending.js").Pending} pending */
  aimOf(pending) {
    const { t, room, to } = pending.request;
    return t === "say" ? `#${room}` : t === "msg" ? to : pending.to;
  }

  // What the person typed...

  /**
   * Take what was entered in the current pane; returns false when it is to stay where it was typed, since it was not said.
   *
   * @param {string} typed
   * @param {number} now
   */
  typed(typed, now) {
    const command = commands.parse(typed.replace(/\p{Surrogate}/gu, "\ufffd")); // halves of characters cannot be sent
    try {
      return this._do(command, now);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.tell("trouble", error.message);
      return false;
    }
  }

  /** @param {commands.Command} command @param {number} now */
  _do({ do: verb, text = "", name = "", room = "", lines = 0, seconds = 0, number = 0, why = "" }, now) {
    if (verb === "say") return this._say(text, now);
    if (verb === "nick") this.rename(shortEnough(name, RAW_NAME), now);
    else if (verb === "join") this.join(shortEnough(room, RAW_ROOM), now);
    else if (verb === "leave") this.leaveRoom(roomName(room) || this._room, now);
    else if (verb === "rooms") this._ask({ t: "rooms" }, now);
    else if (verb === "who") this._who(roomName(room) || this._room, now);
    else if (verb === "history") this._lookBackByHand(lines, now);
    else if (verb === "msg") this.whisper(name, text, now);
    else if (verb === "call") this.ring(name, now);
    else if (verb === "drop") this._dropLine(seconds);
    else if (verb === "send") this.choose();
    else if (verb === "accept") this.files.accept(number, now);
    else if (verb === "refuse") this.files.refuse(number, now);
    else if (verb === "files") this.tell("plain", words.files(this.files.all));
    else if (verb === "help") this.tell("plain", helpText());
    else if (verb === "bye") {
      if (!this.call.bye(now)) this.leave(now);
    } else if (verb === "mistake") {
      this.tell("trouble", why);
      return false;
    }
    return true;
  }

  /** The room that is looked at; empty elsewhere. */
  get _room() {
    return this.current.startsWith("#") ? this.current.slice(1) : "";
  }

  /** @param {string} text @param {number} now */
  _say(text, now) {
    const said = validLine(text);
    if (this.pending.texts().length >= MAX_WAITING) {
      this.tell("trouble", "Too many lines are waiting already; say it again when some have gone.");
    } else if (this.current === CALL && this.call.stage === "talking") {
      this._ask({ t: "talk", text: said }, now, { to: this.call.name });
      return true;
    } else if (this.current === CALL) {
      this.tell("trouble", `The call with ${oneLine(this.call.name)} is over.`);
    } else if (this.current.startsWith("@")) {
      return this.whisper(this.current.slice(1), said, now);
    } else if (!this.rooms.has(this._room)) {
      this.tell("trouble", "You are in no room: /join lobby takes you to the lobby.");
    } else {
      const say = { t: "say", id: this._draw(), room: this._room, text: said, run: this.run, asked: this._nextId - 1 };
      this._await(this.pending.add(say, now, { isKept: !this.isKept }), now);
      return true;
    }
    return false;
  }

  /** @param {string} to @param {string} text @param {number} now */
  whisper(to, text, now) {
    const said = validLine(text);
    const { name } = this.converse(to);
    this.current = `@${name}`;
    this._ask({ t: "msg", to: name, text: said }, now);
    return true;
  }

  /** Offer a file to whoever is typed to. @param {{ name: string, size: number }} file @param {number} now */
  offer(file, now) {
    const { current } = this;
    if (current === CALL && this.call.stage === "talking") this.files.offer(file, { to: this.call.name }, now);
    else this.files.offer(file, current.startsWith("@") ? { to: current.slice(1) } : { room: this._room }, now);
  }

  /** @param {string} name @param {number} now */
  rename(name, now) {
    if (name === this.name) this.tell("plain", `You are ${oneLine(name)} already.`);
    else this._ask({ t: "rename", name }, now);
  }

  /** @param {string} wished @param {number} now */
  join(wished, now) {
    const name = roomName(wished);
    if (!name) return;
    if (!this.rooms.has(name)) {
      // From here on lines are meant for it; they wait until the server has let us in.
      this.rooms.add(name);
      this._ask({ t: "join", room: name }, now);
    }
    this.show(`#${name}`);
  }

  /** @param {string} room @param {number} now */
  leaveRoom(room, now) {
    if (!this.rooms.has(room)) {
      this.tell("trouble", room ? `You are not in #${oneLine(room)}.` : "You are in no room.");
      return;
    }
    this._left(room, `you left #${room}`);
    this._ask({ t: "leave", room }, now);
  }

  /** @param {number} now */
  askForRooms(now) {
    this._ask({ t: "rooms" }, now, { to: "list" });
  }

  /** @param {string} name @param {number} now */
  ring(name, now) {
    this.call.ring(name, now);
    if (this.call.stage === "calling") this.show(CALL);
  }

  /** Ask for what was said in a room before all that is shown; returns whether it comes. @param {string} name @param {number} lines @param {number} now */
  lookBack(name, lines, now) {
    const room = this.rooms.get(name);
    if (!room || !room.caughtUp || !this.entered || room.transcript.isStart) return false;
    // One at a time: its answer says where the next begins.
    if (this.pending.of("earlier").some((pending) => pending.request.room === name)) return false;
    this._ask({ t: "earlier", room: name, before: room.transcript.begins + 1, limit: lines }, now);
    return true;
  }

  /** @param {number} lines @param {number} now */
  _lookBackByHand(lines, now) {
    const room = this.rooms.get(this._room);
    if (!room) this.tell("trouble", "You are in no room: /rooms lists those there are.");
    else if (room.transcript.isStart) this.tell("plain", `No line of #${oneLine(room.name)} is older than those you have seen.`);
    else if (!this.lookBack(room.name, lines, now)) {
      this.tell("trouble", `#${oneLine(room.name)} is still being read; try again in a moment.`);
    }
  }

  /** Leave the chat as soon as everything said is confirmed; asked again, at once. @param {number} now */
  leave(now) {
    this.givenUp = this.leaving;
    this.leaving = true;
    if ((this.pending.texts().length || this.files.isBusy) && !this.givenUp) this._toldWaitingAt = now + WAITING_AFTER;
  }

  /** @param {string} room @param {number} now */
  _who(room, now) {
    if (room) this._ask({ t: "who", room }, now);
    else this.tell("trouble", "You are in no room: /rooms lists those there are.");
  }

  /** @param {number} seconds */
  _dropLine(seconds) {
    if (this._isDown || !this.entered) {
      this.tell("plain", "The line is down already.");
      return;
    }
    this._drop = seconds;
    this._hungUp = true;
  }

  /** Forget a room, and say of the lines that still wait for it that they will not go out. @param {string} name @param {string} why */
  _left(name, why) {
    if (!this.rooms.has(name)) return;
    const isCurrent = this.current === `#${name}`;
    this.rooms.remove(name);
    if (isCurrent) this._lookElsewhere();
    this.pending.roomLeft(name, why);
  }

  // Sending...

  /** @param {Record<string, any>} request @param {number} now @param {Partial<import("./pending.js").Pending>} [more] */
  _ask(request, now, more) {
    const pending = this.pending.add({ ...request, id: this._nextId }, now, more);
    this._nextId += 1;
    this._await(pending, now);
  }

  /** A line for a room goes into the outbox at once, whether its server is there or not. @param {import("./pending.js").Pending} pending @param {number} now */
  _await(pending, now) {
    if (pending.request.t === "say" ? this._hasSession : this.entered) this._handOver(pending);
    this.advance(now);
  }

  /** @param {import("./pending.js").Pending} pending */
  _handOver(pending) {
    pending.stage = "sent";
    this._send.push(pending.request);
  }

  /** Let time have its effect. @param {number} now */
  advance(now) {
    this.pending.growLate(now, this._isDown);
  }

  // ... and telling.

  /** Say something where the person looks. @param {string} tone @param {string} text */
  tell(tone, text) {
    const pane = this.pane(this.current) ?? [...this.rooms][0];
    this.note(pane ? pane.transcript : this.call.transcript, tone, text);
  }

  /** @param {Transcript} transcript @param {string} tone @param {string} text */
  note(transcript, tone, text) {
    const note = /** @type {any} */ ({ key: transcript.nextKey(), kind: "note", tone, text, at: this._wall() });
    transcript.add(note);
    this._trim(transcript);
  }

  /** Nothing grows without bound, also where nobody says a line; whoever scrolled back keeps more. @param {Transcript} transcript */
  _trim(transcript) {
    const isScrolledBack = !this.isAtEnd && transcript === this.pane(this.current)?.transcript;
    transcript.trim(isScrolledBack ? MOST_LOOKED_BACK : MOST_ITEMS);
  }

  /** What happens to a call is told in it, and where the person looks. @param {string} tone @param {string} text */
  _tellOfCall(tone, text) {
    this.note(this.call.transcript, tone, text);
    if (this.current !== CALL) this.tell(tone, text);
  }

  /** @param {import("./pending.js").Pending} pending */
  _transcriptOf(pending) {
    const pane = this.pane(this.keyOf(pending)) ?? this.pane(this.current) ?? this.call;
    return pane.transcript;
  }

  /** @param {import("./pending.js").Pending} pending @param {string} why */
  _didNotGo(pending, why) {
    const { text } = pending.request;
    this._transcriptOf(pending).add({ key: `i${pending.id}`, kind: "failed", text, why, at: this._wall() });
  }
}

/** What can be typed, one command a line. */
export function helpText() {
  return [
    "Type a line and press Enter to say it. Commands:",
    ...commands.VERBS.map((verb) => `${verb.usage} – ${verb.what}`),
    "A line that should begin with a / begins with two.",
  ].join("\n");
}
