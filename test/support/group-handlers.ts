import type { Handler, KafkaParts } from '../../internal/doors/kafka/handler.ts';
import { joinGroupHandler } from '../../internal/doors/kafka/handlers/11-join-group.ts';
import { syncGroupHandler } from '../../internal/doors/kafka/handlers/14-sync-group.ts';
import { Throttle } from '../../internal/doors/kafka/throttle.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { aloneAs } from '../../internal/log/nodes.ts';
import { encodeAssignment, encodeSubscription } from '../../internal/protocol/kafka/consumer-protocol.ts';
import type { Api, InputOf, ValueOf } from '../../internal/protocol/kafka/schema.ts';
import { openGroups } from '../../internal/server/groups.ts';
import { TestClient } from './groups.ts';
import { askHandler } from './kafka-handlers.ts';
import { openLogs } from './logs.ts';

/** Groups beside a topic `t` with two partitions, as the handlers of the kafka door see them. */
export class GroupDoor {
  readonly parts: KafkaParts;
  readonly client = Object.assign(new TestClient(), {
    advertised: { host: 'broker', port: 9092 },
    throttle: new Throttle(systemClock, () => {}),
  });

  constructor(parts: Pick<KafkaParts, 'logs' | 'groups'>, nodes = aloneAs(1)) {
    this.parts = { ...parts, nodes } as KafkaParts;
  }

  get logs() {
    return this.parts.logs;
  }

  get groups() {
    return this.parts.groups;
  }

  get topicId(): string {
    return this.logs.topic('t')!.topicId;
  }

  /** Asks a handler, by way of the bytes of this version. */
  async ask<A extends Api>(
    handler: Handler<A>,
    version: number,
    request: InputOf<A['request']>,
  ): Promise<ValueOf<A['response']>> {
    return askHandler(handler, version, request, this);
  }

  /** A member of its own in a group, which has partition 0 of topic `t`. */
  async joined(groupId: string, groupInstanceId: string | null = null) {
    const { memberId, generationId } = await this.ask(joinGroupHandler, 5, {
      ...joinRequest(groupId),
      memberId: groupInstanceId === null ? await this.#newId(groupId) : '',
      groupInstanceId,
    });
    const assignment = encodeAssignment(0, { assignedPartitions: [{ topic: 't', partitions: [0] }] });
    await this.ask(syncGroupHandler, 3, {
      groupId,
      generationId,
      memberId,
      groupInstanceId,
      assignments: [{ memberId, assignment }],
    });
    return { groupId, memberId, generationId };
  }

  async #newId(groupId: string): Promise<string> {
    return (await this.ask(joinGroupHandler, 5, joinRequest(groupId))).memberId;
  }
}

export async function openGroupDoor(): Promise<GroupDoor> {
  const { logs, store, log } = await openLogs();
  await logs.createTopic('t', 2, {});
  const stored = { groups: new Map(), groupMembers: new Map() };
  return new GroupDoor({ logs, ...openGroups({ logs, store, stored, clock: undefined, logger: log }) });
}

/** What a consumer of topic `t` sends. */
export function joinRequest(groupId: string) {
  return {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: encodeSubscription(1, { topics: ['t'] }) }],
  };
}
