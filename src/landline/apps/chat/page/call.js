/**
 * The page's call: one at a time, from the first ring to the last goodbye, in a pane of its own.
 *
 * The end that we make ourselves counts at once; what the server says of it afterwards is no news.
 */

import { oneLine, sameName } from "./text.js";
import { Transcript } from "./transcript.js";

export class Call {
  /**
   * @param {import("./pending.js").PendingRequests} pending
   * @param {(request: Record<string, any>, now: number) => void} ask
   * @param {(tone: "plain" | "trouble", text: string) => void} tell says it where the person looks
   * @param {() => void} over called when it ends, before that is told
   */
  constructor(pending, ask, tell, over) {
    /** The other one, from the first ring on; stays when it is over. */
    this.name = "";
    /** @type {"none" | "calling" | "ringing" | "talking"} */
    this.stage = "none";
    /** What is said in it, and was in the last one until there is another. */
    this.transcript = new Transcript();
    this.unread = 0;
    this.firstUnread = "";
    this.newFrom = "";
    this._pending = pending;
    this._ask = ask;
    this._tell = tell;
    this._over = over;
  }

  // What the person does...

  /** Ring somebody, or answer their ringing. @param {string} name @param {number} now */
  ring(name, now) {
    const same = this.stage !== "none" && sameName(this.name, name);
    if (this.stage === "none") {
      this._begin(name, "calling");
      this._ask({ t: "call", to: name }, now);
    } else if (same && this.stage === "ringing") this.accept(now);
    else if (same) this._tell("plain", `You are ${this.stage === "talking" ? "talking to" : "ringing"} ${this._shown} already.`);
    else this._tell("trouble", this._busy(oneLine(name)));
  }

  /** @param {number} now */
  accept(now) {
    if (this.stage === "ringing" && !this._pending.of("accept").length) this._ask({ t: "accept" }, now);
  }

  /** Hang up, decline or stop ringing; returns false when there is no call to end. @param {number} now */
  bye(now) {
    if (this.stage === "none") return false;
    const why = { calling: "you stopped ringing", ringing: "you declined", talking: "you hung up" }[this.stage];
    this._ask({ t: "hangup" }, now);
    this._end(why, true);
    return true;
  }

  /** @param {string} name */
  _busy(name) {
    const other = this._shown;
    if (this.stage === "calling") return `You are ringing ${other}: /bye stops it, then call ${name}.`;
    if (this.stage === "ringing") return `${other} is calling: /call ${other} accepts, /bye declines; then call ${name}.`;
    return `You are talking to ${other}: /bye ends it, then call ${name}.`;
  }

  get _shown() {
    return oneLine(this.name);
  }

  // ... what the server says...

  /** @param {string} name */
  rang(name) {
    if (this.stage === "none") this._begin(name, "ringing");
  }

  /** @param {string} name */
  began(name) {
    this._pending.takeAll("call");
    this._pending.takeAll("accept");
    if (this.stage === "none") this._begin(name, "talking");
    this.name = name;
    this.stage = "talking";
  }

  /** @param {string} why */
  ended(why) {
    // The end that we made ourselves was told when we did.
    if (this.stage !== "none" && !this._pending.of("hangup").length) this._end(why, false);
  }

  /** The server would not ring them, or the ringing was over: it says why. */
  refused() {
    if (this.stage === "none" || this.stage === "talking") return;
    this.stage = "none";
    this._over();
  }

  /** @param {string} old @param {string} now */
  renamed(old, now) {
    if (this.name === old) this.name = now;
  }

  // ... and what the line does.

  /** A call does not outlive the session. */
  sessionEnded() {
    if (this.stage !== "none") this._end("the line to the server was lost", false);
  }

  /** @param {string} name @param {"calling" | "ringing" | "talking"} stage */
  _begin(name, stage) {
    this.name = name;
    this.stage = stage;
    this.transcript = new Transcript();
    this.unread = 0;
    this.newFrom = "";
  }

  /** @param {string} why @param {boolean} byUs */
  _end(why, byUs) {
    const { stage } = this;
    this.stage = "none";
    this._over();
    const colon = why ? `: ${oneLine(why).replace(/\.$/, "")}` : "";
    if (stage === "talking") this._tell("plain", `☎ The call with ${this._shown} is over${colon}.`);
    else if (stage === "ringing" && !byUs) this._tell("plain", `☎ Missed call from ${this._shown}.`);
    else this._tell("plain", `☎ No call with ${this._shown}${colon}.`);
  }
}
