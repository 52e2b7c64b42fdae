import type { Logger, RunningBroker } from '../../pkg/embed/index.ts';

/** Logs the counters, and how fast they grew, at an interval; returns how to end that. */
export function logRates(broker: RunningBroker, everyMs: number, logger: Logger): () => void {
  let before = broker.stats();
  let beforeAt = performance.now();
  const timer = setInterval(() => {
    const now = broker.stats();
    const seconds = (performance.now() - beforeAt) / 1000;
    const rate = (name: string) => Math.round(((now[name] ?? 0) - (before[name] ?? 0)) / seconds);
    logger.info(
      {
        clients: now.clients,
        subscriptions: now.subscriptions,
        receivedPerSecond: rate('messages_received_total'),
        deliveredPerSecond: rate('messages_delivered_total'),
        received: now.messages_received_total,
        delivered: now.messages_delivered_total,
        dropped: now.messages_dropped_total,
      },
      'rates',
    );
    before = now;
    beforeAt = performance.now();
  }, everyMs);
  return () => clearInterval(timer);
}
