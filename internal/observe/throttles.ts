import { type ErrorCode, nameForLog } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { Recent } from '../lib/recent.ts';
import { throttleEpisodes, throttleRestMs } from '../limits/observe.ts';
import type { Affected } from './fate.ts';
import type { Fates } from './fates.ts';
import { hostOf, type RememberedFate } from './recent-fates.ts';

/** A client that goes over a rate: it has to wait, or is refused. */
export interface Throttled {
  readonly who: Affected & { readonly door: string };
  readonly code: ErrorCode;
  readonly reason: string;
  /** The limit that decided; undefined for what holds without one. */
  readonly rule: string | undefined;
  /** Its door tells it of a refusal. */
  readonly isRefused: boolean;
}

/** Waits of one client because of one limit, with no long rest between them. */
interface Episode {
  remembered: RememberedFate;
  /** When it waited last, by the clock's `elapsedMs`. */
  atMs: number;
}

/**
 * Tells of clients that have to wait because of a limit. A client that goes over a rate waits many times a second: each wait is
 * counted, and all of them until it rests are one fate.
 */
export class Throttles {
  readonly #fates: Fates;
  readonly #clock: Clock;
  readonly #episodes: Recent<Episode>;

  constructor(fates: Fates, clock: Clock) {
    this.#fates = fates;
    this.#clock = clock;
    this.#episodes = new Recent(clock, throttleRestMs, throttleEpisodes);
  }

  add(throttled: Throttled): void {
    const { who, code, rule = '', reason, isRefused } = throttled;
    const key = [who.door, who.clientId, who.user, hostOf(who.remote), rule, reason].join('\0');
    const episode = isRefused ? undefined : this.#episodes.get(key);
    const nowMs = this.#clock.elapsedMs();
    if (!isRefused && (episode === undefined || nowMs - episode.atMs > throttleRestMs)) {
      this.#episodes.set(key, { remembered: this.#begin(throttled), atMs: nowMs });
      return;
    }
    this.#fates.counter('throttled', code, who.door).value++;
    if (episode === undefined) return;
    episode.atMs = nowMs;
    // It is forgotten where very much else happened meanwhile.
    if (!this.#fates.recent.again(episode.remembered, 0, 0))
      episode.remembered = this.#fates.recent.note(fateOf(throttled));
  }

  #begin(throttled: Throttled): RememberedFate {
    const { clientId = '', remote } = throttled.who;
    return this.#fates.tell({
      ...fateOf(throttled),
      who: { client: nameForLog(clientId), remote },
      details: throttled.rule === undefined ? undefined : { rule: throttled.rule },
      line: 'a client has to wait',
    });
  }
}

function fateOf({ who, code, rule, reason }: Throttled) {
  return { outcome: 'throttled', code, affected: who, about: { rule }, reason } as const;
}
