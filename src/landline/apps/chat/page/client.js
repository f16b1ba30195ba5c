/**
 * The page's end of the chat, without a page, a socket or a clock: what a person did, what the server said and the time go in; requests to
 * send and what is to be seen come out.
 *
 * It keeps the promise of the chat: a line of ours goes out once and in order whatever the line does, is confirmed by its own echo, and is
 * shown as doubtful rather than said twice when nobody can know. `link` gives it a session, `view` shows it.
 */

import { RATE } from "./pending.js";
import { MOST_LOOKED_BACK } from "./transcript.js";
import { CALL, Typist } from "./typist.js";
import * as words from "./words.js";

/** @typedef {import("./rooms.js").Line} Line */
/** @typedef {import("./rooms.js").Reading} Reading */
/** @typedef {import("./rooms.js").Room} Room */

export class Client extends Typist {
  /** @param {ConstructorParameters<typeof Typist>[0]} options */
  constructor(options) {
    super(options);
    /** @type {{ state: string, redialAt: number | null, downSince: number | null, why: string }} */
    this.line = { state: "connecting", redialAt: null, downSince: null, why: "" };
    this._epoch = "";
  }

  // What the link asks for...

  /** Whether the person wants to leave, and has everything confirmed. */
  get isDone() {
    return this.givenUp || (this.leaving && this.pending.size === 0 && !this.files.isBusy && [...this.rooms].every((room) => room.known));
  }

  /** Whether lines of ours wait for nothing but the server's pace. */
  get isPaced() {
    return this._isUp && this.pending.isFlood;
  }

  get rate() {
    return RATE;
  }

  /** The requests to send, and the lines to publish, now and in this order. */
  toSend() {
    return this._send.splice(0);
  }

  /** For how many seconds the line shall be dropped, once, when the person asked for it; else null. */
  dropAsked() {
    const seconds = this._drop;
    this._drop = null;
    return seconds;
  }

  /** When `advance` has something to do, or null. */
  nextAt() {
    const times = [this.pending.nextAt(), this._toldWaitingAt].filter((at) => at !== null);
    return times.length ? Math.min(.../** @type {number[]} */ (times)) : null;
  }

  /** @override @param {number} now */
  advance(now) {
    super.advance(now);
    if (this._isUp) this.pending.watchFlood();
    if (this._toldWaitingAt !== null && now >= this._toldWaitingAt) {
      this._toldWaitingAt = null;
      if (!this.pending.texts().length && this.files.isBusy && !this.isDone) {
        this.tell("line", "Files are on their way; /bye again leaves without waiting for them.");
      }
      const waiting = this.pending.texts();
      const count = waiting.length;
      if (count && !this.isDone) {
        const kept = this.isKept ? waiting.filter(({ request }) => request.t === "say").length : 0;
        let without = kept ? "leaves, and what is kept goes out when you come back" : "leaves without";
        if (kept && kept < count) without += "; private lines are not kept";
        this.tell("line", `${count === 1 ? "1 line is" : `${count} lines are`} still waiting to go out first; /bye again ${without}.`);
      }
    }
  }

  // ... what the line does...

  /**
   * A new session is there: introduce ourselves, with what we have seen of each room.
   *
   * @param {number} now
   * @param {Record<string, any>[] | null} [earlier] the lines in its outbox, which go out by themselves; null where it is the same
   *   session with another life of the server
   */
  opened(now, earlier = null) {
    this.entered = false;
    this._hasSession = true;
    this._hungUp = false;
    this._change("connected", null);
    // Enter says for itself what these asked for.
    this.pending.takeAll("join");
    this.pending.takeAll("leave");
    for (const { request } of this.pending.of("rename")) {
      this.pending.take(request.id);
      this.wished = request.name;
    }
    this._send.unshift({
      t: "enter", name: this.wished, rooms: this.rooms.wanted(), version: 1, run: this.run, asked: this._nextId - 1,
    }); // prettier-ignore
    if (earlier !== null) {
      const found = this.pending.inOutbox(earlier, now);
      if (found) this.tell("line", words.goingOut(found));
    }
    for (const pending of this.pending.unsaid()) this._handOver(pending);
  }

  /**
   * The line beneath the session, or the dialling for a new one, is in another state.
   *
   * @param {string} state
   * @param {number} now
   * @param {{ why?: string, redialIn?: number | null }} [more]
   */
  lineChanged(state, now, { why = "", redialIn = null } = {}) {
    this._change(state, redialIn === null ? null : now + redialIn);
    if (state === "reconnecting") {
      const hungUp = this._hungUp;
      this._hungUp = false;
      if (this._goesDown(now)) this.tell("line", words.lineDown(hungUp ? "you hung up" : why));
    } else if (state === "connected" && this.entered) this._lineBack(now, false);
    this.advance(now);
  }

  /** Nobody could be reached; what follows says when it is tried again. @param {string} why a sentence, or empty */
  unreached(why) {
    this.line.why = why;
  }

  /** @param {unknown} id @param {string} status */
  settled(id, status) {
    this.pending.settled(String(id), status);
  }

  /** A line of ours is in the outbox: from here on it survives the page. @param {unknown} id @param {number} now */
  kept(id, now) {
    this.pending.kept(String(id));
    this.advance(now);
  }

  /** A line of ours is stored. @param {unknown} id @param {number} offset @param {number} now */
  published(id, offset, now) {
    const pending = this.pending.get(id);
    if (!pending || pending.request.t !== "say") return;
    const room = this.rooms.get(pending.request.room);
    this.pending.stored(pending.id, offset, room !== undefined && !room.hasPassed(offset));
    this.advance(now);
  }

  /** A line of ours is not stored, or nobody knows. @param {unknown} id @param {string} why @param {number} now @param {boolean} isDoubtful */
  unpublished(id, why, now, isDoubtful) {
    this.pending.unpublished(String(id), why, isDoubtful);
    this.advance(now);
  }

  /** Another life of the server goes on with the session, and what the one before left is settled; `opened` must follow. @param {number} now */
  interrupted(now) {
    this._goesDown(now);
    this._send = this._send.filter((request) => request.t === "say");
    this._beginAgain();
    this.advance(now);
  }

  /** The session is gone, with everything in it settled; another one will follow. @param {number} now @param {string} why */
  ended(now, why) {
    this._change("reconnecting", null);
    this.tell("line", this._goesDown(now) ? words.lineDown(why) : words.redialling(why));
    this._send = [];
    this._beginAgain();
    this.advance(now);
  }

  _beginAgain() {
    this.entered = this._hasSession = false;
    this.call.sessionEnded();
    this.rooms.sessionEnded();
    this.files.sessionEnded();
    this.pending.sessionEnded();
  }

  get _isUp() {
    return this.entered && !this._isDown;
  }

  /** @param {string} state @param {number | null} redialAt */
  _change(state, redialAt) {
    Object.assign(this.line, { state, redialAt });
    if (state === "connected") this.line.why = "";
  }

  /** @param {number} now */
  _goesDown(now) {
    if (this._isDown) return false;
    this._isDown = true;
    this.line.downSince = now;
    return true;
  }

  /** @param {number} now @param {boolean} restarted */
  _lineBack(now, restarted) {
    const since = this.line.downSince;
    this._isDown = false;
    this.line.downSince = null;
    if (since !== null) this.tell("line", words.lineBack(now - since, restarted));
  }

  // ... what is said in the rooms...

  /**
   * Take what comes next in a room's topic.
   *
   * @param {string} name
   * @param {Reading} reading
   * @param {{ position: import("./rooms.js").Position, line?: Line | null, gap?: string }} item `gap`: why lines before it are missing
   * @param {number} now
   */
  read(name, reading, item, now) {
    const room = this.rooms.get(name);
    if (!room || !this.rooms.isRead(name, reading)) return;
    if (item.gap) this.note(room.transcript, "gap", words.unreachable(name, words.missing(item.gap)));
    const isOld = !reading.isLive;
    const lines = this.rooms.read(room, reading, item.position, item.line ?? null, (line) => this.pending.isOwn(line));
    this._showAll(room, lines, isOld);
    this.advance(now);
  }

  /** A room cannot be read just now; it is tried again. @param {string} name @param {Reading} reading @param {string} why @param {number} now */
  unreadable(name, reading, why, now) {
    const room = this.rooms.get(name);
    if (!room || !this.rooms.isRead(name, reading)) return;
    this.note(room.transcript, "gap", words.unreachable(name, why));
    if (!reading.isLive) {
      this._showAll(room, this.rooms.cutShort(room, reading, (line) => this.pending.isOwn(line)), true);
    }
    this.advance(now);
  }

  /** The server does not let us read a room any more: we are not in it. @param {string} name @param {Reading} reading @param {number} now */
  putOut(name, reading, now) {
    if (!this.rooms.isRead(name, reading)) return;
    this._left(name, `you are no longer in #${name}`);
    this.tell("trouble", `You are no longer in #${name}: the server has put you out.`);
    this.advance(now);
  }

  /** @param {Room} room @param {Line[]} lines @param {boolean} isOld */
  _showAll(room, lines, isOld) {
    for (const line of lines) {
      const own = this.pending.isOwn(line);
      const item = itemOf(line, own || line.name === this.name, own ? `i${line.id}` : `o${line.offset}`);
      if (own) this.pending.appeared(line.id);
      room.transcript.add(item);
      if (!own && !isOld) this._count(room, `#${room.name}`, item.key);
    }
    this._trim(room.transcript);
    if (room.caughtUp && room.seen) this.pending.passed(room.name, room.seen.offset);
    this.rooms.release(room);
  }

  /** Something came that is to be read. @param {{ unread: number, firstUnread: string }} pane @param {string} key @param {string} itemKey */
  _count(pane, key, itemKey) {
    if (this.isWatched && this.current === key) return;
    if (!pane.unread) pane.firstUnread = itemKey;
    pane.unread += 1;
  }

  // ... and what the server says.

  /** Take one message of the server. @param {Record<string, any>} told @param {number} now */
  heard(told, now) {
    if (Object.hasOwn(HEARD, told.t)) HEARD[told.t](this, told, now);
  }

  /** @param {Record<string, any>} told @param {number} now */
  _onEntered(told, now) {
    this.entered = true;
    const again = Boolean(this._epoch);
    const restarted = again && told.epoch !== this._epoch;
    this._epoch = told.epoch;
    this._lineBack(now, restarted);
    // Where the notice says why it is another name, it is not for somebody who has the one that was wished for.
    const taken = told.name === this.wished || told.notice ? "" : this.wished;
    if (told.name !== this.wished || !again) this.tell("line", words.named(told.name, taken));
    else if (told.name !== this.name) this.tell("line", words.named(told.name, ""));
    this.name = this.wished = told.name;
    if (told.notice) this.tell("plain", words.sentence(told.notice));
    for (const pending of this.pending.held()) this._handOver(pending);
    if (again) this.files.entered(now);
  }

  /** @param {Record<string, any>} told */
  _onJoined(told) {
    for (const { request } of this.pending.of("join")) if (request.room === told.room) this.pending.take(request.id);
    const left = this.pending.of("leave").some(({ request }) => request.room === told.room);
    if (!this.rooms.has(told.room) && left) return;
    const room = this.rooms.joined(told, this.name);
    if (!this.current) this.show(`#${told.room}`);
    this._showAll(room, [], true);
  }

  /** @param {Record<string, any>} told */
  _onEarlier(told) {
    const room = this.rooms.get(told.room);
    const pending = this.pending.take(told.id);
    // Where the oldest lines went meanwhile, a hole would follow: whoever still scrolls back asks anew.
    if (!room || pending?.request.before !== room.transcript.begins + 1) return;
    const items = told.lines.map((/** @type {Line} */ line) => itemOf(line, line.name === this.name, `o${line.offset}`));
    room.transcript.addBefore(items);
    room.transcript.begins = told.after;
    room.transcript.missing = told.missing ?? "";
    room.transcript.isStart = Boolean(told.is_start) || room.transcript.items.length >= MOST_LOOKED_BACK;
    if (room.transcript.isStart && !told.is_start) room.transcript.missing = "That is as far back as this page goes.";
  }

  /** @param {Record<string, any>} told @param {number} now */
  _onAnswer(told, now) {
    const pending = this.pending.take(told.id);
    if (!pending) return;
    const { t, name, text } = pending.request;
    if (told.t === "sorry") this._onRefusal(pending, told.why);
    else if (t === "rename" && name !== this.name) this._renamed(this.name, name);
    else if (t === "offer-file") this.files.stands(pending.request.file);
    else if (t === "msg") this._saidInPrivate(this.converse(pending.request.to), this.name, text, pending.id);
    else if (t === "talk") this._saidInPrivate(this.call, this.name, text, pending.id);
    else if (t === "call" && this.call.stage === "calling") {
      this.note(this.call.transcript, "plain", `☎ ${words.ringing(this.call.name)}`);
    }
    this.advance(now);
  }

  /** @param {import("./pending.js").Pending} pending @param {string} why */
  _onRefusal(pending, why) {
    const { t, room } = pending.request;
    if (t === "msg" || t === "talk" || t === "say") {
      this.pending.refused(pending, why);
      return;
    }
    if (t === "call" || t === "accept") this.call.refused();
    if (t === "join") this._left(room, "you are not in that room");
    if (t === "offer-file" || t === "take-file") this.files.refused(pending.request);
    if (t !== "hangup" && t !== "drop-file") this.tell("trouble", words.sentence(why)); // the call that we wanted to end was over before
  }

  /** @param {import("./typist.js").Conversation | import("./call.js").Call} pane @param {string} name @param {string} text @param {string} [id] ours */
  _saidInPrivate(pane, name, text, id) {
    const key = id === undefined ? pane.transcript.nextKey() : `i${id}`;
    pane.transcript.add({ key, kind: "line", at: this._wall(), name, text, own: id !== undefined });
    this._trim(pane.transcript);
    if (id === undefined) this._count(pane, pane === this.call ? CALL : `@${name}`, key);
  }

  /** @param {string} old @param {string} now */
  _renamed(old, now) {
    if (old === now) return;
    const rooms = this.rooms.change(old, { name: now });
    this.call.renamed(old, now);
    this.files.renamed(old, now);
    if (old === this.name) {
      this.name = this.wished = now;
      this.tell("line", words.named(now, ""));
      return;
    }
    for (const room of rooms) this.note(room.transcript, "plain", words.renamed(old, now));
    const conversation = this.conversations.get(old);
    if (!conversation || this.conversations.has(now)) return;
    this.note(conversation.transcript, "plain", words.renamed(old, now));
    this.conversations.delete(old);
    this.conversations.set(now, conversation);
    conversation.name = now;
    if (this.current === `@${old}`) this.current = `@${now}`;
  }
}

/** What each message of the server does. @type {Record<string, (client: any, told: Record<string, any>, now: number) => void>} */
const HEARD = {
  entered: (client, told, now) => client._onEntered(told, now),
  joined: (client, told) => client._onJoined(told),
  barred: (client, told) => {
    client._left(told.room, told.why);
    client.tell("trouble", words.sentence(told.why));
  },
  done: (client, told, now) => client._onAnswer(told, now),
  sorry: (client, told, now) => client._onAnswer(told, now),
  "room-list": (client, told) => {
    const pending = client.pending.take(told.id);
    client.roomList = told.rooms;
    if (pending && !pending.to) client.tell("plain", words.whichRooms(told.rooms));
  },
  "member-list": (client, told) => {
    client.pending.take(told.id);
    client.rooms.listed(told);
    client.tell("plain", words.whoIsIn(told.room, told.members, client.name));
  },
  "earlier-lines": (client, told) => client._onEarlier(told),
  came: (client, told, now) => {
    if (told.name === client.name) return;
    client.rooms.moved(told);
    client.files.isHere(told.name, now);
  },
  went: (client, told) => told.name !== client.name && client.rooms.moved(told),
  away: (client, told, now) => {
    if (told.name === client.name) return;
    client.files.isHere(told.name, now);
    for (const room of client.rooms.change(told.name, { away: told.away })) {
      client.note(room.transcript, "plain", words.lineOf(told.name, told.away));
    }
  },
  renamed: (client, told) => client._renamed(told.old, told.new),
  rang: (client, told) => {
    client.call.rang(told.name);
    client.note(client.call.transcript, "plain", `☎ ${words.calling(told.name)}`);
  },
  "call-began": (client, told) => {
    client.call.began(told.name);
    client.show(CALL);
    client.note(client.call.transcript, "plain", `☎ ${words.talking(told.name)}`);
  },
  "call-ended": (client, told) => client.call.ended(told.why),
  talked: (client, told) => client._saidInPrivate(client.call, told.name, told.text),
  whispered: (client, told) => client._saidInPrivate(client.converse(told.name), told.name, told.text),
  "file-offered": (client, told, now) => client.files.heard(told, now),
  "file-wanted": (client, told, now) => client.files.heard(told, now),
  "file-refused": (client, told, now) => client.files.heard(told, now),
  "file-gone": (client, told, now) => client.files.heard(told, now),
  notice: (client, told) => client.tell("plain", words.sentence(told.text)),
};

/** @param {Line} line @param {boolean} own @param {string} key @returns {import("./transcript.js").Item} */
function itemOf(line, own, key) {
  return { key, kind: "line", at: line.at, name: line.name, text: line.text, own, offset: line.offset };
}
