import { maxStoredGroupBytes } from '../limits/groups.ts';
import type { LogStore } from '../store/log-store.ts';
import type { Group } from './group.ts';
import { writeGroup } from './group-record.ts';

/** The part of the store that keeps groups. */
export type MemberStore = Pick<LogStore, 'saveGroupMembers' | 'limits'>;

/**
 * Keeps in the store who is in which group. A group is written as it is when its turn has come, one write at a time:
 * whatever changes while one is under way goes with the next.
 */
export class KeptGroups {
  readonly #store: MemberStore;
  readonly #get: (groupId: string) => Group | undefined;
  /** Groups that the store may have. */
  readonly #stored = new Set<string>();
  /** Writes that have begun. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Writes that wait for those. */
  readonly #next = new Map<string, Promise<void>>();
  /** Groups whose last write was refused. */
  readonly #refused = new Set<string>();
  #isClosed = false;

  /**
   * @param get the group of this name as it is now.
   * @param stored the groups that the store has.
   */
  constructor(store: MemberStore, get: (groupId: string) => Group | undefined, stored: Iterable<string>) {
    this.#store = store;
    this.#get = get;
    for (const groupId of stored) this.#stored.add(groupId);
  }

  /** Resolves when the store has the group as it is now, or that it is no more. Rejects with the store's error. */
  keep(groupId: string): Promise<void> {
    const waiting = this.#next.get(groupId);
    if (waiting !== undefined) return waiting;
    const before = this.#underWay.get(groupId) ?? Promise.resolve();
    const keeping = before
      .catch(() => {})
      .then(() => {
        this.#next.delete(groupId);
        return this.#write(groupId);
      });
    this.#next.set(groupId, keeping);
    return keeping;
  }

  /** Has the store told of the group as it is now; what it refuses is written when it has recovered. */
  note(groupId: string): void {
    if (this.#get(groupId) === undefined && !this.#stored.has(groupId)) return;
    this.keep(groupId).catch(() => {});
  }

  /** Resolves when what was to be kept so far is in the store, or was refused. */
  async settled(groupId: string): Promise<void> {
    await (this.#next.get(groupId) ?? this.#underWay.get(groupId))?.catch(() => {});
  }

  /** Writes nothing more: what is in the store is to be found there at the next start. */
  close(): void {
    this.#isClosed = true;
  }

  /** The store works again: what it refused is written now, and what it lost if it had to begin with an empty file. */
  catchUp(found: ReadonlyMap<string, unknown>): void {
    for (const groupId of this.#stored) if (!found.has(groupId)) this.#refused.add(groupId);
    for (const groupId of this.#refused) this.note(groupId);
  }

  async #write(groupId: string): Promise<void> {
    if (this.#isClosed) throw new Error('groups are kept no longer');
    const group = this.#get(groupId);
    const record = group === undefined ? undefined : writeGroup(group.record());
    const maxBytes = Math.min(maxStoredGroupBytes, this.#store.limits?.maxGroupBytes ?? maxStoredGroupBytes);
    if (record !== undefined && record.length > maxBytes) throw new GroupTooLargeError(record.length);
    this.#stored.add(groupId);
    const writing = this.#store.saveGroupMembers(groupId, record);
    this.#underWay.set(groupId, writing);
    try {
      await writing;
      this.#refused.delete(groupId);
      if (record === undefined) this.#stored.delete(groupId);
    } catch (error) {
      this.#refused.add(groupId);
      throw error;
    } finally {
      if (this.#underWay.get(groupId) === writing) this.#underWay.delete(groupId);
    }
  }
}

/** A group has more to keep than it may. */
export class GroupTooLargeError extends Error {
  override readonly name = 'GroupTooLargeError';
  readonly bytes: number;

  constructor(bytes: number) {
    super(`a group of ${bytes} bytes is too large to be kept`);
    this.bytes = bytes;
  }
}
