import type { Deadline, DeadlineTimer } from '../lib/deadline-timer.ts';
import { idleGroupsDropEveryMs, maxGroups, maxGroupsBytes } from '../limits/groups.ts';
import { Group, type GroupMemory, groupBytes } from './group.ts';
import type { KeptGroups } from './kept-groups.ts';
import type { Rebalance } from './rebalance.ts';

/** The services that the table shares with the rest of the groups. */
export interface GroupTableParts {
  readonly deadlines: DeadlineTimer;
  readonly rebalance: Rebalance;
  readonly memory: GroupMemory;
  readonly kept: KeptGroups;
  /** Whether a group has to stay although nobody is in it. */
  readonly isKept: (groupId: string) => boolean;
}

/** All groups by their names, as many as there is room for. */
export class GroupTable {
  readonly #parts: GroupTableParts;
  readonly #groups = new Map<string, Group>();
  /** Set while it is too early to look for groups to drop again. */
  readonly #idleDropped: Deadline;

  constructor(parts: GroupTableParts) {
    this.#parts = parts;
    this.#idleDropped = parts.deadlines.add(() => {});
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId);
  }

  values(): Iterable<Group> {
    return this.#groups.values();
  }

  /** Undefined where there is no room for another one. */
  getOrAdd(groupId: string): Group | undefined {
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    if (!this.#hasRoom(groupId)) this.#dropIdle();
    return this.#hasRoom(groupId) ? this.add(groupId) : undefined;
  }

  /** Adds a group whether there is room or not: it is needed for what is kept. */
  add(groupId: string): Group {
    const { deadlines, rebalance, memory } = this.#parts;
    const group = new Group(groupId, memory, deadlines.clock, (one) => ({
      joinDeadline: deadlines.add(() => rebalance.completeJoin(one)),
      syncDeadline: deadlines.add(() => rebalance.expireSyncs(one)),
    }));
    this.#groups.set(groupId, group);
    return group;
  }

  /** Drops a group that nobody is in and nothing is kept for. */
  dropIfIdle(group: Group): void {
    if (group.state !== 'Empty' || group.pending.size > 0 || this.#parts.isKept(group.id)) return;
    this.drop(group);
  }

  drop(group: Group): void {
    if (this.#groups.get(group.id) !== group) return;
    this.#parts.rebalance.abandon(group);
    this.#groups.delete(group.id);
    group.drop();
    this.#parts.kept.note(group.id);
  }

  #hasRoom(groupId: string): boolean {
    const { memory } = this.#parts;
    return this.#groups.size < maxGroups && memory.bytes + groupBytes(groupId) <= maxGroupsBytes;
  }

  /** Makes room, but looks through all groups only now and then, however many ask for more. */
  #dropIdle(): void {
    if (this.#idleDropped.isSet) return;
    this.#idleDropped.set(idleGroupsDropEveryMs);
    for (const group of this.#groups.values()) this.dropIfIdle(group);
  }
}
