import { type BrokerError, nameForLog, type RefusedThing } from '../../errors.ts';
import { refusalsLoggedPerSecond } from '../../limits/doors.ts';
import type { Affected, Fates } from '../../observe/fates.ts';

const SECOND_MS = 1_000;

/** Tells what one client was refused, with a line for some of it: a client that goes on without looking at answers must not fill the disk with it. */
export class RefusalLog {
  readonly #fates: Fates;
  readonly #affected: () => Affected;
  readonly #now: () => number;
  #secondBeganAt = Number.NEGATIVE_INFINITY;
  #inSecond = 0;
  #unlogged = 0;

  /**
   * @param affected whose requests they are; asked each time where it may be somebody else each time.
   * @param now milliseconds of a clock that only goes forward.
   */
  constructor(
    fates: Fates,
    affected: Affected | (() => Affected),
    now: () => number = () => performance.now(),
  ) {
    this.#fates = fates;
    this.#affected = typeof affected === 'function' ? affected : () => affected;
    this.#now = now;
  }

  /**
   * Tells a refusal, with a line or as one of those that the next line stands for.
   *
   * @param thing what it was about, where the refusal does not know that itself.
   */
  add({ code, message, about: known }: BrokerError, what: string, thing?: RefusedThing): void {
    const about = thing === undefined ? known : { ...thing, ...known };
    const affected = this.#affected();
    const fate = { outcome: 'refused', code, affected, about, reason: message } as const;
    const nowMs = this.#now();
    if (nowMs - this.#secondBeganAt >= SECOND_MS) {
      this.#secondBeganAt = nowMs;
      this.#inSecond = 0;
    }
    if (++this.#inSecond > refusalsLoggedPerSecond) {
      this.#unlogged++;
      this.#fates.tell(fate);
      return;
    }
    const { clientId = '', remote } = affected;
    this.#fates.tell({
      ...fate,
      who: { client: nameForLog(clientId), remote },
      details: this.#unlogged === 0 ? undefined : { unlogged: this.#unlogged },
      line: what,
    });
    this.#unlogged = 0;
  }
}
