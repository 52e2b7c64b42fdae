import type { RunningBroker } from '../../pkg/embed/index.ts';

/** Where the first listener of a door is. */
export function urlOf(broker: RunningBroker, name: string): string {
  return broker.listeners.find(({ door }) => door === name)!.url;
}
