/**
 * The receiver's half of durable sends: what the server's program sends so is given to ours, one at a time, and answered when it is handled.
 *
 * They come out of outboxes of the server's, one for each of its lives, which say again whatever was not answered. Nothing of it is stored
 * here: the session does not outlive this program.
 */

import { FlowEnded, ProtocolError, SessionEnded } from "./errors.js";
import { CloseCode, ResetCode } from "./frames.js";
import { FIXED } from "./limits.js";
import { Code, SEND_PURPOSE, decodePublish, encodeAnswer, encodeOpened } from "./outbox.js";
import { decodeStored } from "./stored.js";
import { Bell } from "./waiting.js";

/** @typedef {import("./flowend.js").FlowEnd} FlowEnd */

/**
 * What is known of one outbox: the numbers that were handled and may be asked about again, and the last that was given.
 *
 * @typedef {{ handled: Set<number>, last: number, answered: number }} Origin
 */

export class Intake {
  #bare;
  /** @type {Map<string, Origin>} by the outbox; the one that came last is the last */
  #origins = new Map();
  /** @type {{ end: FlowEnd, origin: Origin } | undefined} the flow that they come over now */
  #current;
  /** @type {{ origin: Origin, number: number } | undefined} what the program was given and is not done with */
  #inHand;
  #putDown = new Bell();

  /** @param {import("./bare.js").Bare} bare */
  constructor(bare) {
    this.#bare = bare;
    bare.intake = this;
    bare.serves = (end) => {
      if (end.flow.purpose !== SEND_PURPOSE) return false;
      void this.#serve(end);
      return true;
    };
  }

  // It comes over one flow at a time...

  /** @param {FlowEnd} end */
  async #serve(end) {
    try {
      await this.#begin(end);
    } catch (error) {
      if (error instanceof ProtocolError) end.reset(ResetCode.BAD_DATA, error.reason);
      else if (error instanceof FlowEnded) end.end();
      else if (!(error instanceof SessionEnded)) throw error;
    }
  }

  /** @param {FlowEnd} end */
  async #begin(end) {
    const said = decodePublish(await end.receive());
    if (!("outbox" in said)) throw new ProtocolError("durable sends begin with their outbox", CloseCode.BAD_DATA);
    while (this.#inHand && !end.whyUnreadable && !this.#bare.ended) {
      await Promise.race([this.#putDown.heard(), end.arrived.heard()]);
    }
    const error = this.#bare.ended ?? end.whyUnreadable;
    if (error) throw error;
    const { origin, isKnown } = this.#find(said.outbox);
    this.#current?.end.reset(ResetCode.FAILED, "durable sends come over another flow now");
    this.#current = { end, origin };
    end.put(encodeOpened(isKnown));
    const wake = () => this.#bare.messages.arrived.ring();
    this.#bare.onRoom.set(end, wake);
    try {
      while (!this.#bare.ended && !end.whyUnreadable) {
        wake();
        await end.arrived.heard();
      }
      throw this.#bare.ended ?? end.whyUnreadable;
    } finally {
      this.#bare.onRoom.delete(end);
    }
  }

  /** @param {Uint8Array} outbox */
  #find(outbox) {
    const key = outbox.join();
    const known = this.#origins.get(key);
    const origin = known ?? { handled: new Set(), last: 0, answered: 0 };
    this.#origins.delete(key);
    this.#origins.set(key, origin);
    // Each life of the server begins one, and finishes those before it first: what is not among the last so many never comes again.
    for (const oldest of this.#origins.keys()) if (this.#origins.size > FIXED.outboxes) this.#origins.delete(oldest);
    return { origin, isKnown: known !== undefined };
  }

  // ... to the program ...

  /**
   * The next value for the program, if there is one; what it took before must be handled.
   *
   * @returns {{ value: any } | undefined}
   */
  take() {
    if (!this.#current || this.#inHand) return undefined;
    const { end, origin } = this.#current;
    // Nothing more is taken from who does not take our answers: they would gather here.
    while (end.hasMore && (end.takesMore || this.#bare.ended)) {
      try {
        const said = decodePublish(end.take());
        if ("outbox" in said) throw new ProtocolError("an outbox that was opened twice", CloseCode.BAD_DATA);
        const taken = this.#receive(end, origin, said);
        if (taken) return taken;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        end.reset(ResetCode.BAD_DATA, error.reason);
        return undefined;
      }
    }
    end.handle();
    return undefined;
  }

  /**
   * @param {FlowEnd} end
   * @param {Origin} origin
   * @param {{ number: number, answered: number, data: Uint8Array }} said
   */
  #receive(end, origin, { number, answered, data }) {
    if (answered > origin.answered) {
      origin.answered = Math.min(answered, origin.last);
      for (const handled of origin.handled) if (handled <= origin.answered) origin.handled.delete(handled);
    }
    if (origin.handled.has(number)) {
      end.put(encodeAnswer({ number, epoch: "", offset: 0 }));
    } else if (number <= origin.last) {
      end.put(encodeAnswer({ number, code: Code.UNKNOWN, reason: "the program that had it was not done with it" }));
    } else {
      if (origin.handled.size >= FIXED.publishes) throw new ProtocolError("too many durable sends wait for an answer");
      origin.last = number;
      try {
        const value = decodeStored(data);
        this.#inHand = { origin, number };
        return { value };
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        end.put(encodeAnswer({ number, code: Code.REFUSED, reason: error.reason }));
      }
    }
    return undefined;
  }

  // ... which is done with it.

  /** What the program took is handled. */
  handle() {
    if (!this.#inHand) return;
    const { origin, number } = this.#inHand;
    this.#inHand = undefined;
    origin.handled.add(number);
    if (this.#current?.origin === origin && !this.#bare.ended) {
      this.#current.end.put(encodeAnswer({ number, epoch: "", offset: 0 }));
    }
    this.#putDown.ring();
  }
}
