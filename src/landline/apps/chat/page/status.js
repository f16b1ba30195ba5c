/**
 * Draws how the line does, the call, and the title: what is always to be seen.
 */

import { apart, byId, make, setText } from "./dom.js";
import { oneLine } from "./text.js";
import { CALL } from "./typist.js";
import { seconds } from "./words.js";

const SHORTEST = 0.5; // seconds to the next dial that are worth a number

/**
 * How the line does: a style, words that are worth hearing, and a number that is not.
 *
 * @param {import("./client.js").Client} client
 * @param {number} now
 */
export function stateOf(client, now) {
  const { state, redialAt, downSince, why } = client.line;
  const down = downSince === null ? "" : `, down for ${seconds(now - downSince)}`;
  const left = redialAt === null ? 0 : redialAt - now;
  const soon = left >= SHORTEST ? ` in ${Math.ceil(left)} s` : "";
  if (state === "connected" && client.entered) return { tone: "good", words: "● connected", number: "" };
  if (state === "suspect") return { tone: "poor", words: "◐ no answer just now", number: "" };
  if (state === "connected" || (state === "connecting" && downSince === null && !why)) {
    return { tone: "poor", words: "○ connecting", number: "" };
  }
  if (downSince === null) {
    return { tone: "bad", words: `○ Nobody answers: ${oneLine(why) || "no reason is known"}. Trying again`, number: soon };
  }
  return { tone: "bad", words: "○ reconnecting", number: `${soon}${down}` };
}

export class Status {
  /**
   * @param {import("./client.js").Client} client
   * @param {() => number} now
   * @param {{ hurry: () => void, accept: () => void, bye: () => void, show: (key: string) => void }} acts
   */
  constructor(client, now, acts) {
    this._client = client;
    this._now = now;
    this._acts = acts;
    this._sign = "";
    byId("try-now").addEventListener("click", () => acts.hurry());
  }

  draw() {
    const client = this._client;
    const { tone, words, number } = stateOf(client, this._now());
    byId("state").className = tone;
    setText(byId("state"), words);
    setText(byId("countdown"), number);
    byId("try-now").hidden = tone !== "bad";
    const count = client.pending.texts().length;
    const isSlow = tone !== "good" || client.isPaced || client.pending.texts().some((pending) => pending.late);
    const pace = client.isPaced ? `, ${client.rate} a second go out` : "";
    setText(byId("waiting"), count && isSlow ? ` · ${count} line${count > 1 ? "s" : ""} waiting${pace}` : "");
    const title = client.current === CALL ? `Call with ${oneLine(client.call.name)}` : oneLine(client.current.replace(/^@/, "")) || "Landline";
    setText(byId("title"), title);
    const unread = client.unread;
    document.title = `${unread ? `(${unread}) ` : ""}${title === "Landline" ? title : `${title} – Landline`}`;
    byId("log").setAttribute("aria-label", `What is said: ${title}`);
    this._drawCall();
  }

  _drawCall() {
    const { stage, name } = this._client.call;
    const sign = JSON.stringify([stage, name, this._client.current === CALL]);
    if (sign === this._sign) return;
    this._sign = sign;
    const bar = byId("call");
    bar.hidden = stage === "none";
    const who = apart(oneLine(name));
    const accept = button("Accept", "good", () => this._acts.accept());
    const open = this._client.current === CALL ? null : button("Show", "", () => this._acts.show(CALL));
    const end = (/** @type {string} */ words) => button(words, "bad", () => this._acts.bye());
    if (stage === "ringing") bar.replaceChildren(alerting("☎ ", who, " is calling"), accept, end("Decline"));
    else if (stage === "calling") bar.replaceChildren(alerting("☎ Ringing ", who, "…"), end("Stop"));
    else if (stage === "talking") bar.replaceChildren(alerting("☎ Talking with ", who), ...(open ? [open] : []), end("Hang up"));
    else bar.replaceChildren();
  }
}

/** @param {...(Node | string)} words */
function alerting(...words) {
  return make("span", { role: "alert", class: "who" }, ...words);
}

/** @param {string} words @param {string} tone @param {() => void} act */
function button(words, tone, act) {
  return make("button", { type: "button", class: `small ${tone}`, onclick: act }, words);
}
