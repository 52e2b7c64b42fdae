import { setTimeout as pause } from 'node:timers/promises';
import { replicaRetries, replicaRetryMs } from '../limits/cluster.ts';
import { KiB } from '../limits/units.ts';
import { checkBatchSize } from '../store/batch-rules.ts';
import type { GroupOffset, StoredGroups, TopicPartition } from '../store/log-store.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import type { JetStreamShard } from './jetstream-shard.ts';
import { digestOf } from './meta.ts';
import type { Shard } from './shard.ts';
import type { StoredMessage } from './stream.ts';

/** What a group committed for a partition; without an offset it was forgotten. */
interface OffsetRecord extends TopicPartition, Partial<Omit<GroupOffset, keyof TopicPartition>> {
  group: string;
}

/** As base64; without members the group was forgotten. */
interface MembersRecord {
  group: string;
  members?: string;
}

/** What lasts of groups, in the shard of their coordinator: the last message of each subject counts. */
export class GroupRecords {
  readonly #shard: Shard;
  readonly #stream: JetStreamShard;
  /** By group: the places that it committed for. */
  readonly #offsets = new Map<string, Map<string, GroupOffset>>();
  readonly #members = new Map<string, Uint8Array>();

  /** By its subject, the sequence of the last message that this node has heard of. */
  readonly #sequences: ReadonlyMap<string, number>;

  constructor(shard: Shard, stream: JetStreamShard, sequences: ReadonlyMap<string, number>) {
    this.#shard = shard;
    this.#stream = stream;
    this.#sequences = sequences;
  }

  /** Reads all that lasts. @throws StoreUnavailableError where no replica has all that this node has heard of */
  async load(): Promise<StoredGroups> {
    const messages = await this.#complete();
    this.#offsets.clear();
    this.#members.clear();
    for (const { body } of messages) {
      const record = JSON.parse(Buffer.from(body).toString()) as OffsetRecord & MembersRecord;
      const { group, members, ...offset } = record;
      if (offset.offset !== undefined) this.#keep(group, offset as GroupOffset);
      if (members !== undefined) this.#members.set(group, new Uint8Array(Buffer.from(members, 'base64')));
    }
    return {
      groups: new Map([...this.#offsets].map(([group, offsets]) => [group, [...offsets.values()]])),
      groupMembers: new Map(this.#members),
    };
  }

  /** The last messages about groups. Any replica answers, and one may be behind. */
  async #complete(): Promise<StoredMessage[]> {
    const known = [...this.#sequences];
    for (let tries = 0; tries < replicaRetries; tries++) {
      if (tries > 0) await pause(replicaRetryMs);
      const offsets = await this.#stream.lastOfSubjects('g.>');
      const messages = [...offsets, ...(await this.#stream.lastOfSubjects('h.*'))];
      const found = new Map(messages.map(({ subject, sequence }) => [subject, sequence]));
      if (known.every(([subject, sequence]) => (found.get(subject) ?? 0) >= sequence)) return messages;
    }
    throw new StoreUnavailableError('failed', 'no replica has all that groups have committed');
  }

  async saveOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void> {
    const saved = offsets.map((offset) => this.#write(offsetSubject(group, offset), { group, ...offset }));
    await Promise.all(saved);
    for (const offset of offsets) this.#keep(group, offset);
  }

  async deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<void> {
    const kept = this.#offsets.get(group);
    const gone = partitions.filter((place) => kept?.has(placeKey(place)));
    await Promise.all(
      gone.map(({ topic, partition }) =>
        this.#write(offsetSubject(group, { topic, partition }), { group, topic, partition }),
      ),
    );
    for (const place of gone) kept?.delete(placeKey(place));
    if (kept?.size === 0) this.#offsets.delete(group);
  }

  async saveMembers(group: string, members: Uint8Array | undefined): Promise<void> {
    if (members === undefined && !this.#members.has(group)) return;
    const record =
      members === undefined ? { group } : { group, members: Buffer.from(members).toString('base64') };
    await this.#write(`h.${digestOf(group)}`, record);
    if (members === undefined) this.#members.delete(group);
    else this.#members.set(group, members.slice());
  }

  async delete(group: string): Promise<void> {
    const offsets = [...(this.#offsets.get(group)?.values() ?? [])];
    await Promise.all([this.deleteOffsets(group, offsets), this.saveMembers(group, undefined)]);
  }

  /** A topic is gone: what groups committed for it goes too. */
  async forgetTopic(topic: string): Promise<void> {
    for (const [group, offsets] of [...this.#offsets]) {
      const gone = [...offsets.values()].filter((offset) => offset.topic === topic);
      if (gone.length > 0) await this.deleteOffsets(group, gone);
    }
  }

  #keep(group: string, offset: GroupOffset): void {
    const offsets = this.#offsets.get(group) ?? new Map<string, GroupOffset>();
    offsets.set(placeKey(offset), offset);
    this.#offsets.set(group, offsets);
  }

  /** What no server takes must not get to the writer of the shard, which would try it again and again, and all that is behind it. */
  async #write(subject: string, record: OffsetRecord | MembersRecord): Promise<void> {
    const body = Buffer.from(JSON.stringify(record));
    checkBatchSize(body.length, this.#stream.maxBodyBytes, 'record of a group');
    await this.#shard.saveGroup(subject, body);
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

/** Whether a message of the shard is one of these. */
export function isGroupSubject(subject: string): boolean {
  return subject.startsWith('g.') || subject.startsWith('h.');
}
