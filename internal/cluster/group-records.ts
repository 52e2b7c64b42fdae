import { setTimeout as pause } from 'node:timers/promises';
import {
  isCount,
  isInteger,
  isText,
  isTopicId,
  jsonAs,
  objectOf,
  optional,
  type Shape,
} from '../lib/shape.ts';
import { replicaRetries, replicaRetryMs } from '../limits/cluster.ts';
import { KiB } from '../limits/units.ts';
import { checkBatchSize } from '../store/batch-rules.ts';
import type { GroupOffset, StoredGroups, TopicPartition } from '../store/log-store.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import type { JetStreamShard } from './jetstream-shard.ts';
import { digestOf, type KnownTopic } from './meta.ts';
import type { Shard } from './shard.ts';
import type { StoredMessage } from './stream.ts';

/** What a group committed for a partition. */
interface CommitRecord extends GroupOffset {
  group: string;
  /** Undefined for a topic that its coordinator did not know. */
  of?: KnownTopic | undefined;
}

/** It was forgotten. */
interface ForgottenRecord extends TopicPartition {
  group: string;
  offset?: undefined;
}

type OffsetRecord = CommitRecord | ForgottenRecord;

const isCommitRecord = objectOf<CommitRecord>({
  ...{ group: isText, topic: isText, partition: isCount, offset: isCount, leaderEpoch: isInteger },
  ...{ metadata: isText, committedAtMs: isInteger },
  of: optional(objectOf<KnownTopic>({ id: optional(isTopicId), sequence: isCount })),
});
const isForgottenRecord = objectOf<ForgottenRecord>({
  ...{ group: isText, topic: isText, partition: isCount },
  offset: (value): value is undefined => value === undefined,
});
const isOffsetRecord: Shape<OffsetRecord> = (value): value is OffsetRecord =>
  isCommitRecord(value) || isForgottenRecord(value);

interface KeptOffset {
  readonly offset: GroupOffset;
  readonly of: KnownTopic | undefined;
}

export interface GroupRecordsParts {
  readonly shard: Shard;
  readonly stream: JetStreamShard;
  /** By its subject, the sequence of the last message that this node has heard of. */
  readonly sequences: ReadonlyMap<string, number>;
  /** What this node knows of a topic; undefined where it has not heard of one of that name. */
  readonly topic: (name: string) => KnownTopic | undefined;
}

/** As base64; without members the group was forgotten. */
interface MembersRecord {
  group: string;
  members?: string | undefined;
}

const isMembersRecord = objectOf<MembersRecord>({ group: isText, members: optional(isText) });

/** What lasts of groups, in the shard of their coordinator: the last message of each subject counts. */
export class GroupRecords {
  readonly #parts: GroupRecordsParts;
  /** By group: the places that it committed for. */
  readonly #offsets = new Map<string, Map<string, KeptOffset>>();
  readonly #members = new Map<string, Uint8Array>();

  constructor(parts: GroupRecordsParts) {
    this.#parts = parts;
  }

  /** Reads all that lasts, without what was committed for topics that are gone. @throws StoreUnavailableError where no replica has all that this node has heard of */
  async load(): Promise<StoredGroups> {
    const messages = await this.#complete();
    this.#offsets.clear();
    this.#members.clear();
    for (const message of messages) {
      try {
        this.#take(message);
      } catch (error) {
        this.#parts.stream.noteForeign(message.subject, (error as Error).message);
      }
    }
    const groups = new Map<string, GroupOffset[]>();
    for (const [group, kept] of this.#offsets) {
      const lasting = [...kept.values()].filter((each) => !this.#isGone(each));
      if (lasting.length > 0)
        groups.set(
          group,
          lasting.map(({ offset }) => offset),
        );
    }
    return { groups, groupMembers: new Map(this.#members) };
  }

  /** @throws Error for what is no record, or not there. */
  #take({ subject, body }: StoredMessage): void {
    if (subject.startsWith('h.')) {
      const { group, members } = jsonAs(isMembersRecord, body, 'a record of the members of a group');
      checkSubject(subject, membersSubject(group));
      if (members !== undefined) this.#members.set(group, new Uint8Array(Buffer.from(members, 'base64')));
      return;
    }
    const record = jsonAs(isOffsetRecord, body, 'a record of what a group committed');
    checkSubject(subject, offsetSubject(record.group, record));
    if (record.offset === undefined) return;
    const { group, of, ...offset } = record;
    this.#keep(group, { offset, of });
  }

  /**
   * Forgets what was committed for topics that are gone: they may have been deleted while nobody coordinated groups.
   * @throws StoreError; StoreUnavailableError
   */
  async forgetGone(): Promise<void> {
    await this.#forget((kept) => this.#isGone(kept));
  }

  /** The last messages about groups. Any replica answers, and one may be behind. */
  async #complete(): Promise<StoredMessage[]> {
    const known = [...this.#parts.sequences];
    for (let tries = 0; tries < replicaRetries; tries++) {
      if (tries > 0) await pause(replicaRetryMs);
      const offsets = await this.#parts.stream.lastOfSubjects('g.>');
      const messages = [...offsets, ...(await this.#parts.stream.lastOfSubjects('h.*'))];
      const found = new Map(messages.map(({ subject, sequence }) => [subject, sequence]));
      if (known.every(([subject, sequence]) => (found.get(subject) ?? 0) >= sequence)) return messages;
    }
    throw new StoreUnavailableError('failed', 'no replica has all that groups have committed');
  }

  async saveOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void> {
    const kept = offsets.map((offset) => ({ offset, of: this.#parts.topic(offset.topic) }));
    const saved = kept.map(({ offset, of }) =>
      this.#write(offsetSubject(group, offset), { group, ...offset, of }),
    );
    await Promise.all(saved);
    for (const each of kept) this.#keep(group, each);
  }

  async deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<void> {
    const kept = this.#offsets.get(group);
    const gone = partitions.flatMap((place) => {
      const key = placeKey(place);
      const known = kept?.get(key);
      return known === undefined ? [] : [{ place, key, known }];
    });
    await Promise.all(
      gone.map(({ place: { topic, partition } }) =>
        this.#write(offsetSubject(group, { topic, partition }), { group, topic, partition }),
      ),
    );
    // What is committed meanwhile stays.
    for (const { key, known } of gone) if (kept?.get(key) === known) kept.delete(key);
    if (kept?.size === 0) this.#offsets.delete(group);
  }

  async saveMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    if (members === undefined && !this.#members.has(group)) return;
    const record =
      members === undefined ? { group } : { group, members: Buffer.from(members).toString('base64') };
    await this.#write(membersSubject(group), record);
    if (members === undefined) this.#members.delete(group);
    else this.#members.set(group, members.slice());
  }

  async delete(group: string): Promise<void> {
    const offsets = [...(this.#offsets.get(group)?.values() ?? [])].map(({ offset }) => offset);
    await Promise.all([this.deleteOffsets(group, offsets), this.saveMembers(group, undefined)]);
  }

  /** A topic is gone: what groups committed for it goes too. */
  async forgetTopic(topic: string): Promise<void> {
    await this.#forget(
      (kept) => kept.offset.topic === topic && (kept.of === undefined || this.#isGone(kept)),
    );
  }

  async #forget(isForgotten: (kept: KeptOffset) => boolean): Promise<void> {
    const forgotten: Promise<void>[] = [];
    for (const [group, kept] of this.#offsets) {
      const gone = [...kept.values()].filter(isForgotten);
      if (gone.length === 0) continue;
      forgotten.push(
        this.deleteOffsets(
          group,
          gone.map(({ offset }) => offset),
        ),
      );
    }
    await Promise.all(forgotten);
  }

  /** Only a later record of a topic says so: this node may not have heard yet of the one that was committed for. */
  #isGone({ offset, of }: KeptOffset): boolean {
    const now = this.#parts.topic(offset.topic);
    return of !== undefined && now !== undefined && now.sequence > of.sequence && now.id !== of.id;
  }

  #keep(group: string, kept: KeptOffset): void {
    const offsets = this.#offsets.get(group) ?? new Map<string, KeptOffset>();
    offsets.set(placeKey(kept.offset), kept);
    this.#offsets.set(group, offsets);
  }

  /** What no server takes must not get to the writer of the shard, which would try it again and again, and all that is behind it. */
  async #write(subject: string, record: OffsetRecord | MembersRecord): Promise<void> {
    const body = Buffer.from(JSON.stringify(record));
    checkBatchSize(body.length, this.#parts.stream.maxBodyBytes, 'record of a group');
    await this.#parts.shard.saveGroup(subject, body);
  }
}

/** Beside who is in a group its record has its name: up to 32,767 characters, of which JSON makes up to six bytes each. */
const NAME_BYTES = 256 * KiB;

/** How large what is kept of members may be, so that its record fits into a body: it is base64 there. */
export function maxMembersBytes(maxBodyBytes: number): number {
  return Math.floor(((maxBodyBytes - NAME_BYTES) * 3) / 4);
}

function placeKey({ topic, partition }: TopicPartition): string {
  return `${partition}/${topic}`;
}

function offsetSubject(group: string, { topic, partition }: TopicPartition): string {
  return `g.${digestOf(group)}.${digestOf(topic)}.${partition}`;
}

function membersSubject(group: string): string {
  return `h.${digestOf(group)}`;
}

function checkSubject(subject: string, own: string): void {
  if (subject !== own) throw new Error('it is a record of another subject');
}

/** Whether a message of the shard is one of these. */
export function isGroupSubject(subject: string): boolean {
  return subject.startsWith('g.') || subject.startsWith('h.');
}
