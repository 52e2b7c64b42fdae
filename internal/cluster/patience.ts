import { setTimeout as pause } from 'node:timers/promises';
import { replicaRetryMs, startPatienceMs } from '../limits/cluster.ts';
import { StoreUnavailableError } from '../store/store-error.ts';

/**
 * Does something again as long as NATS is away, or is electing a leader: at the start of a broker, which may come up together
 * with the servers.
 *
 * @param warn is told why, once.
 */
export async function patiently<T>(
  act: () => Promise<T>,
  warn: (problem: string) => void = () => {},
): Promise<T> {
  const untilMs = performance.now() + startPatienceMs;
  let isTold = false;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || performance.now() > untilMs) throw error;
      if (!isTold) warn(error.message);
      isTold = true;
      await pause(replicaRetryMs);
    }
  }
}
