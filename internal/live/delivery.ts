import { type KafkaRecord, records, recordsPaced } from '../batch/read.ts';
import { parseBatchHeader } from '../batch/record-batch.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import { type LogPart, type Message, Publication } from '../broker/delivery/publication.ts';
import type { TargetSet } from '../broker/routing/targets.ts';
import { nameForLog } from '../errors.ts';
import { maxExpandedBatchBytes } from '../limits/batch.ts';
import type { Logs, TopicLog } from '../log/logs.ts';
import { liveTopicOf, logNameOf } from '../log/names.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { isReservedTopic, topicNameProblem } from '../topic.ts';
import { isMixed } from './capture.ts';
import { logPartOf } from './log-part.ts';
import { type Delivered, PartitionFollower } from './partition-follower.ts';
import { messageOf } from './records.ts';
import type { TurnPace } from './turn-pace.ts';

/**
 * Follows all logs, and brings what is committed in them to the live subscribers of their topics. It is durable, and its
 * producer was told so: it counts as QoS 1, so that sessions whose clients are away get it too.
 */
export class Delivery {
  readonly #broker: Broker;
  readonly #logger: Logger;
  /** The bytes of live topics by the names of their logs; undefined for one that nobody can subscribe to. */
  readonly #topics = new Map<string, Uint8Array | undefined>();
  /** Whether anybody wants what comes into the log of this name. */
  readonly #wanted = new Map<string, boolean>();
  readonly #followers = new WeakMap<PartitionLog, PartitionFollower>();

  constructor(logs: Logs, broker: Broker, logger: Logger) {
    this.#broker = broker;
    this.#logger = logger;
    broker.onInterest((filter) => this.#forgetWanted(filter));
    // Captures come and go with logs.
    logs.onGrown(() => this.#wanted.clear());
    logs.onDeleted(() => this.#wanted.clear());
    logs.onCommitted((topic, partition, records) => {
      // A node delivers what it leads; messages of other nodes' partitions come from there.
      if (partition.leader === 'here' && this.#isWanted(topic))
        this.#followerOf(topic, partition).take(records);
    });
  }

  /**
   * Resolves when what is committed in a partition until now is with its subscribers, who have room for more, and is durable
   * where others keep it; undefined where that is so already.
   */
  settled(partition: PartitionLog): Promise<void> | undefined {
    return this.#followers.get(partition)?.settled();
  }

  /** Another node wants a filter, or does no longer. */
  noteRoute(filter: string): void {
    this.#forgetWanted(filter);
  }

  #followerOf(topic: TopicLog, partition: PartitionLog): PartitionFollower {
    let follower = this.#followers.get(partition);
    if (follower === undefined) {
      const read = { topic, part: logPartOf(topic, partition) };
      follower = new PartitionFollower({
        partition,
        deliverNow: (batch, delivered) => this.#deliverNow(read, batch, delivered),
        deliverInPieces: (batch, delivered, pace, ready) =>
          this.#deliverInPieces(read, batch, delivered, pace, ready),
        unreadable: (error) => this.#unreadable(topic, error),
      });
      this.#followers.set(partition, follower);
    }
    return follower;
  }

  /** A batch is opened only if there are subscribers. */
  #isWanted(topic: TopicLog): boolean {
    if (isMixed(topic) || this.#broker.isWatched) return true;
    let isWanted = this.#wanted.get(topic.name);
    if (isWanted === undefined) {
      const name = this.#nameOf(topic.name);
      isWanted = name !== undefined && !isNobody(this.#targetsOf(name), liveTopicOf(topic.name), topic.name);
      if (this.#wanted.size >= MAX_REMEMBERED_NAMES) this.#wanted.clear();
      this.#wanted.set(topic.name, isWanted);
    }
    return isWanted;
  }

  /** A filter without wildcards is about one log. */
  #forgetWanted(filter: string): void {
    if (/[+#]/.test(filter)) this.#wanted.clear();
    else this.#wanted.delete(logNameOf(filter));
  }

  #deliverNow({ topic, part }: Read, batch: Uint8Array, delivered: Delivered): boolean {
    if (isLarge(batch)) return false;
    try {
      this.#deliverMessages(topic, this.#current(messagesOf(part, batch)), batch.length, delivered);
    } catch (error) {
      this.#unreadable(topic, error);
    }
    return true;
  }

  async #deliverInPieces(
    { topic, part }: Read,
    batch: Uint8Array,
    delivered: Delivered,
    pace: TurnPace,
    ready: () => Promise<void>,
  ): Promise<void> {
    const header = parseBatchHeader(batch, 0);
    if (header.isControl) return;
    const { recordCount } = header;
    const all = await recordsPaced(batch, header, maxExpandedBatchBytes, pace);
    let piece: Message[] = [];
    let read = 0;
    const deliverPiece = () => {
      // The bytes of a batch are shared among its pieces, so that they are counted once.
      const [start, end] = [read - piece.length, read].map((n) =>
        Math.floor((batch.length * n) / recordCount),
      ) as [number, number];
      this.#deliverMessages(topic, this.#current(piece), end - start, delivered);
      piece = [];
    };
    for (const record of all) {
      piece.push(qosOneMessageOf(record, part));
      read++;
      if (piece.length < PIECE_RECORDS) continue;
      deliverPiece();
      if (pace.isOver) await pace.turn();
      await ready();
    }
    deliverPiece();
  }

  #unreadable(topic: TopicLog, error: unknown): void {
    const fields = { log: nameForLog(topic.name), error: (error as Error).message };
    const about = { topic: liveTopicOf(topic.name) };
    const line = 'a batch cannot be read for live subscribers';
    this.#broker.fates.logging(this.#logger).tell({
      ...{ outcome: 'dropped', code: 'log-damaged', about, details: fields, line },
    });
  }

  /** Those that nobody has to do without by now. */
  #current(messages: Message[]): Message[] {
    const now = this.#broker.clock.now();
    return messages.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > now);
  }

  #deliverMessages(topic: TopicLog, messages: Message[], byteLength: number, delivered: Delivered): void {
    if (isMixed(topic)) {
      this.#deliverEach(topic.name, messages, delivered);
      return;
    }
    const name = this.#nameOf(topic.name);
    const targets = this.#targetsOf(name!);
    if (targets.groups.length === 0) {
      this.#publish(topic.name, messages, targets, delivered, byteLength);
      return;
    }
    // Each message for a group goes to another member.
    for (const message of messages) {
      this.#publish(topic.name, [message], this.#targetsOf(name!), delivered);
    }
  }

  /** A log of many topics: each of its messages goes its own way. */
  #deliverEach(logName: string, messages: readonly Message[], delivered: Delivered): void {
    for (const message of messages) {
      const targets = this.#targetsOf(Buffer.from(message.topic));
      if (isNobody(targets, message.topic, logName)) continue;
      this.#publish(logName, [message], targets, delivered);
    }
  }

  /** @param byteLength of what they came as; a single message counts as its payload. */
  #publish(
    logName: string,
    messages: Message[],
    targets: TargetSet,
    { source, receipt }: Delivered,
    byteLength = messages[0]?.payload.length,
  ): void {
    if (messages.length === 0) return;
    const origin = { kind: 'log', name: logName } as const;
    this.#broker.publish(Publication.ofMessages(messages, { origin, byteLength, receipt }), targets, source);
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

/** What a follower reads. */
interface Read {
  readonly topic: TopicLog;
  readonly part: LogPart;
}

const MAX_REMEMBERED_NAMES = 10_000;
/** Records that are delivered at once; a batch of more, or one that may expand to much, is delivered in pieces. */
const PIECE_RECORDS = 2_048;
const LARGE_COMPRESSED_BYTES = 64 * 1024;

function isLarge(batch: Uint8Array): boolean {
  try {
    const { recordCount, codec } = parseBatchHeader(batch, 0);
    return recordCount > PIECE_RECORDS || (codec !== 'none' && batch.length > LARGE_COMPRESSED_BYTES);
  } catch {
    // A batch that cannot be read is reported where it is read.
    return false;
  }
}

/** The log that a batch comes from is a target of its own topic, and does not want it once more. */
function isNobody({ channels, receivers, groups }: TargetSet, topic: string, fromLog: string): boolean {
  if (channels.length > 0 || groups.length > 0) return false;
  return receivers.every((receiver) => receiver.passesOver?.(topic, fromLog) === true);
}

function messagesOf(part: LogPart, batch: Uint8Array): Message[] {
  const header = parseBatchHeader(batch, 0);
  const messages: Message[] = [];
  // Marks of transactions are no messages.
  if (header.isControl) return messages;
  for (const record of records(batch, header, maxExpandedBatchBytes)) {
    messages.push(qosOneMessageOf(record, part));
  }
  return messages;
}

function qosOneMessageOf(record: KafkaRecord, part: LogPart): Message {
  const message = messageOf(record, part.log);
  message.readFrom = part;
  message.offset = record.offset;
  message.qos = 1;
  // Its producer has had an answer, and will not send it again.
  message.isLastCopy = true;
  return message;
}
