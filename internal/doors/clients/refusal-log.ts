import type { Identity } from '../../access/identity.ts';
import type { Logger } from '../../broker/broker.ts';
import { type BrokerError, nameForLog } from '../../errors.ts';
import { refusalsLoggedPerSecond } from '../../limits/doors.ts';

const SECOND_MS = 1_000;

/** Logs what one client was refused: a client that goes on without looking at answers must not fill the disk with it. */
export class RefusalLog {
  readonly #log: Logger;
  readonly #identity: Identity;
  readonly #now: () => number;
  #secondBeganAt = Number.NEGATIVE_INFINITY;
  #inSecond = 0;
  #unlogged = 0;

  /** @param now milliseconds of a clock that only goes forward. */
  constructor(log: Logger, identity: Identity, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#identity = identity;
    this.#now = now;
  }

  /** Logs a refusal, or counts it for the next one that is logged. */
  add({ code, message }: BrokerError, what: string): void {
    const nowMs = this.#now();
    if (nowMs - this.#secondBeganAt >= SECOND_MS) {
      this.#secondBeganAt = nowMs;
      this.#inSecond = 0;
    }
    if (++this.#inSecond > refusalsLoggedPerSecond) {
      this.#unlogged++;
      return;
    }
    const { clientId, remote } = this.#identity;
    const fields = { client: nameForLog(clientId), remote, code, reason: message };
    this.#log.info(this.#unlogged === 0 ? fields : { ...fields, unlogged: this.#unlogged }, what);
    this.#unlogged = 0;
  }
}
