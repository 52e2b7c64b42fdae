import type { Broker } from '../../broker/broker.ts';
import type { Connections } from '../../observe/connections.ts';
import type { BrokerOptions } from '../options.ts';
import { FaultPoints } from './fault-points.ts';
import { type BrokerPublishOptions, publishByApp } from './publish.ts';
import { type RecordedMessage, Recording, type WaitOptions } from './recording.ts';

/** What an app, and most of all its tests, do with the messages of a broker in their process, without a client. */
export interface TestedBroker {
  /**
   * Publishes a message of the broker itself; resolves when it is safe with everybody who keeps it, so that QoS 1 is acknowledged.
   *
   * @throws an Error with a `code` of docs/errors.md, RangeError where an option is wrong.
   */
  publish(topic: string, data: string | Uint8Array, options?: BrokerPublishOptions): Promise<void>;
  /**
   * The messages that were published, by clients of any door and by {@link publish}, in the order in which the broker took
   * them. Needs the option `record`.
   */
  received(filter: string): RecordedMessage[];
  /**
   * Resolves with the messages as soon as there are so many of them, which may be at once.
   *
   * @throws Error that says what was published instead, where they do not come in time.
   */
  untilReceived(filter: string, count?: number, options?: WaitOptions): Promise<RecordedMessage[]>;
  /** Forgets what was published so far. */
  clearReceived(): void;
}

/** Lets faults happen and records, as far as the options want that. */
export function openTesting(
  { faults, record = false }: BrokerOptions,
  broker: Broker,
  connections: Connections,
): TestedBroker & { close(): void } {
  const points = faults && new FaultPoints(faults, broker, connections);
  const recording = record ? new Recording(broker.clock) : undefined;
  for (const watcher of [recording, points]) if (watcher !== undefined) broker.watch(watcher);
  return {
    publish: (topic, data, options) => publishByApp(broker, topic, data, options),
    received: (filter) => needed(recording).received(filter),
    untilReceived: async (filter, count = 1, options = {}) =>
      needed(recording).until(filter, count, options.timeoutMs),
    clearReceived: () => needed(recording).clear(),
    close: () => points?.close(),
  };
}

/** A broker that nobody tests keeps no copies of what goes through it. */
function needed(recording: Recording | undefined): Recording {
  if (recording === undefined) throw new TypeError('the broker was started without the option record: true');
  return recording;
}
