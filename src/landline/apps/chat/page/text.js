/**
 * What may be shown and what may be said: the rules for text that came from somebody else, as the rest of the chat has them.
 *
 * `safeText` is the last step before the page: nothing that it returns turns the reading direction, hides what it says, or climbs over
 * other lines. The page sets it as text, never as markup.
 */

export const MAX_TEXT = 4096; // bytes of UTF-8 said at once
export const MAX_LINES = 100; // said at once
export const MAX_MARKS = 5; // combined on one letter
export const RAW_NAME = 128; // characters in what may still become a name
export const RAW_ROOM = 256; // the same of a room
const RAW_TEXT = 8192; // characters in what may still become a line

const LINE_ENDS = /\r\n|[\r\u2028\u2029\u0085]/g;
const NEVER_SHOWN = /[\p{Cc}\p{Cf}\p{Mn}\p{Me}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const MARK = /[\p{Mn}\p{Me}]/u;
const CONTROL = /\p{Cc}/u;
const FORMAT = /\p{Cf}/u;
const BROKEN = /[\p{Cs}\p{Noncharacter_Code_Point}]/u;
// The joiners (Persian, Indic scripts, families of emoji) and the number signs that are drawn like letters.
const FORMAT_KEPT = /[\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u;

const NAME_CHARACTER = /[\p{L}\p{M}\p{Nd}\-_.']/u;
const SEEN = /[\p{N}\p{P}\p{S}]/u;
const RESERVED = new Set(["host", "server", "landline", "system", "operator", "everyone", "nobody", "you", "me", "webhook"]);
const GUEST = /^guest([-_.']+[0-9]*)*$/i;

/**
 * Text without anything that could disturb what stands around it.
 *
 * @param {unknown} text
 * @param {string} [keep] which of newline and tab stay; one that does not becomes a space
 */
export function safeText(text, keep = "\n\t") {
  const plain = String(text).replace(LINE_ENDS, "\n");
  if (!NEVER_SHOWN.test(plain)) return plain;
  let kept = "";
  let marks = MAX_MARKS; // a mark needs a base
  for (const char of plain) {
    if (MARK.test(char)) {
      marks += 1;
      if (marks <= MAX_MARKS) kept += char;
    } else if (CONTROL.test(char)) {
      if (char === "\n" || char === "\t") {
        kept += keep.includes(char) ? char : " ";
        marks = MAX_MARKS;
      }
    } else if (FORMAT.test(char)) {
      if (FORMAT_KEPT.test(char)) kept += char; // and the count goes on: a joiner is no base
    } else if (BROKEN.test(char)) {
      kept += "\ufffd";
      marks = MAX_MARKS;
    } else {
      kept += char;
      marks = 0;
    }
  }
  return kept;
}

/** Somebody else's text as one line. @param {unknown} text */
export function oneLine(text) {
  return safeText(text, "");
}

/**
 * What is said when somebody says `text`: made safe, without blanks after it.
 *
 * @param {string} text
 * @throws {RangeError} there is nothing to say, or too much of it; the message is a sentence that says why
 */
export function validLine(text) {
  const raw = text.trimEnd();
  const line = raw.length <= RAW_TEXT ? safeText(raw).trimEnd().replace(/^\n+/, "") : raw;
  if (!line.trim()) throw new RangeError("There is nothing to say in that line.");
  const size = new TextEncoder().encode(line).length;
  if (size > MAX_TEXT) {
    throw new RangeError(
      `That is too long to say at once: ${counted(size)} bytes, and ${counted(MAX_TEXT)} is the most. Nobody saw it.`,
    );
  }
  const lines = line.split("\n").length;
  if (lines > MAX_LINES) {
    throw new RangeError(
      `Those are too many lines to say at once: ${counted(lines)}, and ${MAX_LINES} is the most. Nobody saw them.`,
    );
  }
  return line;
}

/**
 * A room's name as the server keeps it, as far as that is known here: what cannot be one, the server says.
 *
 * @param {string} text
 */
export function roomName(text) {
  return text.trim().replace(/^#/, "").toLowerCase().replaceAll("i\u0307", "i").normalize("NFC");
}

/**
 * What may become a name: of anything longer the server reads nothing, nor of what it comes with.
 *
 * @param {string} text
 * @param {number} most characters
 * @throws {RangeError} the message is a sentence that says why
 */
export function shortEnough(text, most) {
  if (text.length > most) throw new RangeError(`That is far too long for a name: ${counted(text.length)} characters.`);
  return text;
}

/**
 * Why this cannot be somebody's name, as far as that is known here; the server says the rest. Empty when it may be one.
 *
 * @param {string} text
 */
export function whyNoName(text) {
  const name = text.trim().normalize("NFC");
  if (!name) return "An empty line cannot be a name.";
  const wrong = [...name].find((char) => !NAME_CHARACTER.test(char));
  if (wrong) {
    const code = (wrong.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const shown = wrong === " " ? "a space" : `the character ${SEEN.test(wrong) ? wrong : `U+${code}`}`;
    return `There cannot be ${shown} in a name: letters, digits and - _ . ' can.`;
  }
  if (!/^[\p{L}\p{Nd}]/u.test(name)) return "The first character of a name is a letter or a digit.";
  if (RESERVED.has(name.toLowerCase())) return `The name ${name} is reserved; please take another one.`;
  return GUEST.test(name) ? "The names of guests are given by the server; please take another one." : "";
}

/** Whether two names are surely the same. @param {string} one @param {string} other */
export function sameName(one, other) {
  return one.normalize("NFC").toLowerCase() === other.normalize("NFC").toLowerCase();
}

/** A number as people write it: 4,096. @param {number} number */
export function counted(number) {
  return number.toLocaleString("en");
}
