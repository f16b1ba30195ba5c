/**
 * The invitation that a link carries: taken from the address at once, so that it is neither shown nor sent on, and kept for this server.
 */

const INVITE = "landline.chat.invite";
const LONGEST = 500;

/**
 * The invitations to show, one after the other: that of this address, and the one that let us in before. Whoever leads one here with a wrong
 * one so locks nobody out.
 *
 * @param {{ hash: string, pathname: string, search: string }} location
 * @param {{ replaceState: (state: unknown, title: string, url: string) => void }} history
 * @param {Pick<Storage, "getItem">} local
 * @returns {string[]}
 */
export function takeInvites(location, history, local) {
  const given = new URLSearchParams(location.hash.replace(/^#/, "")).get("invite");
  if (given !== null) history.replaceState(null, "", location.pathname + location.search);
  const invites = [given ?? "", local.getItem(INVITE) ?? ""].map((invite) => invite.slice(0, LONGEST));
  return [...new Set(invites)].filter(Boolean);
}

/** Keep the one that let us in. @param {string} invite @param {Pick<Storage, "setItem">} local */
export function keepInvite(invite, local) {
  try {
    local.setItem(INVITE, invite);
  } catch {
    // it holds until the page is closed
  }
}

/** The invitation in what somebody pasted: an address with it, or the word itself. @param {string} pasted */
export function inviteIn(pasted) {
  const text = pasted.trim();
  const hash = text.includes("#") ? text.slice(text.indexOf("#") + 1) : "";
  return (new URLSearchParams(hash).get("invite") ?? text).slice(0, LONGEST);
}
