import { BatchBuilder } from '../../../batch/build.ts';
import { emptyBatch } from '../../../batch/empty-batch.ts';
import { grpcBatchBytes } from '../../../limits/grpc.ts';
import type { Logs, TopicLog } from '../../../log/logs.ts';
import { isInternalTopic } from '../../../log/names.ts';
import { KEPT_FOR_EVER } from '../../../log/topic-configs.ts';
import { FIRST_OFFSET, servedPartition } from '../smq/topics.ts';
import { OriginalDatabase, type OriginalTopic } from './original-database.ts';

/** The progress of a takeover. */
export interface ImportProgress {
  topic: string;
  /** Messages of this topic that are taken over. */
  done: number;
  /** Messages that this topic has. */
  of: number;
}

/** The fate of a topic: taken over now, before, or not at all because another log or Kafka has its name. */
export interface ImportedTopic {
  topic: string;
  outcome: 'imported' | 'before' | 'taken';
  messages: number;
}

/**
 * Takes the topics of a database of the original SMQ over, with their offsets and times. The file stays as it is. Each
 * topic is taken over once, whatever comes after; one that was broken off is finished.
 *
 * @throws Error where the file cannot be read; StoreUnavailableError.
 */
export async function importSmq(
  file: string,
  logs: Logs,
  onProgress: (progress: ImportProgress) => void = () => {},
): Promise<ImportedTopic[]> {
  const database = new OriginalDatabase(file);
  try {
    const imported: ImportedTopic[] = [];
    for (const original of database.topics()) {
      imported.push(await importTopic(database, original, logs, onProgress));
    }
    return imported;
  } finally {
    database.close();
  }
}

/** The config of a log that says where it came from, and whether all of it has. */
export const IMPORT_CONFIG = 'tinymq.imported';
const RUNNING = 'smq, unfinished';
const DONE = 'smq';

async function importTopic(
  database: OriginalDatabase,
  original: OriginalTopic,
  logs: Logs,
  onProgress: (progress: ImportProgress) => void,
): Promise<ImportedTopic> {
  const { name, messages } = original;
  if (isInternalTopic(name)) return { topic: name, outcome: 'taken', messages };
  const known = logs.topic(name);
  const state = known?.configs[IMPORT_CONFIG];
  if (state === DONE) return { topic: name, outcome: 'before', messages };
  if (known !== undefined && state !== RUNNING) return { topic: name, outcome: 'taken', messages };
  const topic = known ?? (await logs.createTopic(name, 1, { ...KEPT_FOR_EVER, [IMPORT_CONFIG]: RUNNING }));
  await copyMessages(database, original, topic, onProgress);
  await logs.setConfig(topic, IMPORT_CONFIG, DONE);
  return { topic: name, outcome: 'imported', messages };
}

async function copyMessages(
  database: OriginalDatabase,
  original: OriginalTopic,
  topic: TopicLog,
  onProgress: (progress: ImportProgress) => void,
): Promise<void> {
  const partition = servedPartition(topic);
  const builder = new BatchBuilder();
  const { name, messages: of, lastOffset } = original;
  let done = 0;
  let next = partition.highWatermark;
  let maxTimestamp = -1;

  async function write(): Promise<void> {
    const { count } = builder;
    if (count === 0) return;
    await partition.append({ bytes: builder.finish(), count, maxTimestamp });
    done += count;
    onProgress({ topic: name, done, of });
    maxTimestamp = -1;
  }

  /** Offsets of messages that were deleted there stay unused here too. */
  async function skipTo(offset: number): Promise<void> {
    await write();
    const isBeginning = partition.highWatermark === partition.firstOffset;
    for (; next < offset; next = partition.highWatermark) await partition.append(emptyBatch(offset - next));
    if (isBeginning) await partition.deleteUntil(offset);
  }

  for (const { offset, timestamp, data } of database.messages(name, next)) {
    const logOffset = offset - FIRST_OFFSET;
    if (logOffset > next) await skipTo(logOffset);
    else if (builder.sizeBytes + data.length > grpcBatchBytes) await write();
    builder.append(timestamp, null, 0, 0, data, 0, data.length);
    maxTimestamp = Math.max(maxTimestamp, timestamp);
    next++;
  }
  await write();
  if (next < lastOffset) await skipTo(lastOffset);
}
