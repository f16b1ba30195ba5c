/**
 * Begins the page: finds out who one is, dials the server that the page came from, and keeps client, link and view together.
 */

import { Arrival, connect } from "/landline/index.js";
import { encode } from "/landline/pack.js";
import { Sha256 } from "/landline/sha256.js";
import { decode } from "/landline/unpack.js";
import { Client } from "./client.js";
import { ask } from "./dialogs.js";
import { byId, make } from "./dom.js";
import { findIdentity, holdWith } from "./identity.js";
import { inviteIn, keepInvite, takeInvites } from "./invite.js";
import { keptBy, storageOf } from "./kept.js";
import { Link } from "./link.js";
import { oneLine, whyNoName } from "./text.js";
import { View } from "./view.js";
import { draw63 } from "./wire.js";

const REDIAL_MAX = 8; // seconds: a person is waiting
const UNAUTHORIZED = "unauthorized";

async function begin() {
  const local = storageOf(() => localStorage);
  const tab = storageOf(() => sessionStorage);
  const invites = takeInvites(location, history, local);
  const isReload = performance.getEntriesByType("navigation").some((entry) => /** @type {any} */ (entry).type === "reload");
  const hold = holdWith(navigator.locks, isReload);
  const identity = await findIdentity({ local, tab, hold, draw: draw63 });
  const name = identity.name || (await askName());
  const { number, rooms } = identity;
  const storage = keptBy(local, number);
  const client = new Client({ name, rooms, draw: draw63, wall: () => Date.now() / 1000, isKept: Boolean(storage) });
  const now = () => performance.now() / 1000;
  const view = new View(client, now, tab, identity.keep);
  const address = location.origin.replace(/^http/, "ws") + "/";

  async function dial() {
    for (;;) {
      const [invite = ""] = invites;
      try {
        const session = await connect(address, { credentials: shown(number, invite), limits: { redialMax: REDIAL_MAX }, storage });
        if (invite) keepInvite(invite, local);
        return session;
      } catch (error) {
        const { code, reason } = /** @type {any} */ (error);
        if (code !== UNAUTHORIZED) throw error;
        invites.shift();
        if (!invites.length) invites.push(await askInvite(reason));
      }
    }
  }

  const sha256 = (/** @type {Uint8Array} */ bytes) => new Sha256().update(bytes).digest();
  const link = new Link(client, dial, () => view.changed(), { encode, decode, sha256, now, arrival: () => new Arrival() });
  view.acted = () => link.advance();
  view.hurry = () => link.hurry();
  // A laptop that woke up, or a network that is there again: look at once.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && link.hurry());
  addEventListener("online", () => link.hurry());
  // A link with an invitation that is followed here changes nothing but the address.
  addEventListener("hashchange", () => {
    if (client.entered) takeInvites(location, history, local);
    else if (location.hash.includes("invite=")) location.reload();
  });
  view.focus();
  await link.run();
}

/** What the server is shown: which client this is, and what lets it in. @param {bigint} client @param {string} invite */
function shown(client, invite) {
  return invite ? { client, invite } : { client };
}

function askName() {
  const hint = "To go, press Leave: where you only close the tab, your name stays yours for some minutes, and others read “line down”.";
  const more = [make("p", { class: "hint" }, hint)];
  return ask({ title: "Welcome", more, label: "What shall we call you?", button: "Come in", most: 32, isNeeded: true, check: whyNoName });
}

/** @param {string} reason why the server let nobody in */
async function askInvite(reason) {
  const about = `${oneLine(reason).replace(/^./, (first) => first.toUpperCase())}.`;
  const label = "The invitation, or the address with it";
  return inviteIn(await ask({ title: "An invitation, please", about, label, button: "Come in", most: 1000, isNeeded: true }));
}

begin().catch((error) => {
  console.error(error);
  const again = make("button", { type: "button", class: "send", onclick: () => location.reload() }, "Load the page again");
  byId("app").replaceChildren(make("p", { class: "noscript" }, `Something went wrong: ${error?.message ?? error}. `, again));
});
