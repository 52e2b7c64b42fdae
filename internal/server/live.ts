import type { Broker, Logger } from '../broker/broker.ts';
import { Capture, type CaptureParts } from '../live/capture.ts';
import { Delivery } from '../live/delivery.ts';
import type { Logs } from '../log/logs.ts';
import { isInternalTopic, liveTopicOf, logNameOf } from '../log/names.ts';
import type { Metrics } from '../observe/metrics.ts';
import { matchesFilter, topicNameProblem } from '../topic.ts';
import type { LogOption } from './storage.ts';

/** What goes between live topics and logs. */
export interface OpenLive {
  delivery: Delivery;
  /** The name of the log that keeps live messages of a topic; undefined where none does. */
  logOf(topic: string): string | undefined;
  /** Lets what was delivered reach the logs. */
  close(): Promise<void>;
}

export interface LiveParts {
  logs: Logs;
  broker: Broker;
  metrics: Metrics;
  logger: Logger;
}

/**
 * Brings live topics into the logs that the options name and into those that there are, and what comes into a log to live
 * subscribers.
 */
export function openLive(
  options: readonly LogOption[],
  { logs, broker, metrics, logger }: LiveParts,
): OpenLive {
  const parts = { logs, metrics, log: logger, fates: broker.fates.logging(logger), spans: broker.spans };
  logs.tracing = broker.tracing;
  const delivery = new Delivery(logs, broker, logger);
  const captures = [...captureAll(options, broker, parts), captureExisting(options, broker, parts)];

  async function close(): Promise<void> {
    await Promise.all(captures.map((capture) => capture.drained()));
  }

  return { delivery, logOf: (topic) => logOfTopic(topic, options, logs), close };
}

/** Where the captures write live messages of a topic. */
function logOfTopic(topic: string, options: readonly LogOption[], logs: Logs): string | undefined {
  const option = firstMatch(options, topic);
  const name = option?.name ?? logNameOf(topic);
  if (isInternalTopic(name)) return undefined;
  const isKept = option !== undefined || (liveTopicOf(name) === topic && logs.topic(name) !== undefined);
  return isKept ? name : undefined;
}

/** One capture for each log that is named, and one for the topics that have their own. */
function captureAll(
  options: readonly LogOption[],
  broker: Broker,
  parts: Omit<CaptureParts, 'logName' | 'isWanted'>,
): Capture[] {
  const captures = new Map<string | undefined, Capture>();
  for (const { filter, name } of options) {
    let capture = captures.get(name);
    if (capture === undefined) {
      const isWanted = (topic: string) => firstMatch(options, topic)?.name === name;
      capture = new Capture({ ...parts, logName: name, isWanted: options.length > 1 ? isWanted : undefined });
      captures.set(name, capture);
    }
    broker.attach(filter, capture);
  }
  return [...captures.values()];
}

/** A live topic whose log there is goes there too, unless an option says where it goes. */
function captureExisting(
  options: readonly LogOption[],
  broker: Broker,
  parts: Omit<CaptureParts, 'logName' | 'isWanted'>,
): Capture {
  const isWanted = (topic: string) => firstMatch(options, topic) === undefined;
  const capture = new Capture({ ...parts, isWanted, createsNone: true });
  const tapped = new Set<string>();
  const follow = ({ name }: { name: string }) => {
    const topic = liveTopicOf(name);
    if (tapped.has(name) || !isWanted(topic) || topicNameProblem(topic) !== undefined) return;
    if (isInternalTopic(name)) return;
    tapped.add(name);
    broker.attach(topic, capture);
  };
  for (const topic of parts.logs.topics()) follow(topic);
  parts.logs.onGrown(follow);
  parts.logs.onDeleted(({ name }) => {
    if (tapped.delete(name)) broker.detach(liveTopicOf(name), capture);
  });
  return capture;
}

/** A topic that several options match goes where the first of them says, so that a replay brings it once. */
function firstMatch(options: readonly LogOption[], topic: string): LogOption | undefined {
  return options.find(({ filter }) => matchesFilter(filter, topic));
}
