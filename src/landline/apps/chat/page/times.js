/**
 * Times as people read them: the time of day of a line, the day that a stretch of lines is of.
 */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const LATEST = 8.64e12; // seconds; what a Date can hold

/** Seconds since 1970 as a date; a number that is no time counts as 1970, and the line itself still counts. @param {number} at */
export function dateOf(at) {
  return new Date(Math.abs(at) <= LATEST ? at * 1000 : 0);
}

/** @param {number} at */
export function timeOf(at) {
  return TIME.format(dateOf(at));
}

/** @param {number} at */
export function wholeTimeOf(at) {
  return WHOLE.format(dateOf(at));
}

/** What tells days apart here. @param {number} at */
export function dayKey(at) {
  const date = dateOf(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** @param {number} at @param {number} now seconds since 1970, too */
export function dayOf(at, now) {
  if (dayKey(at) === dayKey(now)) return "Today";
  const yesterday = dateOf(now);
  yesterday.setDate(yesterday.getDate() - 1);
  return dayKey(at) === dayKey(yesterday.getTime() / 1000) ? "Yesterday" : DAY.format(dateOf(at));
}
