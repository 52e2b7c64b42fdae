import { statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { TopicLog } from '../../../log/logs.ts';
import { describeLogDirs } from '../../../protocol/kafka/apis/35-describe-log-dirs.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { RequestOf } from '../../../protocol/kafka/schema.ts';
import { storeError } from '../errors.ts';
import { defineHandler, type KafkaParts } from '../handler.ts';
import { topicsByName } from '../topics.ts';

type Request = RequestOf<typeof describeLogDirs>;

export const describeLogDirsHandler = defineHandler(
  describeLogDirs,
  async (request, { parts }) => {
    const { dataDir } = parts.settings;
    const logDir = dataDir === undefined ? 'memory' : resolve(dataDir);
    const space = dataDir === undefined ? UNKNOWN_SPACE : await spaceOf(dataDir);
    try {
      const topics = wanted(request, parts).map(sizesOf);
      return {
        errorCode: KafkaErrorCode.none,
        results: [{ errorCode: KafkaErrorCode.none, logDir, topics, ...space }],
      };
    } catch (error) {
      const { errorCode } = storeError(error);
      return { errorCode: KafkaErrorCode.none, results: [{ errorCode, logDir, topics: [], ...space }] };
    }
  },
  { first: { need: 'describe broker', refused: ({ errorCode }) => ({ errorCode, results: [] }) } },
);

interface Wanted {
  topic: TopicLog;
  partitions: readonly number[];
}

function wanted({ topics }: Request, parts: KafkaParts): Wanted[] {
  if (topics === null) {
    return topicsByName(parts).map((topic) => ({
      topic,
      partitions: topic.partitions.map(({ number }) => number),
    }));
  }
  const found: Wanted[] = [];
  for (const { topic: name, partitions } of topics) {
    const topic = parts.logs.topic(name);
    const known = partitions.filter((number) => topic?.partitions[number] !== undefined);
    if (topic !== undefined && known.length > 0) found.push({ topic, partitions: known });
  }
  return found;
}

function sizesOf({ topic, partitions }: Wanted) {
  const sizes = partitions.map((number) => ({
    partitionIndex: number,
    partitionSize: topic.partitions[number]!.sizeBytes,
    offsetLag: 0,
    isFutureKey: false,
  }));
  return { name: topic.name, partitions: sizes };
}

const UNKNOWN_SPACE = { totalBytes: -1, usableBytes: -1 };

async function spaceOf(folder: string) {
  try {
    const { bsize, blocks, bavail } = await statfs(folder);
    return { totalBytes: bsize * blocks, usableBytes: bsize * bavail };
  } catch {
    return UNKNOWN_SPACE;
  }
}
