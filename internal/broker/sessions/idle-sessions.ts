import { quoted } from '../../errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { evictionsToldEveryMs } from '../../limits/broker.ts';
import type { Counter, Metrics } from '../../observe/metrics.ts';
import type { Session } from './session.ts';

/** Sessions whose clients are away and for which no message waits: they are ended first where there are too many. */
export class IdleSessions {
  readonly #logger: Logger;
  readonly #evicted: Counter;
  /** In the order in which their clients went. */
  #sessions = new Set<Session>();
  #untold = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(metrics: Metrics, logger: Logger) {
    this.#logger = logger;
    this.#evicted = metrics.counter('sessions_evicted_total');
  }

  /** The client of a session has gone. */
  add(session: Session): void {
    if (isIdle(session)) this.#sessions.add(session);
  }

  /** It is back, or the session has ended. */
  delete(session: Session): void {
    this.#sessions.delete(session);
  }

  /** Sessions were taken over from the store, in whatever order. */
  sort(): void {
    this.#sessions = new Set([...this.#sessions].sort((a, b) => a.endedAtMs! - b.endedAtMs!));
  }

  /** The session whose client has been away longest, to be ended, which is counted and logged; undefined where there is none. */
  takeOldest(nowMs: number): Session | undefined {
    for (const session of this.#sessions) {
      this.#sessions.delete(session);
      // A message may have come since.
      if (!isIdle(session)) continue;
      this.#tell(session, nowMs);
      return session;
    }
    return undefined;
  }

  /** Where newcomers push many out, one line in a while stands for all of them. */
  #tell(session: Session, nowMs: number): void {
    this.#evicted.value++;
    this.#untold++;
    if (nowMs - this.#toldAtMs < evictionsToldEveryMs) return;
    this.#logger.warn(
      {
        code: 'too-many-sessions',
        client: quoted(session.clientId),
        awayMs: nowMs - session.endedAtMs!,
        ended: this.#untold,
      },
      'sessions whose clients were away longest were ended to make room',
    );
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}

function isIdle({ isConnected, waiting, unacknowledged }: Session): boolean {
  return !isConnected && waiting === 0 && unacknowledged === 0;
}
