/**
 * A session's own messages: values in order, both ways, over whatever connections and lives of the server. With them come the durable sends
 * of the server's (intake.js).
 */

import { encodeData } from "./codec.js";
import { Full, SessionInterrupted } from "./errors.js";
import { RESTARTED } from "./flowend.js";

/** @typedef {import("./flowend.js").FlowEnd} FlowEnd */

export class Messages {
  #bare;
  #end;
  /** @type {FlowEnd[]} of lives before; what arrived in them is handed out first */
  #before = [];

  /** @param {import("./bare.js").Bare} bare */
  constructor(bare) {
    this.#bare = bare;
    this.#end = bare.messages;
    bare.onRenewed.push(() => {
      this.#before.push(this.#end);
      this.#end = bare.messages;
    });
  }

  /** @param {unknown} value */
  async send(value) {
    const bare = this.#bare;
    if (!this.#end.hasRoom) {
      encodeData(value, bare.core.maxMessage); // what cannot be sent is told at once, not after the wait
      bare.core.ask(this.#end.flow); // and what the peer has is told us without waiting for company
    }
    while (!this.#end.hasRoom && !bare.whyUnwritable) await bare.room.heard();
    return this.sendNow(value);
  }

  /** @param {unknown} value */
  sendNow(value) {
    const error = this.#bare.whyUnwritable;
    if (error) throw error;
    if (!this.#end.hasRoom) {
      const { frames, bytes } = this.#bare.core.sending;
      throw new Full(`the outbox is full: ${frames} messages, ${bytes} bytes`);
    }
    return this.#end.send(value);
  }

  async receive() {
    const bare = this.#bare;
    for (;;) {
      if (bare.isClosing) throw bare.closed();
      bare.intake?.handle();
      const durable = bare.intake?.take();
      if (durable) {
        this.#end.handle();
        return durable.value;
      }
      const before = this.#before[0];
      if (before && !before.hasMore) {
        this.#before.shift();
        throw new SessionInterrupted(RESTARTED, before.unacked);
      }
      if (before || this.#end.hasMore) return (before ?? this.#end).take();
      this.#end.handle();
      bare.drained();
      if (bare.ended) throw bare.ended;
      await this.#end.arrived.heard();
    }
  }

  ack() {
    this.#bare.intake?.handle();
    this.#end.handle();
    this.#bare.drained();
  }

  flush() {
    return this.#end.flush();
  }
}
