/**
 * The rooms that the page is in: who is there, how far each has been read, and what a person reads in it.
 *
 * Where one has read to is what makes a lost session harmless: its topic is read on from there, and nothing is shown twice.
 */

import { Transcript } from "./transcript.js";
import * as words from "./words.js";

export const MOST_HELD = 1000; // comings and goings that wait for the lines before them

/** @typedef {{ epoch: string, offset: number }} Position */
/** @typedef {{ offset: number, at: number, name: string, text: string, id?: unknown }} Line */

/** A room's topic as it is read, from being told that we are in the room to the end of that: one object for each time. */
export class Reading {
  /** @param {Position} after up to here it was read @param {number} until up to this offset it is history */
  constructor(after, until) {
    this.after = after;
    this.until = until;
    /** The part of the history that is here. @type {Line[]} */
    this.history = [];
    /** It is shown; only then our own lines follow. */
    this.isLive = false;
  }
}

/** A room that we are in, or shall be as soon as the server has answered. */
export class Room {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.transcript = new Transcript();
    this.unread = 0;
    /** The keys of the first line that was not read, and of the one that the mark stands before. */
    this.firstUnread = "";
    this.newFrom = "";
    /** @type {Map<string, words.Member>} */
    this.members = new Map();
    /** Up to where lines were shown. @type {Position | null} */
    this.seen = null;
    /** We have been in it before: what its next history brings was missed. */
    this.known = false;
    /** @type {Reading | null} */
    this.reading = null;
    /** Who came and went, each with the line before it, which we have not read yet. @type {{ at: number, text: string }[]} */
    this.held = [];
  }

  get caughtUp() {
    return this.reading !== null && this.reading.isLive;
  }

  /** Whether we have read on behind this place. @param {number} offset */
  hasPassed(offset) {
    return this.caughtUp && this.seen !== null && this.seen.offset >= offset;
  }
}

export class Rooms {
  /** @param {string[]} names to be in to begin with @param {(room: Room, tone: string, text: string) => void} note */
  constructor(names, note) {
    /** @type {Map<string, Room>} */
    this._rooms = new Map(names.map((name) => [name, new Room(name)]));
    this._note = note;
  }

  /** @param {string} name */
  get(name) {
    return this._rooms.get(name);
  }

  /** @param {string} name */
  has(name) {
    return this._rooms.has(name);
  }

  get names() {
    return [...this._rooms.keys()];
  }

  [Symbol.iterator]() {
    return this._rooms.values();
  }

  // What the person wants...

  /** @param {string} name */
  add(name) {
    const room = this._rooms.get(name) ?? new Room(name);
    this._rooms.set(name, room);
    return room;
  }

  /** @param {string} name @returns {boolean} whether we were in it */
  remove(name) {
    return this._rooms.delete(name);
  }

  /** Every room with what was seen there, as `Enter` says it. */
  wanted() {
    return Object.fromEntries([...this].map((room) => [room.name, room.seen]));
  }

  /** We are in no room until we have entered again, and may read none. */
  sessionEnded() {
    for (const room of this) {
      room.reading = null;
      this.release(room);
    }
  }

  // ... what is said there...

  /** We are in this room now, and may read it. @param {Record<string, any>} told @param {string} own */
  joined(told, own) {
    const room = this.add(told.room);
    room.members = new Map(told.members.map((/** @type {words.Member} */ member) => [member.name, member]));
    if (!room.known) this._note(room, "plain", words.entered(told.room, told.members, own));
    if (told.missing) this._note(room, "gap", words.unreachable(told.room, told.missing));
    const { seen } = room;
    if (!seen || seen.epoch !== told.after.epoch || seen.offset !== told.after.offset) {
      room.transcript.begins = told.after.offset; // else we read on
      if (seen) room.transcript.isStart = false;
    }
    room.reading = new Reading(told.after, told.until ?? 0);
    // With its place nothing that is said in an empty room can be missed.
    if (!told.until) this._showHistory(room, room.reading, 0);
    return room;
  }

  /** Whether this is how the room is read; not where we left, or joined anew. @param {string} name @param {Reading} reading */
  isRead(name, reading) {
    return this._rooms.get(name)?.reading === reading;
  }

  /**
   * Take what comes next in a room, up to this position; returns the lines to show: none while its history is not whole.
   *
   * @param {Room} room
   * @param {Reading} reading
   * @param {Position} position
   * @param {Line | null} line
   * @param {(line: Line) => boolean} isOwn
   * @returns {Line[]}
   */
  read(room, reading, position, line, isOwn) {
    reading.after = position;
    if (reading.isLive) {
      room.seen = { epoch: position.epoch, offset: position.offset };
      return line ? [line] : [];
    }
    if (line) reading.history.push(line);
    return position.offset < reading.until ? [] : this.cutShort(room, reading, isOwn);
  }

  /** Take what there is of a room's history as the whole of it. @param {Room} room @param {Reading} reading @param {(line: Line) => boolean} isOwn */
  cutShort(room, reading, isOwn) {
    const lines = reading.history;
    reading.history = [];
    this._showHistory(room, reading, lines.filter((line) => !isOwn(line)).length);
    return lines;
  }

  /** @param {Room} room @param {Reading} reading @param {number} others how many lines of others it holds */
  _showHistory(room, reading, others) {
    if (room.known && others) this._note(room, "missed", words.missed(others));
    room.seen = { epoch: reading.after.epoch, offset: reading.after.offset };
    room.known = reading.isLive = true;
  }

  /** Tell who came and went after lines that are shown by now. @param {Room} room */
  release(room) {
    const { held } = room;
    while (held.length && (held.length > MOST_HELD || !room.reading || room.hasPassed(held[0].at))) {
      this._note(room, "plain", /** @type {{ text: string }} */ (held.shift()).text);
    }
  }

  // ... and who is there.

  /** The server named everybody in a room. @param {Record<string, any>} told */
  listed(told) {
    const room = this._rooms.get(told.room);
    if (room) room.members = new Map(told.members.map((/** @type {words.Member} */ member) => [member.name, member]));
  }

  /** Somebody else came or went. @param {Record<string, any>} told */
  moved(told) {
    const room = this._rooms.get(told.room);
    if (!room) return;
    const isHere = told.t === "came";
    if (isHere) room.members.set(told.name, { name: told.name });
    else room.members.delete(told.name);
    room.held.push({ at: told.at ?? 0, text: isHere ? words.came(told.name) : words.went(told.name, told.why ?? "") });
    this.release(room);
  }

  /** Something about somebody is otherwise in every room; returns the rooms. @param {string} name @param {Partial<words.Member>} change */
  change(name, change) {
    const where = [...this].filter((room) => room.members.has(name));
    for (const room of where) {
      const member = { .../** @type {words.Member} */ (room.members.get(name)), ...change };
      room.members.delete(name);
      room.members.set(member.name, member);
    }
    return where;
  }
}
