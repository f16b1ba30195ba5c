/**
 * What the page has asked for and has no answer to yet: the lines that were said, and other requests, by their numbers.
 *
 * A request is *held* until it may travel, *sent* while a session has it, and *doubtful* when its session was lost and nobody can say
 * whether it arrived. A line for a room is published: *sent* once it is in the outbox, which outlives sessions and reloads, and
 * *stored* when the server has it, until it is seen among what is said. No word is ever forgotten, and none is said twice.
 */

export const WAITING_AFTER = 2; // seconds without a confirmation after which a line is shown as waiting
export const BURST = 5; // lines that a server takes at once
export const RATE = 2; // and then a second
export const MAX_DOUBTED = 100;

const TEXTS = new Set(["say", "msg", "talk"]);

/**
 * @typedef {object} Pending
 * @property {Record<string, any>} request as it travels; `t` says what it is
 * @property {string} id its number, as text
 * @property {number} askedAt
 * @property {"held" | "sent" | "stored" | "doubtful"} stage
 * @property {boolean} isKept a line for a room is in the outbox; before that nothing is said of its waiting
 * @property {boolean} late the person was shown that it waits
 * @property {string} to the other one in the call that a line is for
 * @property {number} offset where in the room's history it is stored
 */

/**
 * @typedef {object} Told what becomes of lines
 * @property {(pending: Pending) => void} doubtful nobody can know whether it arrived
 * @property {(pending: Pending, why: string) => void} notSent
 * @property {(pending: Pending) => void} afterAll a doubtful line arrived
 * @property {() => void} paced more was said than the server takes at once
 */

export class PendingRequests {
  /** @param {Told} told */
  constructor(told) {
    this._told = told;
    /** @type {Map<string, Pending>} */
    this._byId = new Map();
    /** @type {Map<string, Pending>} */
    this._doubted = new Map();
    this._toldFlood = false;
  }

  get size() {
    return this._byId.size;
  }

  /** @param {unknown} id */
  get(id) {
    return this._byId.get(String(id));
  }

  /** The requests of one kind. @param {string} kind */
  of(kind) {
    return [...this._byId.values()].filter((pending) => pending.request.t === kind);
  }

  /** The lines among them, in the order they were said. */
  texts() {
    return [...this._byId.values()].filter((pending) => TEXTS.has(pending.request.t));
  }

  /** The requests that wait for a session; lines for rooms are no requests. */
  held() {
    return [...this._byId.values()].filter((pending) => pending.stage === "held" && pending.request.t !== "say");
  }

  /** Whether a line that is said is one of ours that was not seen yet. @param {{ id?: unknown }} line */
  isOwn(line) {
    const id = String(line.id ?? 0);
    return this._byId.has(id) || this._doubted.has(id);
  }

  // While a session lives...

  /**
   * @param {Record<string, any>} request
   * @param {number} now
   * @param {Partial<Pending>} [more]
   * @returns {Pending}
   */
  add(request, now, more = {}) {
    /** @type {Pending} */
    const pending = {
      request, id: String(request.id), askedAt: now, stage: "held", isKept: true, late: false, to: "", offset: 0, ...more,
    }; // prettier-ignore
    this._byId.set(pending.id, pending);
    return pending;
  }

  /** Stop waiting: it was answered, or something else says the same. @param {unknown} id */
  take(id) {
    const pending = this._byId.get(String(id));
    this._byId.delete(String(id));
    return pending;
  }

  /** @param {string} kind */
  takeAll(kind) {
    for (const pending of this.of(kind)) this.take(pending.id);
  }

  /** A line of ours is in the outbox. @param {string} id */
  kept(id) {
    const pending = this._byId.get(id);
    if (pending) pending.isKept = true;
  }

  /** When the next line will have waited for too long, or null. */
  nextAt() {
    const waiting = this.texts().filter((pending) => pending.isKept && !pending.late);
    return waiting.length ? Math.min(...waiting.map((pending) => pending.askedAt + WAITING_AFTER)) : null;
  }

  /** Mark the lines that wait for too long; while the line is down every one does. @param {number} now @param {boolean} isDown */
  growLate(now, isDown) {
    for (const pending of this.texts()) {
      if (pending.isKept && (isDown || now >= pending.askedAt + WAITING_AFTER)) pending.late = true;
    }
  }

  /** Whether more was said than the server takes at once, and not all of it is confirmed. */
  get isFlood() {
    return this._toldFlood && this.texts().length > 1;
  }

  /** Tell, once for each flood of lines, that the server takes them one after the other; while the line is up. */
  watchFlood() {
    const waiting = this.texts().length;
    if (waiting <= 1) this._toldFlood = false;
    else if (waiting > BURST && !this._toldFlood) {
      this._toldFlood = true;
      this._told.paced();
    }
  }

  /** A line of ours is in a room's history: it arrived, whatever was thought of it. @param {unknown} id */
  appeared(id) {
    const pending = this.take(id);
    const doubted = this._doubted.get(String(id));
    this._doubted.delete(String(id));
    if (!pending && doubted) this._told.afterAll(doubted);
  }

  /**
   * A line of ours is stored.
   *
   * @param {string} id
   * @param {number} offset
   * @param {boolean} isAwaited it will be seen among what is said
   */
  stored(id, offset, isAwaited) {
    const pending = this._byId.get(id);
    if (!pending) return;
    pending.stage = "stored";
    pending.offset = offset;
    if (!isAwaited) this.take(id);
  }

  /** Everything of a room up to here was seen: what is stored before it arrived all the same. @param {string} room @param {number} offset */
  passed(room, offset) {
    for (const pending of this._says(room)) {
      if (pending.stage === "stored" && pending.offset <= offset) this.take(pending.id);
    }
  }

  /** A line of ours is not stored, or nobody knows. @param {string} id @param {string} why @param {boolean} isDoubtful */
  unpublished(id, why, isDoubtful) {
    const pending = this._byId.get(id);
    if (!pending) return;
    pending.stage = isDoubtful ? "doubtful" : "held";
    this._giveUp(pending, why);
  }

  /** The server would not have this line. @param {Pending} pending @param {string} why */
  refused(pending, why) {
    this.take(pending.id);
    this._told.notSent(pending, why);
  }

  // ... when it is lost...

  /** What became of a request: `acked`, `failed` (it never arrived) or `unknown`. @param {string} id @param {string} status */
  settled(id, status) {
    const pending = this._byId.get(id);
    // Acked says that the server has done with it, not what came of it: that was in the answer, and the answer is lost.
    if (pending) pending.stage = status === "failed" ? "held" : "doubtful";
  }

  /** Keep what the next session can still bring about or tell; say of the other lines what became of them. */
  sessionEnded() {
    for (const pending of [...this._byId.values()]) {
      const kind = pending.request.t;
      if (kind === "say") continue; // what is in the outbox goes out by itself
      if (pending.stage === "sent") pending.stage = "doubtful";
      if (kind === "msg") {
        if (pending.stage !== "held") this._giveUp(pending, "");
      } else if (["rooms", "who", "join", "leave", "rename"].includes(kind)) {
        pending.stage = "held"; // asking twice does no harm, and the next Enter says where we are and who
      } else if (kind === "talk") {
        this._giveUp(pending, `the call with ${pending.to} is over`);
      } else {
        this.take(pending.id); // the call that it was about is over, or where we had looked back to is of another history
      }
    }
  }

  // ... and in the next one.

  /**
   * The outbox holds these lines at the beginning of a session; returns how many of them are of an earlier life of the page.
   *
   * @param {Record<string, any>[]} says
   * @param {number} now
   */
  inOutbox(says, now) {
    let found = 0;
    for (const say of says) {
      if (this._byId.has(String(say.id))) continue;
      this.add(say, now, { late: true });
      found += 1;
    }
    const held = new Set(says.map((say) => String(say.id)));
    for (const pending of this.of("say")) {
      if (pending.stage !== "stored") pending.stage = held.has(pending.id) ? "sent" : "held";
    }
    return found;
  }

  /** The lines for rooms that are not in the outbox. */
  unsaid() {
    return this.of("say").filter((pending) => pending.stage === "held");
  }

  /** Nothing more goes to this room but what is in the outbox, and that we shall not see. @param {string} room @param {string} why */
  roomLeft(room, why) {
    for (const pending of this._says(room)) {
      if (pending.stage === "held") this._giveUp(pending, why);
      else if (pending.stage === "stored") this.take(pending.id);
    }
  }

  /** @param {string} room */
  _says(room) {
    return this.of("say").filter((pending) => pending.request.room === room);
  }

  /** @param {Pending} pending @param {string} why */
  _giveUp(pending, why) {
    this.take(pending.id);
    if (pending.stage === "held") {
      this._told.notSent(pending, why);
      return;
    }
    this._doubted.set(pending.id, pending);
    if (this._doubted.size > MAX_DOUBTED) this._doubted.delete([...this._doubted.keys()][0]);
    this._told.doubtful(pending);
  }
}
