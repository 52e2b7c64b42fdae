import type { Clock } from '../../lib/clock.ts';
import { Recent } from '../../lib/recent.ts';
import {
  connectWaitMs,
  freeReconnects,
  reconnectsPerSecond,
  rememberedClients,
} from '../../limits/access.ts';
import { addressKeyOf } from './address-key.ts';
import { RateExceeded, type Throttle } from './limits.ts';

/** Doors whose clients have an id that nobody else has. */
const DOORS_WITH_IDS: readonly string[] = ['frames', 'mqtt'];
/** Who rests so long may connect as often as at first. */
const FORGOTTEN_MS = (freeReconnects / reconnectsPerSecond) * 1_000;

const ITS_CONNECTIONS = {
  code: 'connection-rate-exceeded',
  reason: `${reconnectsPerSecond} connections a second of one client are let in`,
  limit: undefined,
} as const;

/** How often a client has connected of late: a bucket that leaks. */
interface Bucket {
  level: number;
  atMs: number;
}

/** Slows down a client that connects again and again in a loop: two programs with one id, or one that fails at once. */
export class Reconnects {
  readonly #clock: Clock;
  readonly #throttled: (throttle: Throttle) => void;
  readonly #buckets: Recent<Bucket>;

  /** @param throttled is told of each client that has to wait, or is refused. */
  constructor(clock: Clock, throttled: (throttle: Throttle) => void = () => {}) {
    this.#clock = clock;
    this.#throttled = throttled;
    this.#buckets = new Recent(clock, FORGOTTEN_MS, rememberedClients);
  }

  /**
   * @returns what resolves when this client may come in; undefined where that is now.
   * @throws BrokerError `connection-rate-exceeded`: it would wait too long.
   */
  turn(who: Throttle['who']): Promise<void> | undefined {
    const { door, clientId, remote } = who;
    if (clientId === '' || !DOORS_WITH_IDS.includes(door)) return undefined;
    const bucket = this.#bucket(`${addressKeyOf(remote)} ${door} ${clientId}`);
    const waitMs = ((bucket.level + 1 - freeReconnects) / reconnectsPerSecond) * 1_000;
    const isRefused = waitMs > connectWaitMs;
    if (!isRefused) bucket.level++;
    if (waitMs <= 0) return undefined;
    const throttle: Throttle = { ...ITS_CONNECTIONS, who, isRefused };
    this.#throttled(throttle);
    if (isRefused) throw new RateExceeded(throttle, waitMs);
    return new Promise((resolve) => void this.#clock.after(waitMs, resolve));
  }

  #bucket(key: string): Bucket {
    const nowMs = this.#clock.elapsedMs();
    const known = this.#buckets.get(key);
    if (known === undefined) {
      const bucket = { level: 0, atMs: nowMs };
      this.#buckets.set(key, bucket);
      return bucket;
    }
    known.level = Math.max(0, known.level - ((nowMs - known.atMs) / 1_000) * reconnectsPerSecond);
    known.atMs = nowMs;
    return known;
  }
}
