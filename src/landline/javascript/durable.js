/**
 * Durable sends at their sender: messages in an outbox of their own, which outlives sessions, and this program where it is kept.
 */

import { LandlineError, PublishUnknown } from "./errors.js";
import { Receipt } from "./flowend.js";
import { Code, Outbox, SEND_PURPOSE } from "./outbox.js";
import { Outgoing, chain } from "./outgoing.js";
import { encodeStored } from "./stored.js";

export class DurableSends {
  #bare;
  outgoing;

  /**
   * @param {import("./bare.js").Bare} bare
   * @param {import("./kept.js").KeptOutbox[]} [kept]
   */
  constructor(bare, kept) {
    this.#bare = bare;
    this.outgoing = /** @type {Outgoing} */ (
      kept
        ? chain(bare, SEND_PURPOSE, kept).at(-1)
        : new Outgoing(bare, SEND_PURPOSE, new Outbox(crypto.getRandomValues(new Uint8Array(16))))
    );
  }

  /**
   * Has a message in the outbox, in the storage where that is kept.
   *
   * @param {unknown} value
   * @returns {Promise<Receipt>}
   */
  async send(value) {
    const stored = encodeStored(value, this.#bare.core.maxMessage);
    const { answer, kept } = await this.outgoing.add("", stored);
    await kept;
    return new Receipt(() => outcomeOf(answer));
  }
}

/**
 * @param {Promise<import("./outbox.js").Answer>} coming
 * @returns {Promise<import("./flowend.js").Outcome>}
 */
async function outcomeOf(coming) {
  try {
    const answer = await coming;
    if (!("code" in answer)) return { status: "acked", reason: "" };
    return { status: answer.code === Code.UNKNOWN ? "unknown" : "failed", reason: answer.reason };
  } catch (error) {
    const reason = error instanceof LandlineError && "reason" in error ? String(error.reason) : String(error);
    return { status: error instanceof PublishUnknown ? "unknown" : "failed", reason };
  }
}
