import type { Clock } from '../lib/clock.ts';
import type { TopicPartition } from '../store/log-store.ts';
import type { CommittedOffsets } from './committed-offsets.ts';
import type { Group } from './group.ts';
import type { GroupTable } from './group-table.ts';
import type {
  GroupError,
  GroupLag,
  NewOffset,
  OffsetReset,
  PartitionLag,
  ResetOffset,
  ResetTarget,
} from './group-types.ts';

/** The partitions that groups read, as whoever keeps them tells of them. */
export interface ReadPartitions {
  /** How many a topic has; none where there is no such topic. */
  countOf(topic: string): number;
  /** Undefined where there is no such partition. */
  endsOf(place: TopicPartition): PartitionEnds | undefined;
  /** The first offset with a record at or after a time, or the end. Asked only where there is such a partition. */
  offsetForTime(place: TopicPartition, timeMs: number): Promise<number>;
}

/** The first offset of a partition, and the one behind the last. */
export interface PartitionEnds {
  readonly first: number;
  readonly end: number;
}

/** The services that this shares with the rest of the groups. */
export interface GroupProgressParts {
  readonly table: GroupTable;
  readonly committed: CommittedOffsets;
  readonly partitions: ReadPartitions;
  /** The partitions in an assignment. May throw where that cannot be read. */
  readonly assignedPartitions: (assignment: Uint8Array) => readonly TopicPartition[];
  readonly clock: Clock;
}

/** How far groups have read, for whoever looks after them, and how that is set to something else. */
export class GroupProgress {
  readonly #parts: GroupProgressParts;

  constructor(parts: GroupProgressParts) {
    this.#parts = parts;
  }

  /** Undefined where there is no such group. */
  lagOf(groupId: string): GroupLag | undefined {
    const { table, committed } = this.#parts;
    const group = table.get(groupId);
    if (group === undefined) return undefined;
    const readers = new Map<string, PartitionLag>();
    for (const [topic, offsets] of committed.of(groupId)) {
      for (const partition of offsets.keys()) this.#add(readers, groupId, { topic, partition });
    }
    const members = Array.from(group.members.values(), (member) => {
      const assigned = group.state === 'Stable' ? this.#assigned(member.assignment) : [];
      for (const place of assigned) this.#add(readers, groupId, place, member.id);
      const { id, instanceId, clientId, clientHost } = member;
      return { memberId: id, groupInstanceId: instanceId, clientId, clientHost, assigned };
    });
    const partitions = [...readers.values()].sort(byPlace);
    const { state, protocolType, protocolName } = group;
    return {
      ...{ groupId, state, members, partitions },
      protocolType: protocolType ?? '',
      protocolName: (state === 'Stable' ? protocolName : null) ?? '',
      lag: partitions.reduce((sum, { lag = 0 }) => sum + lag, 0),
    };
  }

  /**
   * Sets what a group has committed, or forgets it, and answers when the store has that. All of it or nothing; refused while the
   * group has members, whose next commits would undo it.
   */
  async reset(groupId: string, reset: OffsetReset): Promise<readonly ResetOffset[] | GroupError> {
    const places = this.#placesOf(groupId, reset);
    if (typeof places === 'string') return places;
    const problem = this.#problemOf(groupId, reset);
    if (problem !== undefined) return problem;
    const resolved = await Promise.all(places.map((place) => this.#resolve(place, reset.to)));
    if (resolved.includes(undefined)) return 'unknownTopicOrPartition';
    const offsets = resolved as ResetOffset[];
    // Somebody may have joined meanwhile.
    const late = this.#problemOf(groupId, reset);
    return late ?? (await this.#save(groupId, offsets)) ?? offsets;
  }

  #placesOf(groupId: string, { places }: OffsetReset): readonly TopicPartition[] | GroupError {
    const { committed, partitions, table } = this.#parts;
    if (groupId === '') return 'invalidGroupId';
    if (places === undefined) {
      if (table.get(groupId) === undefined) return 'groupIdNotFound';
      return Array.from(committed.of(groupId), ([topic, offsets]) =>
        Array.from(offsets.keys(), (partition) => ({ topic, partition })),
      ).flat();
    }
    if (places.some(({ topic }) => partitions.countOf(topic) === 0)) return 'unknownTopicOrPartition';
    const all = places.flatMap(({ topic, partition }) =>
      partition !== undefined
        ? { topic, partition }
        : Array.from({ length: partitions.countOf(topic) }, (_, number) => ({ topic, partition: number })),
    );
    return [...new Map(all.map((place) => [keyOf(place), place])).values()];
  }

  #problemOf(groupId: string, { to }: OffsetReset): GroupError | undefined {
    const group = this.#parts.table.get(groupId);
    if (group !== undefined && group.state !== 'Empty') return 'nonEmptyGroup';
    const isWrong = to.kind === 'offset' && !(Number.isSafeInteger(to.offset) && to.offset >= 0);
    return isWrong ? 'offsetOutOfRange' : undefined;
  }

  /** Undefined where there is no such partition. An offset that the log does not have becomes the nearest that it has. */
  async #resolve(place: TopicPartition, to: ResetTarget): Promise<ResetOffset | undefined> {
    const ends = this.#parts.partitions.endsOf(place);
    if (to.kind === 'none') return { ...place, offset: undefined };
    if (ends === undefined) return undefined;
    const { first, end } = ends;
    switch (to.kind) {
      case 'earliest':
        return { ...place, offset: first };
      case 'latest':
        return { ...place, offset: end };
      case 'offset':
        return { ...place, offset: Math.min(Math.max(to.offset, first), end) };
      case 'time':
        return { ...place, offset: await this.#parts.partitions.offsetForTime(place, to.timeMs) };
    }
  }

  async #save(groupId: string, offsets: readonly ResetOffset[]): Promise<GroupError | undefined> {
    const { committed, table, clock } = this.#parts;
    if (offsets.length === 0) return undefined;
    if (table.getOrAdd(groupId) === undefined) return 'groupMaxSizeReached';
    const asked = offsets.map(({ topic, partition, offset }): NewOffset => {
      return { ...{ topic, partition, leaderEpoch: -1, metadata: '' }, offset: offset ?? NO_OFFSET };
    });
    const outcome = await committed
      .commit(groupId, asked, clock.now())
      .catch((): GroupError => 'coordinatorNotAvailable');
    this.#dropIfIdle(groupId);
    return outcome === 'none' ? undefined : outcome;
  }

  /** A group of which nothing is left, as with one that was made for what could not be kept. */
  #dropIfIdle(groupId: string): void {
    const { table } = this.#parts;
    const group: Group | undefined = table.get(groupId);
    if (group !== undefined) table.dropIfIdle(group);
  }

  #add(into: Map<string, PartitionLag>, groupId: string, place: TopicPartition, memberId?: string): void {
    const { committed, partitions } = this.#parts;
    const commit = committed.get(groupId, place);
    const ends = partitions.endsOf(place);
    const lag =
      commit === undefined || ends === undefined ? undefined : Math.max(0, ends.end - commit.offset);
    into.set(keyOf(place), {
      ...{ topic: place.topic, partition: place.partition, memberId, lag },
      ...{ committed: commit?.offset, committedAtMs: commit?.committedAtMs },
      ...{ first: ends?.first, end: ends?.end },
    });
  }

  /** Nothing where a member cannot be understood: it may speak another protocol than that of consumers. */
  #assigned(assignment: Uint8Array): readonly TopicPartition[] {
    if (assignment.length === 0) return [];
    try {
      return this.#parts.assignedPartitions(assignment);
    } catch {
      return [];
    }
  }
}

/** In a commit: there shall be none any more. */
const NO_OFFSET = -1;

function keyOf({ topic, partition }: TopicPartition): string {
  return `${partition}/${topic}`;
}

function byPlace(one: TopicPartition, other: TopicPartition): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1;
  return one.partition - other.partition;
}
