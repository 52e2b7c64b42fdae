import { THE_BROKER } from '../../access/policy.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { maxImportBytes, maxImportedMessages, pageBytes } from '../../limits/admin.ts';
import { appendRecords, type PartitionEnd, type RecordForm, readRecords } from '../../live/log-records.ts';
import type { Logs, TopicLog } from '../../log/logs.ts';
import { internalTopicProblem, logNameProblem } from '../../log/names.ts';
import { topicConfigProblem, topicConfigsProblem } from '../../log/topic-configs.ts';
import {
  type BrokerParts,
  defineOperation,
  flag,
  type JsonSchema,
  listOf,
  number,
  objectOf,
  recordOf,
  text,
} from '../operation.ts';

/** What these operations work on, which a store that is not a broker's now has too. */
export interface LogParts {
  readonly logs: Logs | undefined;
  /** Undefined of a store without a broker, where nobody leads. */
  readonly nodes?: BrokerParts['nodes'];
}

const BASE64: JsonSchema = { type: 'string', enum: ['base64'] };
const NULLABLE_TEXT: JsonSchema = { type: ['string', 'null'] };
const OFFSET: JsonSchema = { type: 'integer', minimum: 0 };

const RECORD_FORM = objectOf(
  {
    ...{ topic: text, partition: OFFSET, offset: OFFSET, ts: { type: 'integer' } },
    tstype: { type: 'string', enum: ['create', 'logappend'] },
    headers: { ...listOf(NULLABLE_TEXT), description: 'Names and values in turn.' },
    ...{ key: NULLABLE_TEXT, payload: NULLABLE_TEXT },
    ...{ headersEncoding: BASE64, keyEncoding: BASE64, payloadEncoding: BASE64 },
  },
  ['topic', 'partition', 'offset', 'ts', 'key', 'payload'],
);

interface ExportQuery {
  readonly name: string;
  readonly partition?: number;
  readonly from?: number;
}

export const exportLog = defineOperation({
  ...{ name: 'logs export', summary: 'Gives records of a partition of a log, from an offset on.' },
  ...{ method: 'GET', path: '/export/logs/:name', needs: { action: 'admin', resource: THE_BROKER } },
  parameters: objectOf({ name: text }),
  query: objectOf({ partition: { ...OFFSET, default: 0 }, from: { ...OFFSET, default: 0 } }, []),
  answer: objectOf(
    {
      records: listOf(RECORD_FORM),
      next: { ...OFFSET, description: 'Where to go on; not there at the end.' },
      end: { ...OFFSET, description: 'Behind the last record that can be read now.' },
      damaged: {
        ...objectOf({ first: OFFSET, last: OFFSET }),
        description: 'Offsets of a batch that is damaged on the disk, and was left out.',
      },
    },
    ['records', 'end'],
  ),
  async run({ logs }: LogParts, { name, partition: index = 0, from = 0 }: ExportQuery) {
    const log = demandLog(logs, name);
    const partition = log.partitions[index];
    if (partition === undefined) {
      throw new BrokerError('no-such-object', `log ${quoted(name)} has no partition ${index}`);
    }
    const read = await readRecords(log, partition, from, pageBytes);
    return { ...read, end: partition.readableEnd('committed') };
  },
});

interface ImportInput {
  readonly name: string;
  readonly partitions?: number;
  readonly settings?: Readonly<Record<string, string>>;
  readonly keepOffsets?: boolean;
  readonly ends?: readonly PartitionEnd[];
  readonly records: readonly RecordForm[];
}

export const importLog = defineOperation({
  ...{ name: 'logs import', summary: 'Appends records to a log, with the times that they have.' },
  ...{ method: 'POST', path: '/import/logs/:name', needs: { action: 'admin', resource: THE_BROKER } },
  parameters: objectOf({ name: text }),
  maxBodyBytes: maxImportBytes,
  body: objectOf(
    {
      records: { ...listOf(RECORD_FORM), maxItems: maxImportedMessages },
      partitions: {
        type: 'integer',
        minimum: 1,
        description: 'Creates a log with so many where there is none.',
      },
      settings: { ...recordOf(text), description: 'Of the log that is created.' },
      keepOffsets: { ...flag, description: 'Records get the offsets that they have, which must be free.' },
      ends: {
        ...listOf(objectOf({ partition: OFFSET, nextOffset: OFFSET })),
        description: 'Where partitions end at least, with keepOffsets: offsets before that stay unused.',
      },
    },
    ['records'],
  ),
  answer: objectOf({ imported: number }),
  async run(
    { logs }: LogParts,
    { name, partitions, settings = {}, keepOffsets = false, ends, records }: ImportInput,
  ) {
    if (logs === undefined) throw new BrokerError('no-such-object', 'this broker keeps nothing');
    const problem = logNameProblem(name) ?? internalTopicProblem(name) ?? settingsProblem(settings, logs);
    if (problem !== undefined) throw new BrokerError('invalid-change', problem);
    const log =
      partitions === undefined ? demandLog(logs, name) : await logs.topicOrNew(name, partitions, settings);
    return { imported: await appendRecords(log, records, keepOffsets, ends) };
  },
});

function settingsProblem(settings: Readonly<Record<string, string>>, logs: Logs): string | undefined {
  for (const [name, value] of Object.entries(settings)) {
    const problem = topicConfigProblem(name, value);
    if (problem !== undefined) return problem;
  }
  return topicConfigsProblem(settings, logs.defaults);
}

function demandLog(logs: Logs | undefined, name: string): TopicLog {
  const log = logs?.topic(name);
  if (log === undefined) throw new BrokerError('no-such-object', `there is no log ${quoted(name)}`);
  return log;
}
