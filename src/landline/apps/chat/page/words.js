/**
 * What the page says in sentences of its own: about people, rooms, calls and the line, in the words of the terminal client.
 *
 * Names and texts of others are cleaned here, since a sentence is shown as it is.
 */

import { oneLine } from "./text.js";

const NAMES_SHOWN = 12; // when one enters a room; the people's list names them all

/** Why lines are missing, by the reason of the gap. @type {Record<string, string>} */
const MISSING = {
  damaged: "Some lines are damaged on the server's disk and cannot be shown.",
  expired: "Older lines than these are no longer kept.",
  "history replaced": "This server's history is not the one that you knew, so what was missed cannot be told.",
};

/** @param {string} reason of a gap */
export function missing(reason) {
  return MISSING[reason] ?? `Some lines in between cannot be told: ${oneLine(reason)}.`;
}

/** @param {string} room @param {string} why */
export function unreachable(room, why) {
  return `#${oneLine(room)}: ${sentence(why)}`;
}

/** @param {number} count */
export function missed(count) {
  return `${count === 1 ? "1 line was" : `${count} lines were`} said while you were away:`;
}

/** A name that was given, and the one that was wished for. @param {string} name @param {string} wished */
export function named(name, wished) {
  return wished ? `${oneLine(wished)} is taken, so you are ${oneLine(name)}; /nick changes it.` : `You are ${oneLine(name)}.`;
}

/** @param {string} room @param {Iterable<Member>} members @param {string} own */
export function entered(room, members, own) {
  const others = [...members].filter((member) => member.name !== own);
  const whom = others.length ? `with ${namesOf(others)}` : "and nobody else is here yet";
  return `You are in #${oneLine(room)} ${whom}.`;
}

/** @typedef {{ name: string, away?: boolean, kind?: string }} Member */

/** @param {Member[]} members */
function namesOf(members) {
  const names = members.slice(0, NAMES_SHOWN).map((member) => oneLine(member.name) + inBrackets(noteOf(member)));
  if (members.length > NAMES_SHOWN) return `${names.join(", ")} and ${members.length - NAMES_SHOWN} others`;
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}

/** What one should know of somebody. @param {Member} member */
export function noteOf(member) {
  if (member.away) return "line down";
  return member.kind === "plain" ? "plain text" : member.kind === "operator" ? "operator" : "";
}

/** @param {string} room @param {Member[]} members @param {string} own */
export function whoIsIn(room, members, own) {
  const names = members.map(
    (member) => oneLine(member.name) + inBrackets(member.name === own ? "you" : noteOf(member)),
  );
  return `In #${oneLine(room)}: ${names.join(", ") || "nobody"}`;
}

/** @param {string} words */
function inBrackets(words) {
  return words ? ` (${words})` : "";
}

/** @param {import("./files.js").Shared[]} all */
export function files(all) {
  const rows = all.map(({ number, name, size, own, room, who }) => {
    const whose = own ? `to ${room ? `#${oneLine(room)}` : oneLine(who)}` : `from ${oneLine(who)}`;
    return `${number}  ${oneLine(name)} (${size.toLocaleString("en")} bytes), ${whose}`;
  });
  return rows.length ? ["Files:", ...rows].join("\n") : "No files are offered.";
}

/** @param {string} name */
export function came(name) {
  return `${oneLine(name)} joined`;
}

/** @param {string} name @param {string} why */
export function went(name, why) {
  return `${oneLine(name)} left${inBrackets(oneLine(why))}`;
}

/** @param {string} old @param {string} now */
export function renamed(old, now) {
  return `${oneLine(old)} is called ${oneLine(now)} now`;
}

/** @param {string} name @param {boolean} away */
export function lineOf(name, away) {
  return `${oneLine(name)}'s line is ${away ? "down" : "back"}`;
}

/** @param {string} why */
export function lineDown(why) {
  return `The line is down${inBrackets(oneLine(why).replace(/\.$/, ""))}; what you type waits.`;
}

/** @param {string} why */
export function redialling(why) {
  return `The server does not know us any more${inBrackets(oneLine(why).replace(/\.$/, ""))}: dialling anew.`;
}

/** @param {number} gone seconds @param {boolean} restarted */
export function lineBack(gone, restarted) {
  const meanwhile = restarted ? "; the server was started again meanwhile" : "";
  return `The line is back after ${seconds(gone)}${meanwhile}.`;
}

/** The last words to whoever leaves. @param {number} waiting lines of ours that are not confirmed @param {boolean} isKept they outlive the page */
export function left(waiting, isKept) {
  const lines = waiting === 1 ? "1 line was" : `${waiting} lines were`;
  const then = isKept ? "what has not gone out does when you come back" : "what has not gone out is lost";
  return `${waiting ? `${lines} not confirmed; ${then}` : "Nothing that you said waits"}. The page remembers your name and your rooms.`;
}

/** @param {number} count */
export function goingOut(count) {
  return count === 1 ? "1 line from before goes out." : `${count} lines from before go out.`;
}

/** @param {number} rate */
export function paced(rate) {
  return `The chat takes ${rate} lines a second from one person; yours wait here and go out by themselves.`;
}

/** @param {string} aim */
export function doubtful(aim) {
  return `Nobody can tell whether this reached ${oneLine(aim)}; it is not sent again.`;
}

/** @param {string} aim @param {string} why */
export function notSent(aim, why) {
  return `Not sent to ${oneLine(aim)}. ${sentence(why)}`.trim();
}

/** A clause as a sentence. @param {string} why */
export function sentence(why) {
  const words = oneLine(why).trim();
  return words && words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

/** A duration as people say it. @param {number} gone seconds */
export function seconds(gone) {
  if (gone < 60) return `${gone.toFixed(1)} s`;
  const whole = Math.round(gone);
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {{ name: string, members: number }[]} rooms */
export function whichRooms(rooms) {
  if (rooms.length === 0) return "There are no rooms; /join makes one.";
  return "Rooms: " + rooms.map((room) => `#${oneLine(room.name)} (${room.members})`).join(", ");
}

/** @param {string} name */
export function calling(name) {
  return `${oneLine(name)} is calling: /call ${oneLine(name)} accepts, /bye declines.`;
}

/** @param {string} name */
export function ringing(name) {
  return `Ringing ${oneLine(name)}; /bye stops it.`;
}

/** @param {string} name */
export function talking(name) {
  return `You are talking with ${oneLine(name)} alone; bye ends the call.`;
}
