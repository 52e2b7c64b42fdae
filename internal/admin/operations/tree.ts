import { shownValueBytes } from '../../limits/admin.ts';
import { isInternalTopic, liveTopicOf } from '../../log/names.ts';
import type { BrokerParts, Caller } from '../operation.ts';
import { defineOperation, flag, listOf, number, objectOf, text, time } from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery } from '../pages.ts';
import { eachInSlices } from '../slices.ts';
import { type LevelChild, LevelPage } from './level-page.ts';
import { logSize, newestRecordAt } from './logs.ts';
import { maySee } from './visible.ts';

interface TreeQuery extends PageQuery {
  readonly under?: string;
}

const CHILD = objectOf(
  {
    name: { ...text, description: 'The level; it may be empty.' },
    ...{ topic: text, hasChildren: flag, retained: flag },
    lastPublishedAt: { ...time, description: 'Of the newest record in its log, as that says of itself.' },
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
    await eachInSlices(parts.broker.routes.topics(), (topic) => level.add(topic));
    await eachInSlices(parts.logs?.topics() ?? [], (log) => {
      if (isInternalTopic(log.name)) return;
      const child = level.add(liveTopicOf(log.name));
      if (child === undefined) return;
      child.log = { name: log.name, ...logSize(log) };
      child.lastPublishedAt = newestRecordAt(log);
    });
    const { children, next } = level.page();
    return { under, children: children.map((child) => withValue(child, parts, caller)), next };
  },
});

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
