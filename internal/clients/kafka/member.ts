import {
  memberHeartbeatMs,
  memberLongestJoinMs,
  memberRebalanceTimeoutMs,
  memberSessionTimeoutMs,
} from '../../limits/clients.ts';
import { joinGroup } from '../../protocol/kafka/apis/11-join-group.ts';
import { heartbeat } from '../../protocol/kafka/apis/12-heartbeat.ts';
import { leaveGroup } from '../../protocol/kafka/apis/13-leave-group.ts';
import { syncGroup } from '../../protocol/kafka/apis/14-sync-group.ts';
import {
  CONSUMER_PROTOCOL_TYPE,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../protocol/kafka/consumer-protocol.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import type { KafkaClient } from './client.ts';
import type { AnswerOf } from './connection.ts';
import type { Membership } from './groups.ts';
import { assignRanges } from './range-assignor.ts';
import { demand, KafkaRefusal } from './refusal.ts';

type Joined = AnswerOf<typeof joinGroup>;

const PROTOCOL = 'range';
const SUBSCRIPTION_VERSION = 0;
const ASSIGNMENT_VERSION = 0;

/**
 * A member of a group of consumers, with one topic. It takes part in one generation after another: {@link join}, then
 * {@link beat} until that says that there is to be a new one.
 */
export class Member {
  readonly #client: KafkaClient;
  readonly #groupId: string;
  readonly #topic: string;
  #memberId = '';
  #generationId = -1;

  constructor(client: KafkaClient, groupId: string, topic: string) {
    this.#client = client;
    this.#groupId = groupId;
    this.#topic = topic;
  }

  /** Who it is, for commits. */
  get membership(): Membership {
    return { memberId: this.#memberId, generationId: this.#generationId };
  }

  /**
   * Takes part in the next generation, which may take as long as the others need to finish what they do.
   *
   * @returns the partitions that it is given.
   * @throws KafkaRefusal where the group does not take it.
   */
  join(): Promise<number[]> {
    return this.#client.retrying(
      async () => {
        const joined = await this.#join();
        this.#generationId = joined.generationId;
        const { errorCode, assignment } = await this.#client.sendToCoordinator(
          this.#groupId,
          syncGroup,
          {
            groupId: this.#groupId,
            generationId: joined.generationId,
            memberId: this.#memberId,
            protocolType: CONSUMER_PROTOCOL_TYPE,
            protocolName: joined.protocolName,
            assignments: joined.leader === this.#memberId ? await this.#assignments(joined) : [],
          },
          { extraTimeMs: memberLongestJoinMs },
        );
        this.#demand(errorCode);
        if (assignment.length === 0) return [];
        const { assignedPartitions } = decodeAssignment(assignment);
        return assignedPartitions.flatMap(({ topic, partitions }) =>
          topic === this.#topic ? partitions : [],
        );
      },
      (error) => error.isRetriable || isNewGeneration(error),
    );
  }

  /**
   * Says that it is alive, again and again.
   *
   * @returns when there is to be a new generation, or the signal is aborted.
   * @throws KafkaRefusal
   */
  async beat(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pauseUntil(signal, memberHeartbeatMs);
      if (signal.aborted) return;
      try {
        const { errorCode } = await this.#client.sendToCoordinator(this.#groupId, heartbeat, {
          groupId: this.#groupId,
          generationId: this.#generationId,
          memberId: this.#memberId,
        });
        this.#demand(errorCode);
      } catch (error) {
        if (!(error instanceof KafkaRefusal)) throw error;
        if (isNewGeneration(error)) return;
        if (!error.isRetriable) throw error;
      }
    }
  }

  /** Leaves, so that the others need not wait until it is missed. */
  async leave(): Promise<void> {
    if (this.#memberId === '') return;
    const memberId = this.#memberId;
    this.#memberId = '';
    await this.#client.sendToCoordinator(this.#groupId, leaveGroup, {
      groupId: this.#groupId,
      memberId,
      members: [{ memberId }],
    });
  }

  async #join(): Promise<Joined> {
    const joined = await this.#client.sendToCoordinator(
      this.#groupId,
      joinGroup,
      {
        groupId: this.#groupId,
        sessionTimeoutMs: memberSessionTimeoutMs,
        rebalanceTimeoutMs: memberRebalanceTimeoutMs,
        memberId: this.#memberId,
        protocolType: CONSUMER_PROTOCOL_TYPE,
        protocols: [
          { name: PROTOCOL, metadata: encodeSubscription(SUBSCRIPTION_VERSION, { topics: [this.#topic] }) },
        ],
      },
      { extraTimeMs: memberLongestJoinMs },
    );
    if (joined.errorCode === KafkaErrorCode.memberIdRequired) {
      this.#memberId = joined.memberId;
      return this.#join();
    }
    this.#demand(joined.errorCode);
    this.#memberId = joined.memberId;
    return joined;
  }

  /** What everybody is given; the leader of a generation decides that. */
  async #assignments({ members }: Joined): Promise<{ memberId: string; assignment: Uint8Array }[]> {
    const subscribers = members.map(({ memberId, metadata }) => ({
      memberId,
      topics: decodeSubscription(metadata).topics,
    }));
    const wanted = [...new Set(subscribers.flatMap(({ topics }) => topics))].sort();
    const { topics } = await this.#client.metadata(wanted);
    const counts = new Map(topics.map(({ name, partitions }) => [name!, partitions.length]));
    return [...assignRanges(subscribers, counts)].map(([memberId, partitions]) => {
      const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
      const assignedPartitions = [...byTopic].map(([topic, own]) => ({
        topic,
        partitions: own.map(({ partition }) => partition),
      }));
      return { memberId, assignment: encodeAssignment(ASSIGNMENT_VERSION, { assignedPartitions }) };
    });
  }

  /** @throws KafkaRefusal; one who is not known any more begins as a new member. */
  #demand(errorCode: number): void {
    const isForgotten =
      errorCode === KafkaErrorCode.unknownMemberId || errorCode === KafkaErrorCode.fencedInstanceId;
    if (isForgotten) this.#memberId = '';
    demand(`group '${this.#groupId}'`, errorCode);
  }
}

/** Whether the answer says that the generation is over. */
export function isNewGeneration({ code }: KafkaRefusal): boolean {
  return (
    code === KafkaErrorCode.rebalanceInProgress ||
    code === KafkaErrorCode.illegalGeneration ||
    code === KafkaErrorCode.unknownMemberId
  );
}

function pauseUntil(signal: AbortSignal, pauseMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, pauseMs);
    signal.addEventListener('abort', end);
  });
}
