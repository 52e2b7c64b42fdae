import { fatesPerName, lossesLookedAtEveryMs } from '../limits/observe.ts';
import type { Affected, Fates, RepeatedFate } from '../observe/fates.ts';
import type { Message } from './delivery/publication.ts';

/** Runs up to this are looked at each time. */
const FEW_MESSAGES = 8;

/**
 * What one slow subscriber loses, by topic. Runs are not taken apart for that as fast as they come: a long one counts for the
 * topics of one that was looked at lately.
 */
export class Losses {
  readonly #fates: Fates;
  readonly #affected: () => Affected;
  readonly #byTopic = new Map<string, RepeatedFate>();
  #last: RepeatedFate | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(fates: Fates, affected: () => Affected) {
    this.#fates = fates;
    this.#affected = affected;
  }

  /** @param messages what was lost, where that can be told. */
  add(count: number, bytes: number, messages: () => readonly Message[]): void {
    const nowMs = performance.now();
    if (
      count > FEW_MESSAGES &&
      nowMs - this.#lookedAtMs < lossesLookedAtEveryMs &&
      this.#last !== undefined
    ) {
      this.#last.add(count, bytes);
      return;
    }
    this.#lookedAtMs = nowMs;
    const known = messages();
    if (known.length !== count) {
      // Some encodings are for sending only.
      this.#last ??= this.#fateOf(undefined);
      this.#last.add(count, bytes);
      return;
    }
    for (const { topic } of known) {
      this.#last = this.#fateOf(topic);
      this.#last.add(1, bytes / count);
    }
  }

  #fateOf(topic: string | undefined): RepeatedFate {
    const key = topic ?? '';
    let fate = this.#byTopic.get(key);
    if (fate === undefined) {
      if (this.#byTopic.size >= fatesPerName) this.#byTopic.clear();
      fate = this.#fates.repeated({
        ...{ outcome: 'dropped', code: 'slow-consumer', affected: this.#affected(), about: { topic } },
      });
      this.#byTopic.set(key, fate);
    }
    return fate;
  }
}
