import { createHash } from 'node:crypto';
import {
  isCount,
  isInteger,
  isText,
  isTopicId,
  jsonAs,
  listOf,
  objectOf,
  optional,
  type Shape,
  tableOf,
} from '../lib/shape.ts';
import { checkBatchSize, noSuchTopic, topicExists } from '../store/batch-rules.ts';
import type { TopicConfigs } from '../store/log-store.ts';
import { isSameValue } from '../store/meta-swaps.ts';
import { storedNumber } from '../store/stored-number.ts';
import { eachLast, follow } from './follower.ts';
import { isWrongSequence, type JetStream, type StreamMessage } from './jetstream.ts';

/** A topic, as all nodes know it. */
export interface TopicRecord {
  readonly name: string;
  /** As base64. */
  readonly topicId: string;
  readonly configs: TopicConfigs;
  readonly createdAtMs: number;
  /** The ids of its partitions, in the order of their numbers. */
  readonly partitions: readonly number[];
  /** Partitions of deleted topics of this name of which there may be something left. Their ids are never given again. */
  readonly gone?: readonly number[];
  /** Who wrote this record, and which of its records it is. */
  readonly by: string;
}

/** A topic, as a node knows it at some time. */
export interface KnownTopic {
  /** As base64; undefined where it was deleted. */
  readonly id: string | undefined;
  /** Of the record that says so: a later one has a higher sequence. */
  readonly sequence: number;
}

/** Whose topics and values these are. */
export interface MetaNode {
  /** What no other node calls itself. */
  readonly name: string;
  readonly changed: TopicChanged;
  /** Whether anything is left of a partition whose topic was deleted. */
  readonly isLeft: (partition: number) => boolean;
}

/** Told of what another node changed; undefined where there was, or is, no such topic. */
export type TopicChanged = (
  name: string,
  before: TopicRecord | undefined,
  after: TopicRecord | undefined,
) => void;

const EXPECTED = 'Nats-Expected-Last-Subject-Sequence';
/** In front of a small value: none at all is a value that was forgotten. */
const HAS_VALUE = Uint8Array.of(1);
const PARTITION_IDS = 'partition-ids';

/**
 * What nodes share beside the logs: topics, and small values. Each is the last message of a subject, which a node changes only
 * if it knows the one before.
 */
export class Meta {
  readonly topics = new Map<string, TopicRecord>();
  /** By the name of a topic, the partitions of those of that name which were deleted. */
  readonly gone = new Map<string, readonly number[]>();
  readonly #jetStream: JetStream;
  readonly #stream: string;
  readonly #prefix: string;
  readonly #node: MetaNode;
  /** By the subject, the sequence of its last message. */
  readonly #known = new Map<string, number>();
  /** Records that this node is writing; who asked tells of those. */
  readonly #own = new Set<string>();
  #written = 0;
  /** What the follower has handed over. */
  #followed = 0;
  /** Who waits for the follower. */
  #waiting: { readonly sequence: number; readonly resolve: () => void }[] = [];
  #endFollowing: (() => void) | undefined;

  constructor(jetStream: JetStream, stream: string, prefix: string, node: MetaNode) {
    this.#jetStream = jetStream;
    this.#stream = stream;
    this.#prefix = prefix;
    this.#node = node;
  }

  /** Reads the topics that there are, and follows what becomes of them. */
  async open(): Promise<void> {
    const followed = { stream: this.#stream, filter: `${this.#prefix}t.*`, isHeadersOnly: false };
    await eachLast(this.#jetStream, followed, (message) => {
      this.#followed = message.sequence;
      this.#take(message, () => {});
    });
    this.#endFollowing = follow(
      this.#jetStream,
      followed,
      () => this.#followed,
      (message) => {
        this.#followed = message.sequence;
        const isTaken = this.#take(message, this.#node.changed);
        this.#tellWaiting();
        return isTaken;
      },
    );
  }

  close(): void {
    this.#endFollowing?.();
    this.#followed = Number.POSITIVE_INFINITY;
    this.#tellWaiting();
  }

  /** Resolves when the topics of this node are those of a sequence, or later ones. */
  async until(sequence: number): Promise<void> {
    if (this.#followed >= sequence) return;
    await new Promise<void>((resolve) => this.#waiting.push({ sequence, resolve }));
  }

  /** What this node knows of a topic; undefined where it has not heard of one of that name. */
  known(name: string): KnownTopic | undefined {
    const sequence = this.#known.get(this.#subjectOf('t', name));
    return sequence === undefined ? undefined : { id: this.topics.get(name)?.topicId, sequence };
  }

  /** So many ids that no other partition has or had. */
  async partitionIds(count: number): Promise<number[]> {
    const first = await this.reserve(PARTITION_IDS, count);
    return Array.from({ length: count }, (_, index) => first + index);
  }

  /** Numbers from 1 on, each given once under its key, whichever nodes ask: the first of so many. @throws StoreError `corrupt` */
  async reserve(key: string, count: number): Promise<number> {
    for (;;) {
      const before = await this.value(key);
      const last = before === undefined ? 0 : storedNumber(key, before);
      if (await this.swap(key, before, Buffer.from(String(last + count)))) return last + 1;
    }
  }

  /** Resolves with the sequence of the record. @throws StoreError `exists` */
  create(topic: Omit<TopicRecord, 'by'>): Promise<number> {
    return this.#change(topic.name, (before) => {
      if (before !== undefined) throw topicExists(topic.name);
      return topic;
    });
  }

  /** Resolves with the sequence of the record. @throws StoreError `not-found`, and what `alter` throws */
  alter(name: string, alter: (before: TopicRecord) => Omit<TopicRecord, 'by'>): Promise<number> {
    return this.#change(name, (before) => alter(found(before, name)));
  }

  /** Resolves with what it was, and the sequence of what says so. @throws StoreError `not-found` */
  async delete(name: string): Promise<{ record: TopicRecord; sequence: number }> {
    let deleted: TopicRecord | undefined;
    const sequence = await this.#change(name, (before) => {
      deleted = found(before, name);
      return undefined;
    });
    return { record: found(deleted, name), sequence };
  }

  async value(key: string): Promise<Uint8Array | undefined> {
    return (await this.#valueAt(key)).value;
  }

  async putValue(key: string, value: Uint8Array | undefined): Promise<void> {
    const body = valueBody(value);
    this.#checkSize(body);
    await this.#jetStream.publish(this.#subjectOf('k', key), body, {});
  }

  async swap(key: string, before: Uint8Array | undefined, after: Uint8Array): Promise<boolean> {
    const { value, sequence } = await this.#valueAt(key);
    if (!isSameValue(value, before)) return false;
    const expected = { [EXPECTED]: String(sequence) };
    return this.#publishes(this.#subjectOf('k', key), valueBody(after), expected);
  }

  async #valueAt(key: string): Promise<{ value: Uint8Array | undefined; sequence: number }> {
    const last = await this.#jetStream.last(this.#stream, this.#subjectOf('k', key));
    const body = last?.body;
    return { value: body?.length ? body.slice(HAS_VALUE.length) : undefined, sequence: last?.sequence ?? 0 };
  }

  /** Writes another record in the place of the last one, as often as another node was quicker. */
  async #change(
    name: string,
    make: (before: TopicRecord | undefined) => Omit<TopicRecord, 'by'> | undefined,
  ): Promise<number> {
    const subject = this.#subjectOf('t', name);
    const by = `${this.#node.name}.${++this.#written}`;
    this.#own.add(by);
    try {
      for (;;) {
        const before = this.topics.get(name);
        const record = make(before);
        const gone = this.#goneAfter(name, record === undefined ? before : undefined);
        const body = Buffer.from(JSON.stringify({ name, ...record, gone, by }));
        const expected = { [EXPECTED]: String(this.#known.get(subject) ?? 0) };
        if (await this.#publishes(subject, body, expected)) break;
        this.#take(await this.#lastOf(subject), this.#node.changed);
      }
      this.#take(await this.#lastOf(subject), this.#node.changed);
      return this.#known.get(subject)!;
    } finally {
      this.#own.delete(by);
    }
  }

  /** What the next record of a name says is gone; undefined for nothing. */
  #goneAfter(name: string, deleted: TopicRecord | undefined): readonly number[] | undefined {
    const left = (this.gone.get(name) ?? []).filter((id) => this.#node.isLeft(id));
    const gone = [...left, ...(deleted?.partitions ?? [])];
    return gone.length > 0 ? gone : undefined;
  }

  async #lastOf(subject: string): Promise<StreamMessage | undefined> {
    return this.#jetStream.last(this.#stream, subject);
  }

  /** @returns whether it was stored; not, where the last message of the subject is another one. */
  async #publishes(
    subject: string,
    body: Uint8Array,
    expected: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    this.#checkSize(body);
    try {
      await this.#jetStream.publish(subject, body, expected);
      return true;
    } catch (error) {
      if (!isWrongSequence(error)) throw error;
      return false;
    }
  }

  /** The connection would refuse it, which nobody could tell from servers that are away. @throws StoreError `batch-too-large` */
  #checkSize(body: Uint8Array): void {
    checkBatchSize(body.length, this.#jetStream.maxBodyBytes, 'topic or value');
  }

  #take(message: StreamMessage | undefined, changed: TopicChanged): boolean {
    if (message === undefined) return true;
    const { subject, sequence } = message;
    const known = this.#known.get(subject);
    if (known !== undefined && known >= sequence) return true;
    this.#known.set(subject, sequence);
    const record = this.#recordOf(message);
    if (record === undefined) return true;
    const { name, by, gone } = record;
    const before = this.topics.get(name);
    const after = record.topicId === undefined ? undefined : record;
    if (after === undefined) this.topics.delete(name);
    else this.topics.set(name, after);
    if (gone === undefined) this.gone.delete(name);
    else this.gone.set(name, gone);
    if (!this.#own.has(by)) changed(name, before, after);
    return true;
  }

  /** Undefined for what no node wrote, or not there. */
  #recordOf({ subject, body }: StreamMessage): TopicRecord | DeletedTopic | undefined {
    try {
      const record = topicRecordOf(body);
      if (this.#subjectOf('t', record.name) === subject) return record;
      this.#jetStream.noteForeign(subject, 'it is the record of a topic of another subject');
    } catch (error) {
      this.#jetStream.noteForeign(subject, (error as Error).message);
    }
    return undefined;
  }

  #tellWaiting(): void {
    if (this.#waiting.length === 0) return;
    const isThere = ({ sequence }: { sequence: number }) => sequence <= this.#followed;
    for (const waiting of this.#waiting) if (isThere(waiting)) waiting.resolve();
    this.#waiting = this.#waiting.filter((waiting) => !isThere(waiting));
  }

  #subjectOf(kind: 't' | 'k', text: string): string {
    return `${this.#prefix}${kind}.${digestOf(text)}`;
  }
}

/** What stands for a text in a subject: half of its SHA-256, as the text itself could be anything. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
}

const isTopic = objectOf<TopicRecord>({
  ...{ name: isText, topicId: isTopicId, configs: tableOf(isText), createdAtMs: isInteger },
  ...{ partitions: listOf(isCount), gone: optional(listOf(isCount)), by: isText },
});
/** What is left of a topic that was deleted. */
type DeletedTopic = Pick<TopicRecord, 'name' | 'gone' | 'by'> & { readonly topicId?: undefined };
const isDeletedTopic = objectOf<DeletedTopic>({
  ...{ name: isText, gone: optional(listOf(isCount)), by: isText },
  topicId: (value): value is undefined => value === undefined,
});
const isRecord: Shape<TopicRecord | DeletedTopic> = (value): value is TopicRecord | DeletedTopic =>
  isTopic(value) || isDeletedTopic(value);

/** @throws Error for what is no record. Without an id of a topic it says that there is none of this name. */
export function topicRecordOf(body: Uint8Array): TopicRecord | DeletedTopic {
  return jsonAs(isRecord, body, 'a record of a topic');
}

function valueBody(value: Uint8Array | undefined): Uint8Array {
  return value === undefined ? new Uint8Array(0) : Buffer.concat([HAS_VALUE, value]);
}

function found(record: TopicRecord | undefined, name: string): TopicRecord {
  if (record === undefined) throw noSuchTopic(name);
  return record;
}
