import type { LogStore, StoredGroups, TopicPartition } from '../store/log-store.ts';
import type { OffsetsByTopic } from './committed-offsets.ts';
import { Coordinator, type CoordinatorParts } from './coordinator.ts';
import { refusedJoin } from './group.ts';
import type {
  CommitRequest,
  GroupDescription,
  GroupError,
  GroupLag,
  GroupOutcome,
  HeartbeatRequest,
  JoinRequest,
  JoinResult,
  LeavingMember,
  ListedGroup,
  OffsetReset,
  ResetOffset,
  SyncRequest,
  SyncResult,
} from './group-types.ts';
import type { GroupClient } from './presence.ts';
import { refusedSync } from './rebalance.ts';

export interface GroupsOptions extends Omit<CoordinatorParts, 'stored' | 'store'> {
  readonly store: CoordinatorParts['store'] & Pick<LogStore, 'confirm'>;
  /** The stored state of groups; undefined while another node coordinates them. */
  readonly stored: StoredGroups | undefined;
}

/** Why this node does not coordinate groups. */
export type Absence = Extract<GroupError, 'notCoordinator' | 'coordinatorLoadInProgress'>;

/**
 * Consumer groups. This is Kafka's classic group protocol without its wire format. One node of a cluster coordinates all of
 * them; the store says when this one begins and ends to do so. Everywhere else they are refused, so that their clients ask
 * for the coordinator.
 */
export class Groups {
  readonly #options: GroupsOptions;
  readonly #endEvents: () => void;
  #coordinator: Coordinator | undefined;
  #absence: Absence = 'notCoordinator';

  constructor(options: GroupsOptions) {
    this.#options = options;
    if (options.stored !== undefined) this.#begin(options.stored);
    this.#endEvents = options.store.onEvent((event) => {
      if (event.kind !== 'groups') return;
      this.#end(event.groups === 'loading' ? 'coordinatorLoadInProgress' : 'notCoordinator');
      if (typeof event.groups === 'object') this.#begin(event.groups);
    });
  }

  /** Why groups are refused here; undefined where this node coordinates them. */
  get absence(): Absence | undefined {
    return this.#coordinator === undefined ? this.#absence : undefined;
  }

  /** Refuses who waits, and whoever comes. */
  close(): void {
    this.#endEvents();
    this.#coordinator?.close();
  }

  /** {@link Coordinator.join} */
  join(request: JoinRequest, client: GroupClient): Promise<JoinResult> {
    const refuse = () => Promise.resolve(refusedJoin(this.#absence, request.memberId));
    return this.#coordinator?.join(request, client) ?? refuse();
  }

  /** {@link Coordinator.sync} */
  sync(request: SyncRequest, client: GroupClient): Promise<SyncResult> {
    return this.#coordinator?.sync(request, client) ?? Promise.resolve(refusedSync(this.#absence));
  }

  /** {@link Coordinator.heartbeat} */
  heartbeat(request: HeartbeatRequest, client: GroupClient): GroupOutcome {
    return this.#coordinator?.heartbeat(request, client) ?? this.#absence;
  }

  /** {@link Coordinator.leave} */
  async leave(
    groupId: string,
    leaving: readonly LeavingMember[],
  ): Promise<readonly GroupOutcome[] | GroupError> {
    return this.#coordinator?.leave(groupId, leaving) ?? this.#absence;
  }

  /** {@link Coordinator.describe}; undefined where another node coordinates it too. */
  describe(groupId: string): GroupDescription | undefined {
    return this.#coordinator?.describe(groupId);
  }

  /** Those that this node coordinates. */
  list(): ListedGroup[] {
    return this.#coordinator?.list() ?? [];
  }

  /** {@link Coordinator.delete} */
  async delete(groupId: string): Promise<GroupOutcome> {
    return this.#coordinator?.delete(groupId) ?? this.#absence;
  }

  /** {@link Coordinator.commit} */
  async commit(request: CommitRequest, client: GroupClient): Promise<readonly GroupOutcome[]> {
    return this.#coordinator?.commit(request, client) ?? request.offsets.map(() => this.#absence);
  }

  /**
   * {@link Coordinator.offsets}. A member that is told of no offset begins at an end of the log, so a node that was replaced
   * and does not know it yet must not say that: the store is asked first whether this one still coordinates. What the member before
   * it has committed may be on its way to such a store for seconds, and is waited for.
   */
  async offsets(groupId: string, isStable: boolean): Promise<OffsetsByTopic | GroupError> {
    const coordinator = this.#coordinator;
    if (coordinator === undefined) return this.#absence;
    const { store } = this.#options;
    if (store.confirm !== undefined) {
      const isConfirmed = await store.confirm('groups').then(
        () => true,
        () => false,
      );
      if (!isConfirmed) return 'notCoordinator';
    }
    const offsets = await coordinator.offsets(groupId, isStable || store.confirm !== undefined);
    return coordinator === this.#coordinator ? offsets : this.#absence;
  }

  /** {@link Coordinator.deleteOffsets} */
  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly GroupOutcome[] | GroupError> {
    return this.#coordinator?.deleteOffsets(groupId, partitions) ?? this.#absence;
  }

  /** {@link Coordinator.lagOf}; undefined where another node coordinates it too. */
  lagOf(groupId: string): GroupLag | undefined {
    return this.#coordinator?.lagOf(groupId);
  }

  /** {@link Coordinator.resetOffsets} */
  async resetOffsets(groupId: string, reset: OffsetReset): Promise<readonly ResetOffset[] | GroupError> {
    return this.#coordinator?.resetOffsets(groupId, reset) ?? this.#absence;
  }

  /** A topic was deleted, and with it what the store kept for it. */
  forgetTopic(topic: string): void {
    this.#coordinator?.forgetTopic(topic);
  }

  /** {@link Coordinator.sweep} */
  async sweep(nowMs: number): Promise<void> {
    await this.#coordinator?.sweep(nowMs);
  }

  #begin(stored: StoredGroups): void {
    this.#coordinator = new Coordinator({ ...this.#options, stored });
  }

  #end(absence: Absence): void {
    this.#absence = absence;
    this.#coordinator?.close();
    this.#coordinator = undefined;
  }
}
