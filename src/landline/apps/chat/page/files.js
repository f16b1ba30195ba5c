/**
 * The files of the page's client: those that it offers, and those that are offered to it, by small numbers. Nothing here touches the page or a session:
 * `carrying` moves the bytes, `transfers` shows it.
 *
 * A file that was accepted is accepted again by itself whenever its sender offers it again, in another session or life of the server, so that
 * it goes on where it stopped.
 */

import { oneLine, sameName } from "./text.js";

const MOST = 100; // offers that are remembered
const RATE_OVER = 5; // seconds that a rate is measured over
const MOST_NAME = 255; // code points of a name that the server takes

/** A file on its way to somebody, or from them. */
export class Move {
  /** @param {string} other */
  constructor(other) {
    this.other = other;
    this.done = 0;
    this.stop = new AbortController();
    /** @type {[number, number][]} when, and how many bytes were through */
    this._marks = [];
  }

  /** @param {number} done bytes @param {number} now seconds */
  moved(done, now) {
    if (done < this.done) this._marks = []; // it began anew
    this.done = done;
    this._marks.push([now, done]);
    while (this._marks.length > 2 && this._marks[1][0] <= now - RATE_OVER) this._marks.shift();
  }

  /** Bytes a second; 0 while that is not known. */
  get rate() {
    const [first, last] = [this._marks[0], this._marks[this._marks.length - 1]];
    return first && last && last[0] > first[0] ? (last[1] - first[1]) / (last[0] - first[0]) : 0;
  }
}

/**
 * @typedef {object} Shared a file that we offer, or are offered
 * @property {number} number for whoever types; never used again
 * @property {number | bigint} file 63 bits
 * @property {boolean} own
 * @property {string} name as its sender says it
 * @property {number} size
 * @property {string} who whom it is for, or from
 * @property {string} room empty where it is for one person
 * @property {any} source the file itself, of ours
 * @property {boolean} isTold
 * @property {boolean} isUnheard it stood, and whom it is for was not there when we offered it again
 * @property {boolean} isAccepted
 * @property {boolean} isGone its sender is not there to send it just now
 * @property {boolean} isAgain it was offered again while it came
 * @property {string} why it stands still
 * @property {any} arrival what came of it
 * @property {Blob | null} blob all of it
 * @property {Map<string, Move>} moves by ticket; what comes to us has one, without
 */

export class Files {
  /**
   * @param {(request: Record<string, any>, now: number) => void} ask
   * @param {(tone: "plain" | "trouble", text: string) => void} tell
   * @param {() => bigint} draw
   */
  constructor(ask, tell, draw) {
    this._ask = ask;
    this._tell = tell;
    this._draw = draw;
    /** @type {Map<string, Shared>} by their 63 bits, as text */
    this._known = new Map();
    /** @type {Set<string>} those that came or were refused: to be told of them again is no news */
    this._over = new Set();
    this._last = 0;
  }

  /** All of them, the oldest first. @returns {Shared[]} */
  get all() {
    return [...this._known.values()];
  }

  /** Whether anything is on its way. */
  get isBusy() {
    return this.all.some((each) => each.moves.size || (!each.own && each.isAccepted && !each.isGone && !each.blob));
  }

  // What the person does...

  /** @param {{ name: string, size: number }} source @param {{ to?: string, room?: string }} aim @param {number} now */
  offer(source, { to = "", room = "" }, now) {
    if (!to && !room) throw new RangeError("You are in no room; choose somebody to send it to.");
    const name = [...source.name.replace(/\p{Surrogate}/gu, "\ufffd")].slice(-MOST_NAME).join("");
    const each = this._add({ file: this._draw(), own: true, name, size: source.size, who: to, room, source });
    this._say(each, now);
  }

  /** @param {number} number 0 for the only one @param {number} now */
  accept(number, now) {
    const each = this._chosen((known) => !known.own && !known.blob && !known.moves.size, number, "accept");
    each.isAccepted = true;
    each.why = "";
    if (each.isGone) this._tell("plain", `${oneLine(each.who)} is not there to send it; it comes when they are back.`);
    else this._ask({ t: "take-file", file: each.file }, now);
  }

  /** Not to receive it, or not any more; to take one's own back; or to forget one that came. @param {number} number @param {number} now */
  refuse(number, now) {
    const hasOthers = this.all.some((each) => !each.own);
    const each = this._chosen((known) => Boolean(number) || !hasOthers || !known.own, number, "refuse");
    this._forget(each);
    if (each.own || !(each.isGone || each.blob)) this._ask({ t: "drop-file", file: each.file }, now);
  }

  // ... what the server says...

  /** @param {Record<string, any>} told @param {number} now */
  heard(told, now) {
    const each = this._known.get(String(told.file));
    if (told.t === "file-offered") this._onOffer(each, told, now);
    else if (!each) return;
    else if (told.t === "file-wanted") each.moves.set(BigInt(told.ticket).toString(16), new Move(told.by));
    else if (told.t === "file-refused") {
      for (const [ticket, move] of each.moves) if (move.other === told.by) this._stop(each, ticket);
      this._tell("plain", `${oneLine(told.by)} does not want ${oneLine(each.name)}.`);
    } else if (each.own || !each.isAccepted) {
      this._forget(each, false);
      this._tell("plain", `${oneLine(each.name)} is not offered any more: ${oneLine(told.why)}.`);
    } else if (!each.blob) {
      each.isGone = true;
      each.why = oneLine(told.why);
    }
  }

  /** The server has told of a file of ours. @param {unknown} file */
  stands(file) {
    const each = this._known.get(String(file));
    if (!each || each.isTold) return;
    each.isTold = true;
    this._tell("plain", `You offer ${oneLine(each.name)} to ${each.room ? `#${oneLine(each.room)}` : oneLine(each.who)}.`);
  }

  /** The server does not let us. @param {Record<string, any>} request */
  refused(request) {
    const each = this._known.get(String(request.file));
    if (each && request.t === "offer-file" && each.isTold && !each.room) each.isUnheard = true; // they may only be later than we
    else if (each && request.t === "offer-file") this._forget(each);
    else if (each) each.isAccepted = false;
  }

  /** @param {string} old @param {string} now */
  renamed(old, now) {
    for (const each of this.all) {
      if (each.who && sameName(each.who, old)) each.who = now;
      for (const move of each.moves.values()) if (move.other === old) move.other = now;
    }
  }

  /** Somebody is there again: offer them again what they could not be told of. @param {string} name @param {number} now */
  isHere(name, now) {
    for (const each of this.all) if (each.isUnheard && sameName(each.who, name)) this._say(each, now);
  }

  /** Another session, or another life of the server: offer again what we offer. @param {number} now */
  entered(now) {
    for (const each of this.all) if (each.own) this._say(each, now);
  }

  /** Nothing comes or goes any more. */
  sessionEnded() {
    for (const each of this.all) {
      for (const ticket of each.moves.keys()) this._stop(each, ticket);
      each.isAgain = false;
      if (!each.own) each.isGone = true;
    }
  }

  /** @param {Shared | undefined} before @param {Record<string, any>} told @param {number} now */
  _onOffer(before, told, now) {
    const { file, by, name, size, room = "" } = told;
    if (before && !before.own && before.name === name && before.size === size && before.who === by) {
      before.isGone = false;
      before.isAgain = before.moves.size > 0;
      if (before.isAccepted && !before.isAgain && !before.blob) this._ask({ t: "take-file", file }, now);
      return;
    }
    if (this._over.has(String(file)) || before?.own) return;
    if (before) this._forget(before, false);
    const added = this._add({ file, own: false, name, size, who: by, room, source: null });
    const others = this.all.filter((each) => !each.own);
    const oldest = others.length > MOST ? others.find((each) => !each.isAccepted && each !== added) : undefined;
    if (oldest) this._forget(oldest, false);
    this._tell("plain", `${oneLine(by)} offers ${oneLine(name)}${room ? ` to #${oneLine(room)}` : ""}: accept or refuse it below.`);
  }

  // ... and what is carried.

  /** What is to be sent, by ticket. @returns {Map<string, Shared>} */
  toSend() {
    return new Map(this.all.filter((each) => each.own).flatMap((each) => [...each.moves.keys()].map((ticket) => [ticket, each])));
  }

  /** What comes under this name, if we have accepted one of this size. @param {string} name @param {number} size @returns {Shared | null} */
  expected(name, size) {
    const file = /^[0-9a-f]{1,16}$/.test(name) ? String(BigInt(`0x${name}`)) : "";
    const each = this._known.get(file);
    return each && !each.own && each.isAccepted && !each.blob && each.size === size ? each : null;
  }

  /** @param {Shared} each @returns {Move} */
  began(each) {
    each.moves.get("")?.stop.abort(); // an earlier one has ended without our knowing
    const move = new Move(each.who);
    each.moves.set("", move);
    each.why = "";
    return move;
  }

  /** @param {Shared} each @param {Blob} blob */
  received(each, blob) {
    each.moves.clear();
    each.arrival = null;
    each.blob = blob;
    this._tell("plain", `${oneLine(each.name)} from ${oneLine(each.who)} is here, whole and verified.`);
  }

  /** @param {Shared} each @param {Move} move @param {string} why @param {number} now */
  notReceived(each, move, why, now) {
    if (each.moves.get("") !== move) return; // another one has begun, or nobody wants it
    each.moves.delete("");
    each.why = oneLine(why);
    if (each.isAgain) this._ask({ t: "take-file", file: each.file }, now);
    each.isAgain = false;
  }

  /** @param {Shared} each @param {string} ticket */
  sent(each, ticket) {
    const move = each.moves.get(ticket);
    each.moves.delete(ticket);
    if (move) this._tell("plain", `${oneLine(move.other)} has ${oneLine(each.name)}, whole and verified.`);
    if (!each.room) this._known.delete(String(each.file)); // nobody else waits for it
  }

  /** @param {Shared} each @param {string} ticket @param {string} why */
  notSent(each, ticket, why) {
    const move = each.moves.get(ticket);
    each.moves.delete(ticket);
    if (move) this._tell("trouble", `${oneLine(each.name)} did not get to ${oneLine(move.other)}: ${oneLine(why)}.`);
  }

  /** @param {Partial<Shared>} given @returns {Shared} */
  _add(given) {
    this._last += 1;
    const each = /** @type {Shared} */ ({
      number: this._last, isTold: false, isUnheard: false, isAccepted: false, isGone: false, isAgain: false, why: "", arrival: null, blob: null, moves: new Map(), ...given,
    }); // prettier-ignore
    this._known.set(String(each.file), each);
    return each;
  }

  /** @param {Shared} each @param {boolean} [isOver] to be told of it again is no news */
  _forget(each, isOver = true) {
    for (const ticket of each.moves.keys()) this._stop(each, ticket);
    this._known.delete(String(each.file));
    if (!isOver) return;
    this._over.add(String(each.file));
    if (this._over.size > MOST) this._over.delete([...this._over][0]);
  }

  /** @param {Shared} each @param {string} ticket */
  _stop(each, ticket) {
    each.moves.get(ticket)?.stop.abort();
    each.moves.delete(ticket);
  }

  /** @param {Shared} each @param {number} now */
  _say(each, now) {
    const { file, name, size, who, room } = each;
    each.isUnheard = false;
    this._ask({ t: "offer-file", file, name, size, ...(room ? { room } : { to: who }) }, now);
  }

  /** @param {(each: Shared) => boolean} may @param {number} number @param {string} verb */
  _chosen(may, number, verb) {
    const found = this.all.filter((each) => may(each) && (!number || each.number === number));
    if (!found.length) throw new RangeError(number ? `There is no file ${number} to ${verb}.` : `There is no file to ${verb}.`);
    if (found.length > 1) throw new RangeError(`Which one? ${found.map((each) => `/${verb} ${each.number} (${oneLine(each.name)})`).join(", ")}`);
    return found[0];
  }
}

/** A number of bytes as people read it. @param {number} size */
export function sizeText(size) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (size < 1000) return `${unit === "B" || size >= 100 ? Math.round(size) : size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} TB`;
}

/** A time as people read it. @param {number} seconds */
export function timeText(seconds) {
  const whole = Math.ceil(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)}:${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} h`;
  return whole >= 60 ? `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min` : `${whole} s`;
}
