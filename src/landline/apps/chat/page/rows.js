/**
 * What stands in the log, row by row: the items of a pane with what is drawn between and around them. Nothing here touches the page.
 *
 * A row is drawn anew when its `sign` changes, and keeps its place in the page as long as its key stays.
 */

import { oneLine, safeText } from "./text.js";
import { dayKey, dayOf } from "./times.js";

const TOGETHER = 300; // seconds within which lines of one person stand together

/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} sign
 * @property {"line" | "note" | "failed" | "day" | "new"} kind
 * @property {string} text
 * @property {string} name
 * @property {number} at
 * @property {boolean} own
 * @property {boolean} isFirst it says who, and when
 * @property {string} tone
 * @property {string} why
 * @property {string} stage of a line of ours that is not confirmed: "" or "waiting"
 */

/**
 * @param {import("./transcript.js").Transcript} transcript
 * @param {import("./pending.js").Pending[]} waiting our lines of this pane that are not confirmed
 * @param {{ name: string, now: number, newFrom?: string }} view our name, seconds since 1970, and the key of the first line not read before
 * @returns {Row[]}
 */
export function rowsOf(transcript, waiting, { name, now, newFrom = "" }) {
  /** @type {Row[]} */
  const rows = [];
  let day = "";
  /** @type {{ name: string, at: number } | null} */
  let before = null;
  for (const item of transcript.items) {
    if (dayKey(item.at) !== day) {
      day = dayKey(item.at);
      rows.push(row({ key: `day ${day} ${item.key}`, kind: "day", text: dayOf(item.at, now), at: item.at }));
      before = null;
    }
    if (item.key === newFrom) {
      rows.push(row({ key: "new", kind: "new", text: "New" }));
      before = null;
    }
    const isLine = item.kind === "line";
    const who = isLine ? oneLine(item.name) : item.kind === "failed" ? name : "";
    const isFirst = !before || before.name !== who || item.at - before.at > TOGETHER || item.at < before.at - TOGETHER;
    rows.push(
      row({
        key: item.key, kind: item.kind, text: safeText(item.text), name: who, at: item.at, own: item.own || item.kind === "failed",
        isFirst, tone: item.tone ?? "", why: item.why ?? "",
      }), // prettier-ignore
    );
    before = isLine ? { name: who, at: item.at } : null;
  }
  for (const pending of waiting) {
    const { text } = pending.request;
    const isFirst = before?.name !== name;
    const stage = pending.late ? "waiting" : "going";
    rows.push(row({ key: `i${pending.id}`, kind: "line", text: safeText(text), name, at: now, own: true, isFirst, stage }));
    before = { name, at: now };
  }
  return rows;
}

/** @param {Partial<Row> & { key: string, kind: Row["kind"] }} given @returns {Row} */
function row(given) {
  const whole = { text: "", name: "", at: 0, own: false, isFirst: true, tone: "", why: "", stage: "", sign: "", ...given };
  const at = whole.stage ? 0 : whole.at;
  whole.sign = JSON.stringify([whole.kind, whole.text, whole.name, at, whole.own, whole.isFirst, whole.tone, whole.why, whole.stage]);
  return whole;
}
