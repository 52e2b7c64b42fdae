/** Kafka log directories made by hand, for tests. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildBatch } from '../../internal/batch/build.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_END,
  BatchHeader,
  sealBatch,
  writeBatchHeader,
} from '../../internal/batch/record-batch.ts';
import { encodeMetadataRecord } from '../../internal/protocol/kafka/cluster-metadata.ts';
import { verifyKafkaDirectories } from '../../internal/store/kafka-directory/verify.ts';
import type { NewBatch } from '../../internal/store/log-store.ts';
import { endOf } from './end-of.ts';

export interface HandmadeTopic {
  name: string;
  /** 22 characters of base64url. */
  topicId: string;
  partitionCount: number;
}

/** What `tinymq verify` says of a directory that nobody has. */
export async function damageIn(directory: string): Promise<string[]> {
  return (await endOf(verifyKafkaDirectories([directory]))).problems;
}

/** Writes what Kafka writes when it formats a directory and creates topics: no more than is needed to read it. */
export function writeKafkaDirectory(directory: string, topics: HandmadeTopic[] = []): void {
  const metadata = join(directory, '__cluster_metadata-0');
  mkdirSync(metadata, { recursive: true });
  writeFileSync(
    join(directory, 'meta.properties'),
    '#\n#Thu Jan 01 00:00:00 UTC 1970\nversion=1\ncluster.id=hpLIL_4GSmG9tvJRDMPDfQ\nnode.id=1\ndirectory.id=alPWeOqAWV2C7QCsDADygg\n',
  );
  const records = [
    encodeMetadataRecord('featureLevel', 0, { name: 'metadata.version', featureLevel: 30 }),
    ...topics.flatMap(({ name, topicId, partitionCount }) => [
      encodeMetadataRecord('topic', 0, { name, topicId }),
      ...Array.from({ length: partitionCount }, (_, partitionId) =>
        encodeMetadataRecord('partition', 1, { ...ONE_REPLICA, partitionId, topicId }),
      ),
    ]),
  ];
  const values = records.map((value) => ({ timestamp: 1_700_000_000_000, key: null, value }));
  writeFileSync(join(metadata, `${'0'.repeat(20)}.log`), buildBatch(values, { partitionLeaderEpoch: 1 }));
}

/** A batch whose header says what the batch does; its records are no records, only these bytes. */
export function asRecordBatch(batch: NewBatch): NewBatch {
  const bytes = new Uint8Array(Math.max(BATCH_HEADER_BYTES, batch.bytes.length));
  bytes.set(batch.bytes);
  const header = new BatchHeader();
  header.baseOffset = batch.baseOffset;
  header.batchLength = bytes.length - BATCH_LENGTH_END;
  header.lastOffsetDelta = batch.lastOffset - batch.baseOffset;
  header.baseTimestamp = header.maxTimestamp = batch.maxTimestamp;
  header.producerId = header.producerEpoch = header.baseSequence = -1;
  header.recordCount = batch.count;
  writeBatchHeader(bytes, 0, header);
  sealBatch(bytes, 0);
  return { ...batch, bytes };
}

const ONE_REPLICA = {
  replicas: [1],
  isr: [1],
  removingReplicas: [],
  addingReplicas: [],
  leader: 1,
  leaderEpoch: 0,
  partitionEpoch: 0,
  directories: ['alPWeOqAWV2C7QCsDADygg'],
};
