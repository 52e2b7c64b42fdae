import { records } from '../batch/read.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import type { Source } from '../broker/delivery/channel.ts';
import { type Encoding, type Message, Publication } from '../broker/delivery/publication.ts';
import type { TargetSet } from '../broker/routing/targets.ts';
import { noSessionStore, type SessionStore } from '../broker/sessions/session-store.ts';
import { nameForLog } from '../errors.ts';
import { maxExpandedBatchBytes } from '../limits/batch.ts';
import type { TopicLog } from '../log/logs.ts';
import { liveTopicOf } from '../log/names.ts';
import { isReservedTopic, topicNameProblem } from '../topic.ts';
import { MIXED_CONFIG } from './capture.ts';
import { messageOf } from './records.ts';

/**
 * Gives batches that a door wrote to a log to the live subscribers of its topic. They are durable, and their producer was told
 * so: it counts as QoS 1, so that sessions whose clients are away get it too.
 */
export class Delivery {
  /** Where sessions keep what waits for them; set before the first batch. */
  store: SessionStore = noSessionStore;
  readonly #broker: Broker;
  readonly #logger: Logger;
  /** The bytes of live topics by the names of their logs; undefined for one that nobody can subscribe to. */
  readonly #topics = new Map<string, Uint8Array | undefined>();

  constructor(broker: Broker, logger: Logger) {
    this.#broker = broker;
    this.#logger = logger;
  }

  /**
   * Delivers a durable batch. It is opened only if there are subscribers.
   *
   * @param source pauses while a subscriber is full.
   * @returns what resolves when the sessions that keep it have done so, or cannot; undefined where none does.
   */
  deliver(topic: TopicLog, batch: Uint8Array, source: Source): Promise<void> | undefined {
    const isMixed = topic.configs[MIXED_CONFIG] === 'true';
    const name = this.#nameOf(topic.name);
    const targets = name && this.#targetsOf(name);
    if (!isMixed && (targets === undefined || isNobody(targets, liveTopicOf(topic.name), topic.name))) {
      return undefined;
    }
    let messages: Message[];
    try {
      messages = messagesOf(topic.name, batch);
    } catch (error) {
      const fields = { log: nameForLog(topic.name), error: (error as Error).message };
      this.#logger.warn(fields, 'a batch cannot be read for live subscribers');
      return undefined;
    }
    const writesBefore = this.store.writes;
    if (isMixed) {
      this.#deliverEach(topic.name, messages, source);
    } else if (targets!.groups.length === 0) {
      this.#publish(topic.name, messages, batch, targets!, source);
    } else {
      // Each message for a group goes to another member.
      for (const message of messages) {
        this.#publish(topic.name, [message], message.payload, this.#targetsOf(name!), source);
      }
    }
    if (this.store.writes === writesBefore) return undefined;
    return new Promise((resolve) => this.store.whenDurable(() => resolve()));
  }

  /** A log of many topics: each of its messages goes its own way. */
  #deliverEach(logName: string, messages: readonly Message[], source: Source): void {
    for (const message of messages) {
      const targets = this.#targetsOf(Buffer.from(message.topic));
      if (!isNobody(targets, message.topic, logName))
        this.#publish(logName, [message], message.payload, targets, source);
    }
  }

  #publish(
    logName: string,
    messages: Message[],
    bytes: Uint8Array,
    targets: TargetSet,
    source: Source,
  ): void {
    if (messages.length === 0) return;
    const publication = new Publication(new ReadMessages(messages));
    publication.set(bytes, 0, bytes.length, messages.length);
    publication.logName = logName;
    publication.isPlain = false;
    this.#broker.publish(publication, targets, source);
  }

  #nameOf(logName: string): Uint8Array | undefined {
    if (this.#topics.has(logName)) return this.#topics.get(logName);
    if (this.#topics.size >= MAX_REMEMBERED_NAMES) this.#topics.clear();
    const topic = liveTopicOf(logName);
    const isLive = topicNameProblem(topic) === undefined && !isReservedTopic(topic);
    const bytes = isLive ? new Uint8Array(Buffer.from(topic)) : undefined;
    this.#topics.set(logName, bytes);
    return bytes;
  }

  #targetsOf(name: Uint8Array): TargetSet {
    const view = new DataView(name.buffer, name.byteOffset, name.byteLength);
    return this.#broker.topic(view, 0, name.byteLength).targets;
  }
}

const MAX_REMEMBERED_NAMES = 10_000;

/** Messages that were read already, for targets to encode as each wants them. */
class ReadMessages implements Encoding {
  readonly name = 'records';
  readonly #messages: Message[];

  constructor(messages: Message[]) {
    this.#messages = messages;
  }

  decode(): Message[] {
    return this.#messages;
  }

  encode(): Uint8Array {
    throw new TypeError('records are not encoded for live subscribers');
  }
}

/** The log that a batch comes from is a target of its own topic, and does not want it once more. */
function isNobody({ channels, taps, groups }: TargetSet, topic: string, fromLog: string): boolean {
  if (channels.length > 0 || groups.length > 0) return false;
  return taps.every(({ receiver }) => receiver.passesOver?.(topic, fromLog) === true);
}

function messagesOf(logName: string, batch: Uint8Array): Message[] {
  const header = parseBatchHeader(batch, 0);
  const messages: Message[] = [];
  // Marks of transactions are no messages.
  if (header.isControl) return messages;
  const now = Date.now();
  for (const record of records(batch, header, maxExpandedBatchBytes)) {
    const message = messageOf(record, logName);
    message.qos = 1;
    if (message.expiresAtMs === undefined || message.expiresAtMs > now) messages.push(message);
  }
  return messages;
}
