import { quoted } from '../../errors.ts';
import { evictionsToldEveryMs } from '../../limits/broker.ts';
import type { Fates } from '../../observe/fates.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { Session } from './session.ts';

/** Sessions whose clients are away and for which no message waits: they are ended first where there are too many. */
export class IdleSessions {
  readonly #fates: Fates;
  /** In the order in which their clients went. */
  #sessions = new Set<Session>();
  #untold = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(metrics: Metrics, fates: Fates) {
    this.#fates = fates;
    metrics.countedElsewhere(
      'sessions_evicted_total',
      () => fates.counter('ended', 'too-many-sessions').value,
    );
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
    this.#untold++;
    const isDue = nowMs - this.#toldAtMs >= evictionsToldEveryMs;
    this.#fates.tell({
      outcome: 'ended',
      code: 'too-many-sessions',
      who: { client: quoted(session.clientId) },
      affected: session.owner,
      details: { awayMs: nowMs - session.endedAtMs!, ended: this.#untold },
      line: isDue ? 'sessions whose clients were away longest were ended to make room' : undefined,
      level: 'warn',
    });
    if (!isDue) return;
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}

function isIdle({ isConnected, waiting, unacknowledged }: Session): boolean {
  return !isConnected && waiting === 0 && unacknowledged === 0;
}
