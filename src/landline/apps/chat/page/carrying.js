/**
 * Carries the page's files over one session: sends what others have accepted, and receives what its person has. What came of a file stays with it when
 * the session is lost, and is gone on with over the next.
 */

const AT_ONCE = 4; // files that are sent at the same time, as many as a server takes

/**
 * @param {any} session
 * @param {import("./client.js").Client} client
 * @param {{ advance: () => void, now: () => number, arrival: () => any }} link
 */
export function carryFiles(session, client, link) {
  const { files } = client;
  /** @type {Set<string>} */
  const sending = new Set();
  /** @type {Set<string>} in the order they came: who was given up for taking nothing comes again behind those who waited meanwhile */
  const waiting = new Set();
  let isOver = !session.files;
  const offers = session.files?.();

  /** @param {string} ticket @param {import("./files.js").Shared} each */
  async function send(ticket, each) {
    const move = each.moves.get(ticket);
    try {
      const progress = (/** @type {number} */ done) => move?.moved(done, link.now());
      await session.sendFile(each.source, { name: ticket, progress, signal: move?.stop.signal });
      files.sent(each, ticket);
    } catch (error) {
      if (!isOver && !move?.stop.signal.aborted) files.notSent(each, ticket, wordsOf(error));
    }
    sending.delete(ticket);
    link.advance();
  }

  /** @param {any} offer @param {import("./files.js").Shared} each */
  async function receive(offer, each) {
    const move = files.began(each);
    each.arrival ??= link.arrival();
    link.advance();
    try {
      const progress = (/** @type {number} */ done) => move.moved(done, link.now());
      files.received(each, await offer.accept({ arrival: each.arrival, progress, signal: move.stop.signal }));
    } catch (error) {
      if (!isOver && !move.stop.signal.aborted) files.notReceived(each, move, wordsOf(error), link.now());
    }
    link.advance();
  }

  async function take() {
    for await (const offer of offers) {
      const each = files.expected(offer.name, offer.size);
      if (each) void receive(offer, each);
      else offer.refuse("it was not accepted there");
    }
  }

  if (offers) take().catch(() => {}); // the session is over, and says so itself
  return {
    stir() {
      const wanted = files.toSend();
      for (const ticket of wanted.keys()) if (!sending.has(ticket)) waiting.add(ticket);
      for (const ticket of waiting) {
        if (isOver || sending.size >= AT_ONCE) return;
        waiting.delete(ticket);
        const each = wanted.get(ticket);
        if (!each) continue; // nobody waits for it any more
        sending.add(ticket);
        void send(ticket, each);
      }
    },
    stop() {
      isOver = true;
      offers?.return();
    },
  };
}

/** @param {unknown} error */
function wordsOf(error) {
  const { reason, message } = /** @type {any} */ (error);
  return String(reason || message);
}
