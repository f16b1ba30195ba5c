/**
 * Finds the links in what somebody said: http and https alone, as they stand there. What is shown is where it leads; where letters could
 * look like others, the host stands behind it as the network knows it.
 */

const LINK = /\bhttps?:\/\/[^\s<>"'`\p{Cc}\p{Cf}\p{Co}]+/giu;
const LONGEST = 2000;
const HOST = /^https?:\/\/([\p{L}\p{M}\p{N}.:[\]-]+)(?:[/?#]|$)/iu; // no sign in it that looks like the end of one
const PAIRS = { ")": "(", "]": "[", "}": "{" };

/**
 * A text as pieces, each plain or a link.
 *
 * @param {string} text safe
 * @returns {{ text: string, href?: string, host?: string }[]} `host` where it is not the one that is shown
 */
export function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    if (match[0].length > 2 * LONGEST) continue;
    const shown = trimmed(match[0]);
    const url = urlOf(shown);
    if (!url) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    const isPlain = shown.toLowerCase().split("/", 3)[2].startsWith(url.host);
    found.push({ text: shown, href: url.href, ...(isPlain ? {} : { host: url.host }) });
    end = match.index + shown.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** A link without what ends the sentence that it stands in. @param {string} link */
function trimmed(link) {
  let end = link.length;
  for (; end > 0; end--) {
    const last = link[end - 1];
    if (/[.,;:!?*_~…'"’”»]/u.test(last)) continue;
    const open = PAIRS[/** @type {keyof typeof PAIRS} */ (last)];
    if (open && count(link.slice(0, end), last) > count(link.slice(0, end), open)) continue;
    break;
  }
  return link.slice(0, end);
}

/** @param {string} text @param {string} char */
function count(text, char) {
  return text.split(char).length - 1;
}

/** @param {string} shown @returns {URL | null} null for what is no such link */
function urlOf(shown) {
  if (shown.length > LONGEST || !HOST.test(shown)) return null;
  try {
    const url = new URL(shown);
    // A name before the host says that one goes where one does not.
    const isPlain = ["http:", "https:"].includes(url.protocol) && !url.username && !url.password && url.hostname;
    return isPlain ? url : null;
  } catch {
    return null;
  }
}
