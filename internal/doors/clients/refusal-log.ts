import type { Identity } from '../../access/identity.ts';
import { type BrokerError, nameForLog } from '../../errors.ts';
import { refusalsLoggedPerSecond } from '../../limits/doors.ts';
import type { Fates } from '../../observe/fates.ts';

const SECOND_MS = 1_000;

/** Tells what one client was refused, with a line for some of it: a client that goes on without looking at answers must not fill the disk with it. */
export class RefusalLog {
  readonly #fates: Fates;
  readonly #identity: Pick<Identity, 'clientId' | 'remote'>;
  readonly #now: () => number;
  #secondBeganAt = Number.NEGATIVE_INFINITY;
  #inSecond = 0;
  #unlogged = 0;

  /** @param now milliseconds of a clock that only goes forward. */
  constructor(
    fates: Fates,
    identity: Pick<Identity, 'clientId' | 'remote'>,
    now: () => number = () => performance.now(),
  ) {
    this.#fates = fates;
    this.#identity = identity;
    this.#now = now;
  }

  /** Tells a refusal, with a line or as one of those that the next line stands for. */
  add({ code, message }: BrokerError, what: string): void {
    const nowMs = this.#now();
    if (nowMs - this.#secondBeganAt >= SECOND_MS) {
      this.#secondBeganAt = nowMs;
      this.#inSecond = 0;
    }
    if (++this.#inSecond > refusalsLoggedPerSecond) {
      this.#unlogged++;
      this.#fates.tell({ outcome: 'refused', code });
      return;
    }
    const { clientId, remote } = this.#identity;
    this.#fates.tell({
      outcome: 'refused',
      code,
      who: { client: nameForLog(clientId), remote },
      reason: message,
      details: this.#unlogged === 0 ? undefined : { unlogged: this.#unlogged },
      line: what,
    });
    this.#unlogged = 0;
  }
}
