import type { Logger } from '../broker/broker.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { ListenerEvents } from '../transport/listener-options.ts';

/** Counts and logs the connections that failed before they were open. */
export function connectionProblems(metrics: Metrics, log: Pick<Logger, 'warn'>): ListenerEvents['problem'] {
  const problems = metrics.counter(
    'connection_problems_total',
    'Connections that failed before they were open.',
  );
  return (error, remote) => {
    problems.value++;
    log.warn({ code: 'connection-lost', remote, error: error.message }, 'a connection could not be opened');
  };
}
