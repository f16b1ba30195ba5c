/**
 * The commands of the chat, read from what somebody typed: the same as in the terminal.
 *
 * `parse` turns what was typed into one small object and never fails: what cannot be understood is `{ do: "mistake", why }`, where `why`
 * is the sentence to show. Whether a name or a room exists is for the server to say.
 */

export const DROP_SECONDS = 5;
export const MAX_DROP_SECONDS = 600;
export const HISTORY_LINES = 20;
export const MAX_HISTORY_LINES = 100;

/**
 * @typedef {{ do: "say" | "nick" | "join" | "leave" | "rooms" | "who" | "history" | "msg" | "call" | "drop" | "help" | "bye" | "nothing"
 *   | "send" | "accept" | "refuse" | "files"
 *   | "mistake", text?: string, name?: string, room?: string, lines?: number, seconds?: number, number?: number, why?: string }} Command
 */

/** @type {{ name: string, usage: string, what: string, read: (rest: string) => Command | null }[]} */
export const VERBS = [
  { name: "nick", usage: "/nick NAME", what: "be called NAME", read: oneWord("nick", "name", "A name", "/nick NAME") },
  {
    name: "join",
    usage: "/join ROOM",
    what: "enter a room; it is made if there is none",
    read: oneWord("join", "room", "A room's name", "/join ROOM"),
  },
  { name: "leave", usage: "/leave [ROOM]", what: "leave the room", read: wordOrNone("leave") },
  { name: "rooms", usage: "/rooms", what: "which rooms there are", read: (rest) => (rest ? null : { do: "rooms" }) },
  { name: "who", usage: "/who [ROOM]", what: "who is here", read: wordOrNone("who") },
  { name: "history", usage: "/history [LINES]", what: "what was said here before", read: readLines },
  { name: "msg", usage: "/msg NAME TEXT", what: "say it to one person alone", read: nameAndText },
  {
    name: "call",
    usage: "/call NAME",
    what: "ring one person, or answer their ringing; bye ends the call",
    read: oneWord("call", "name", "A name", "/call NAME"),
  },
  { name: "send", usage: "/send", what: "offer a file to whoever you are typing to; or drop it on the page", read: () => ({ do: "send" }) },
  { name: "accept", usage: "/accept [NUMBER]", what: "receive a file that is offered", read: readNumber("accept") },
  { name: "refuse", usage: "/refuse [NUMBER]", what: "do not receive it, or stop; or take your own back", read: readNumber("refuse") },
  { name: "files", usage: "/files", what: "which files are offered", read: (rest) => (rest ? null : { do: "files" }) },
  {
    name: "drop",
    usage: "/drop [SECONDS]",
    what: "hang up beneath the session for a while, to see what happens",
    read: readSeconds,
  },
  { name: "help", usage: "/help", what: "this list", read: () => ({ do: "help" }) },
  { name: "bye", usage: "/bye", what: "leave; so does bye alone", read: () => ({ do: "bye" }) },
];

/** What people type out of habit from other chats. @type {Record<string, string>} */
const ALIASES = {
  quit: "bye", exit: "bye", q: "bye", part: "leave", names: "who", users: "who", list: "rooms", j: "join",
  tell: "msg", whisper: "msg", w: "msg", m: "msg", name: "nick", ring: "call", take: "accept", decline: "refuse", file: "send", h: "help", "?": "help",
}; // prettier-ignore

/** @param {string} typed @returns {Command} */
export function parse(typed) {
  const text = typed.trim();
  if (!text) return { do: "nothing" };
  if (text.toLowerCase() === "bye") return { do: "bye" };
  if (!text.startsWith("/")) return { do: "say", text: typed.trimEnd() };
  if (text.startsWith("//")) return { do: "say", text: text.slice(1) };
  const [, word = "", rest = ""] = /^\/([^\s]*)\s*([^]*)$/.exec(text) ?? [];
  const asked = word.toLowerCase();
  const name = Object.hasOwn(ALIASES, asked) ? ALIASES[asked] : asked;
  const verb = VERBS.find((each) => each.name === name);
  if (!verb) return mistake(unknown(word));
  return verb.read(rest) ?? mistake(`That is not how /${verb.name} goes: it is ${verb.usage} (${verb.what}).`);
}

/** @param {string} why @returns {Command} */
function mistake(why) {
  return { do: "mistake", why };
}

// How each is read: null says that what follows the command does not fit.

/** @param {"nick" | "join" | "call"} verb @param {"name" | "room"} field @param {string} what @param {string} usage */
function oneWord(verb, field, what, usage) {
  return (/** @type {string} */ rest) => {
    if (/\s/.test(rest)) return mistake(`${what} is one word: ${usage}.`);
    return rest ? { do: verb, [field]: rest } : null;
  };
}

/** @param {"leave" | "who"} verb */
function wordOrNone(verb) {
  return (/** @type {string} */ rest) => (/\s/.test(rest) ? null : { do: verb, room: rest });
}

/** @param {string} rest @returns {Command | null} */
function nameAndText(rest) {
  const [, name, text] = /^(\S+)\s+([^]+)$/.exec(rest) ?? [];
  return name && text ? { do: "msg", name, text } : null;
}

/** @param {string} rest @returns {Command} */
function readLines(rest) {
  if (!rest) return { do: "history", lines: HISTORY_LINES };
  const lines = /^[0-9]{1,9}$/.test(rest) ? Number(rest) : 0;
  if (lines >= 1 && lines <= MAX_HISTORY_LINES) return { do: "history", lines };
  return mistake(
    `/history [LINES] takes a whole number from 1 to ${MAX_HISTORY_LINES}, or none for ${HISTORY_LINES} lines.`,
  );
}

/** @param {"accept" | "refuse"} verb */
function readNumber(verb) {
  return (/** @type {string} */ rest) => {
    if (!rest) return { do: verb, number: 0 };
    if (/^[1-9][0-9]{0,8}$/.test(rest)) return { do: verb, number: Number(rest) };
    return mistake(`/${verb} takes the number that /files says, or none for the only one.`);
  };
}

/** @param {string} rest @returns {Command} */
function readSeconds(rest) {
  if (!rest) return { do: "drop", seconds: DROP_SECONDS };
  const seconds = /^[0-9.]+s?$/.test(rest) ? Number(rest.replace(/s$/, "")) : NaN;
  if (seconds >= 0 && seconds <= MAX_DROP_SECONDS) return { do: "drop", seconds };
  return mistake(
    `/drop [SECONDS] takes a number from 0 to ${MAX_DROP_SECONDS}, or none for ${DROP_SECONDS} seconds.`,
  );
}

/** @param {string} word */
function unknown(word) {
  const shown = word.length <= 20 ? word : word.slice(0, 20) + "…";
  const near = nearest(word.toLowerCase().slice(0, 20));
  const hint = near ? `Did you mean /${near}?` : "/help lists the commands.";
  return `There is no command /${shown}. ${hint} (To say a line that begins with /, begin it with //.)`;
}

/** @param {string} word */
function nearest(word) {
  if (word.length < 2) return "";
  const far = VERBS.map((verb) => ({ name: verb.name, steps: distance(word, verb.name) }));
  far.sort((one, other) => one.steps - other.steps);
  return far[0].steps <= Math.min(2, word.length - 2) ? far[0].name : "";
}

/** How many letters are to be added, dropped or changed, a swap of two counting as two. @param {string} one @param {string} other */
function distance(one, other) {
  let row = [...Array(other.length + 1).keys()];
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const same = row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(same, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[other.length];
}
