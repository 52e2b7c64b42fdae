import { THE_BROKER } from '../../access/policy.ts';
import { BrokerError, type ErrorCode, quoted } from '../../errors.ts';
import type { GroupError, GroupLag, ResetTarget } from '../../groups/group-types.ts';
import type { Groups } from '../../groups/groups.ts';
import { parseStart } from '../../live/replay-filter.ts';
import { liveTopicOf } from '../../log/names.ts';
import {
  type BrokerParts,
  type Caller,
  defineOperation,
  type JsonSchema,
  listOf,
  number,
  objectOf,
  text,
  time,
} from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery, pageOf, SEARCH, searched } from '../pages.ts';
import { maySee } from './visible.ts';

interface GroupsQuery extends PageQuery {
  readonly search?: string;
}

const GROUP: Readonly<Record<string, JsonSchema>> = { id: text, state: text, protocolType: text };

export const listGroups = defineOperation({
  ...{ name: 'groups list', summary: 'Shows the consumer groups.' },
  ...{ method: 'GET', path: '/groups', needs: undefined },
  query: objectOf({ ...PAGE_QUERY, search: SEARCH }, []),
  answer: objectOf(
    { groups: listOf(objectOf({ ...GROUP, members: number, lag: number })), next: PAGE_ANSWER.next! },
    ['groups'],
  ),
  async run({ groups }: BrokerParts, { search, ...page }: GroupsQuery, caller: Caller) {
    // As with Kafka's clients, whoever may describe the broker sees all groups.
    const seesAll = caller.may('describe', THE_BROKER.kind, THE_BROKER.name);
    const { items, next } = await pageOf(groups?.list() ?? [], page, {
      keyOf: ({ groupId }) => [groupId],
      isWanted: ({ groupId }) => searched(search, groupId),
      isShown: ({ groupId }) => seesAll || caller.may('describe', 'group', groupId),
    });
    return {
      groups: items.map(({ groupId, ...facts }) => ({
        ...shown(groupId, facts),
        ...counts(groups!, groupId),
      })),
      next,
    };
  },
});

function shown(id: string, { state, protocolType }: { state: string; protocolType: string }) {
  return { id, state, protocolType };
}

function counts(groups: Groups, groupId: string): { members: number; lag: number } {
  const found = groups.lagOf(groupId);
  return { members: found?.members.length ?? 0, lag: found?.lag ?? 0 };
}

const ID = objectOf({ id: text });
const onGroup = ({ id }: { id: string }) => ({ kind: 'group', name: id }) as const;
const PLACE = { topic: text, partition: number };

export const showGroup = defineOperation({
  ...{ name: 'groups show', summary: 'Shows a group: its members, what it has committed, and its lag.' },
  ...{ method: 'GET', path: '/groups/:id', needs: { action: 'describe', resource: onGroup } },
  parameters: ID,
  answer: objectOf({
    ...{ ...GROUP, protocolName: text, lag: number },
    members: listOf(
      objectOf(
        {
          ...{ memberId: text, groupInstanceId: text, clientId: text, clientHost: text },
          assigned: listOf(objectOf(PLACE)),
        },
        ['memberId', 'clientId', 'clientHost', 'assigned'],
      ),
    ),
    partitions: listOf(
      objectOf(
        {
          ...{ ...PLACE, committedOffset: number, committedAt: time, memberId: text },
          ...{ firstOffset: number, endOffset: number, lag: number },
        },
        Object.keys(PLACE),
      ),
    ),
  }),
  async run({ groups }: BrokerParts, { id }: { id: string }, caller: Caller) {
    const group = groups?.lagOf(id);
    if (group === undefined) throw refusal('groupIdNotFound', id);
    return shownGroup(id, group, caller);
  },
});

/** A group as far as somebody may know of the topics that it reads. */
function shownGroup(id: string, group: GroupLag, caller: Caller) {
  const mayKnow = ({ topic }: { topic: string }) => maySee(caller, liveTopicOf(topic));
  const partitions = group.partitions.filter(mayKnow);
  return {
    ...{ ...shown(id, group), protocolName: group.protocolName },
    lag: partitions.reduce((sum, { lag = 0 }) => sum + lag, 0),
    members: group.members.map(({ memberId, groupInstanceId, clientId, clientHost, assigned }) => ({
      ...{ memberId, groupInstanceId: groupInstanceId ?? undefined, clientId, clientHost },
      assigned: assigned.filter(mayKnow).map(({ topic, partition }) => ({ topic, partition })),
    })),
    partitions: partitions.map(
      ({ topic, partition, committed, committedAtMs, memberId, first, end, lag }) => ({
        ...{ topic, partition, committedOffset: committed, memberId, lag },
        ...{ firstOffset: first, endOffset: end },
        committedAt: committedAtMs === undefined ? undefined : new Date(committedAtMs).toISOString(),
      }),
    ),
  };
}

/** Sets what a group has committed. */
export interface ResetInput {
  readonly id: string;
  readonly to: string;
  readonly topic?: string;
  readonly partition?: number;
}

export const resetGroup = defineOperation({
  ...{
    name: 'groups reset',
    summary: 'Sets what a group without members has committed; all of it or nothing.',
  },
  ...{ method: 'POST', path: '/groups/:id/offsets', needs: { action: 'alter', resource: onGroup } },
  parameters: ID,
  body: objectOf(
    {
      to: {
        ...text,
        description:
          'earliest, latest, an offset, a time ago such as -1h, an ISO time; none forgets what was committed.',
      },
      topic: { ...text, description: 'Of this log only; else of all that the group has committed.' },
      partition: { type: 'integer', minimum: 0, description: 'Of this partition of the log only.' },
    },
    ['to'],
  ),
  answer: objectOf({
    offsets: listOf(objectOf({ ...PLACE, offset: { type: ['number', 'null'] } })),
  }),
  async run({ groups, broker }: BrokerParts, { id, to, topic, partition }: ResetInput) {
    if (groups === undefined) throw refusal('groupIdNotFound', id);
    if (topic === undefined && partition !== undefined)
      throw new BrokerError('malformed-http-request', 'a partition is one of a topic');
    const place = topic !== undefined && {
      places: [{ topic, ...(partition !== undefined && { partition }) }],
    };
    const reset = await groups.resetOffsets(id, { to: targetOf(to, broker.clock.now()), ...place });
    if (typeof reset === 'string') throw refusal(reset, id);
    return { offsets: reset.map((each) => ({ ...each, offset: each.offset ?? null })) };
  },
});

/** @throws BrokerError `malformed-http-request`. */
function targetOf(to: string, nowMs: number): ResetTarget {
  const target = to === 'none' ? ({ kind: 'none' } as const) : parseStart(to, nowMs);
  if (target !== undefined) return target;
  const rule = 'earliest, latest, none, an offset, a time ago such as -1h, or an ISO time';
  throw new BrokerError('malformed-http-request', `to is ${rule}, not ${quoted(to)}`);
}

export const removeGroup = defineOperation({
  ...{ name: 'groups remove', summary: 'Removes a group without members, with what it has committed.' },
  ...{ method: 'DELETE', path: '/groups/:id', needs: { action: 'delete', resource: onGroup } },
  parameters: ID,
  answer: objectOf({}),
  async run({ groups }: BrokerParts, { id }: { id: string }) {
    const outcome = (await groups?.delete(id)) ?? 'groupIdNotFound';
    if (outcome !== 'none') throw refusal(outcome, id);
    return {};
  },
});

/** Why something is not done to a group. */
const REFUSALS: Partial<Record<GroupError, [code: ErrorCode, why: string]>> = {
  groupIdNotFound: ['no-such-object', 'is not there'],
  invalidGroupId: ['no-such-object', 'is not there'],
  nonEmptyGroup: ['group-not-empty', 'has members'],
  unknownTopicOrPartition: ['no-such-object', 'would read a log or a partition that is not there'],
  groupMaxSizeReached: ['too-many-groups', 'would be one more than there may be'],
  invalidCommitOffsetSize: ['too-many-groups', 'would commit more than there is room for'],
  notCoordinator: ['store-unavailable', 'is coordinated by another node: ask that one'],
  coordinatorLoadInProgress: ['store-unavailable', 'is just being read'],
  coordinatorNotAvailable: ['store-unavailable', 'could not be written, or the broker stops'],
};

function refusal(error: GroupError, groupId: string): BrokerError {
  const [code, why] = REFUSALS[error] ?? ['internal-error', `was not changed: ${error}`];
  return new BrokerError(code, `the group ${quoted(groupId)} ${why}`);
}
