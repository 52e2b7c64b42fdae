import type { Broker } from '../../broker/broker.ts';
import { publishedAtMs, type TopicEntry } from '../../broker/routing/topic-table.ts';
import { shownValueBytes } from '../../limits/admin.ts';
import { isInternalTopic, liveTopicOf } from '../../log/names.ts';
import { isReservedTopic } from '../../topic.ts';
import type { BrokerParts, Caller } from '../operation.ts';
import { defineOperation, flag, listOf, number, objectOf, text, time } from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery, pageOf } from '../pages.ts';
import { eachInSlices } from '../slices.ts';
import { type LevelChild, LevelPage } from './level-page.ts';
import { logSize, newestRecordAt } from './logs.ts';
import { maySee } from './visible.ts';

interface TreeQuery extends PageQuery {
  readonly under?: string;
}

const PUBLISHED = { ...number, description: 'Live messages, since the broker remembers the topic.' };
const PER_SECOND = { ...number, description: 'Live messages a second in the last five to ten seconds.' };

const CHILD = objectOf(
  {
    name: { ...text, description: 'The level; it may be empty.' },
    ...{ topic: text, hasChildren: flag, retained: flag },
    lastPublishedAt: {
      ...time,
      description:
        'When the last message came, to a second; or of the newest record in its log, as that says of itself.',
    },
    ...{ published: PUBLISHED, perSecond: PER_SECOND },
    value: { ...text, description: 'The beginning of the retained message, where it is text.' },
    log: objectOf({ name: text, partitions: number, records: number, bytes: number }),
  },
  ['name', 'topic', 'hasChildren', 'retained'],
);

export const showTree = defineOperation({
  ...{ name: 'topics tree', summary: 'Shows one level of the topics that are retained, kept or in use.' },
  ...{ method: 'GET', path: '/tree', needs: undefined },
  query: objectOf(
    {
      ...PAGE_QUERY,
      under: {
        ...{ type: 'string', pattern: '^$|/$', default: '' },
        description: 'The levels above, with the slash behind them; nothing for the first level.',
      },
    },
    [],
  ),
  answer: objectOf({ under: text, children: listOf(CHILD), next: PAGE_ANSWER.next! }, ['under', 'children']),
  async run(parts: BrokerParts, { under = '', ...page }: TreeQuery, caller: Caller) {
    const level = new LevelPage(under, page, (topic) => maySee(caller, topic));
    await eachInSlices(parts.broker.retained.below(under), (topic) => {
      const child = level.add(topic);
      if (child !== undefined) child.retained = true;
    });
    await eachInSlices(parts.broker.routes.topics(), (entry) => {
      const child = level.add(entry.topic);
      if (child !== undefined) Object.assign(child, liveFacts(entry, parts.broker));
    });
    await eachInSlices(parts.logs?.topics() ?? [], (log) => {
      if (isInternalTopic(log.name)) return;
      const child = level.add(liveTopicOf(log.name));
      if (child === undefined) return;
      child.log = { name: log.name, ...logSize(log) };
      child.lastPublishedAt = later(child.lastPublishedAt, newestRecordAt(log));
    });
    const { children, next } = level.page();
    return { under, children: children.map((child) => withValue(child, parts, caller)), next };
  },
});

export const listBusiest = defineOperation({
  ...{
    name: 'topics busiest',
    summary:
      'Shows the topics to which most is published live at the moment, without those of the broker itself.',
  },
  ...{ method: 'GET', path: '/busiest', needs: undefined },
  query: objectOf({ limit: PAGE_QUERY.limit! }, []),
  answer: objectOf({
    topics: listOf(
      objectOf({
        ...{ topic: text, published: PUBLISHED, perSecond: PER_SECOND },
        lastPublishedAt: { ...time, description: 'When the last message came, to a second.' },
      }),
    ),
  }),
  async run({ broker }: BrokerParts, { limit }: Pick<PageQuery, 'limit'>, caller: Caller) {
    const { items } = await pageOf(
      broker.routes.topics(),
      { limit },
      {
        keyOf: (entry) => [-entry.perSecond(broker.routes.nowS), entry.topic],
        isWanted: ({ published, topic }) => published > 0 && !isReservedTopic(topic),
        isShown: ({ topic }) => maySee(caller, topic),
      },
    );
    return { topics: items.map((entry) => ({ topic: entry.topic, ...liveFacts(entry, broker) })) };
  },
});

/** What came to a topic live. */
function liveFacts(
  entry: TopicEntry,
  { clock, routes: { nowS } }: Broker,
): Pick<LevelChild, 'published' | 'perSecond' | 'lastPublishedAt'> {
  if (entry.published === 0) return {};
  return {
    published: entry.published,
    perSecond: entry.perSecond(nowS),
    lastPublishedAt: new Date(publishedAtMs(entry, clock)).toISOString(),
  };
}

function later(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one;
}

/** A topic with its last value, for whoever may have that. */
function withValue(child: LevelChild, { broker }: BrokerParts, caller: Caller): object {
  if (!child.retained || !caller.may('subscribe', 'topic', child.topic)) return child;
  const payload = broker.retained.get(child.topic)?.payload.subarray(0, shownValueBytes);
  // The last character may be cut, and is left out then.
  const value = new TextDecoder().decode(payload, { stream: true });
  return value.includes(NO_TEXT) ? child : { ...child, value };
}

/** What stands for bytes that are no text. */
const NO_TEXT = '\ufffd';
