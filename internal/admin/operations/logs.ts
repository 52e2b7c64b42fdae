import { BrokerError, quoted } from '../../errors.ts';
import { shownPartitions } from '../../limits/admin.ts';
import type { TopicLog } from '../../log/logs.ts';
import { liveTopicOf } from '../../log/names.ts';
import type { PartitionLog } from '../../log/partition-log.ts';
import {
  type BrokerParts,
  type Caller,
  defineOperation,
  listOf,
  number,
  objectOf,
  recordOf,
  text,
  time,
} from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery, pageOf, SEARCH, searched } from '../pages.ts';
import type { LogParts } from './records.ts';
import { maySee } from './visible.ts';

interface LogsQuery extends PageQuery {
  readonly search?: string;
}

const LOG = {
  ...{ name: text, partitions: number },
  topic: { ...text, description: 'The live topic that is called after it.' },
  records: {
    ...number,
    description: 'Offsets from the first to the last; compaction may have taken some of them.',
  },
  ...{ bytes: number, createdAt: time },
};

const PARTITION = {
  ...{ partition: number, firstOffset: number, nextOffset: number, bytes: number },
  leader: {
    type: ['number', 'null'],
    description: 'The node that gives offsets in it and delivers what is appended; null while there is none.',
  },
};

export const listLogs = defineOperation({
  ...{
    name: 'logs list',
    summary: 'Shows the logs: the topics of Kafka clients, and live topics that are kept.',
  },
  ...{ method: 'GET', path: '/logs', needs: undefined },
  query: objectOf({ ...PAGE_QUERY, search: SEARCH }, []),
  answer: objectOf({ logs: listOf(objectOf(LOG)), next: PAGE_ANSWER.next! }, ['logs']),
  async run({ logs }: BrokerParts, { search, ...page }: LogsQuery, caller: Caller) {
    const { items, next } = await pageOf(logs?.topics() ?? [], page, {
      keyOf: ({ name }) => [name],
      isWanted: ({ name }) => searched(search, name),
      isShown: ({ name }) => maySee(caller, liveTopicOf(name)),
    });
    return { logs: items.map(shownLog), next };
  },
});

export const showLog = defineOperation({
  ...{ name: 'logs show', summary: 'Shows a log with its partitions and its settings.' },
  ...{ method: 'GET', path: '/logs/:name' },
  needs: {
    action: 'describe',
    resource: ({ name }: { name: string }) => ({ kind: 'topic', name: liveTopicOf(name) }),
  },
  parameters: objectOf({ name: text }),
  answer: objectOf({
    ...LOG,
    settings: { ...recordOf(text), description: 'As they were set for it, in the words of Kafka.' },
    partitions: {
      ...listOf(objectOf(PARTITION)),
      description: `At most ${shownPartitions} of them.`,
    },
    partitionCount: number,
  }),
  async run({ logs, nodes }: LogParts, { name }: { name: string }) {
    const log = logs?.topic(name);
    if (log === undefined) throw new BrokerError('no-such-object', `there is no log ${quoted(name)}`);
    const self = nodes?.().self;
    return {
      ...shownLog(log),
      settings: { ...log.configs },
      partitions: log.partitions.slice(0, shownPartitions).map((partition) => ({
        partition: partition.number,
        firstOffset: partition.firstOffset,
        nextOffset: partition.highWatermark,
        bytes: partition.sizeBytes,
        leader: leaderIn(partition, self),
      })),
      partitionCount: log.partitions.length,
    };
  },
});

function leaderIn({ leader }: PartitionLog, self: number | undefined): number | null {
  if (leader === 'here') return self ?? null;
  return leader === 'nobody' ? null : leader;
}

function shownLog(log: TopicLog) {
  const { name, createdAtMs } = log;
  return { name, topic: liveTopicOf(name), ...logSize(log), createdAt: new Date(createdAtMs).toISOString() };
}

/** How much is in a log. */
export function logSize({ partitions }: TopicLog): { partitions: number; records: number; bytes: number } {
  let [records, bytes] = [0, 0];
  for (const { firstOffset, highWatermark, sizeBytes } of partitions) {
    records += highWatermark - firstOffset;
    bytes += sizeBytes;
  }
  return { partitions: partitions.length, records, bytes };
}

/** The last millisecond that the format of dates has. */
const LAST_TIME_MS = 8.64e15;

/** When the newest record of a log says that it was made; undefined where none says a time. */
export function newestRecordAt({ partitions }: TopicLog): string | undefined {
  let newestMs = -1;
  for (const { maxTimestamp } of partitions) {
    if (maxTimestamp <= LAST_TIME_MS) newestMs = Math.max(newestMs, maxTimestamp);
  }
  return newestMs < 0 ? undefined : new Date(newestMs).toISOString();
}
