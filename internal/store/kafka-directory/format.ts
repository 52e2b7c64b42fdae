import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { buildBatch } from '../../batch/build.ts';
import { encodeMetadataRecord } from '../../protocol/kafka/cluster-metadata.ts';
import { syncDirectory } from '../sync-directory.ts';
import {
  IDENTITY_FILE,
  METADATA_TOPIC,
  namesIn,
  partitionFolder,
  segmentName,
  writeAtomically,
} from './files.ts';

/** The level of `metadata.version` of Kafka 4.0, whose records these are. */
const METADATA_LEVEL = 25;
const NODE_ID = 1;

/** Whether a folder is a log directory that is ready for topics. */
export function isFormatted(directory: string): boolean {
  return existsSync(join(directory, IDENTITY_FILE));
}

/** Whether there are partitions of topics in a folder, be it a log directory or what is left of one. */
export function hasPartitions(directory: string): boolean {
  const metadata = partitionFolder(METADATA_TOPIC, 0);
  return namesIn(directory).some((name) => /-\d+$/.test(name) && name !== metadata);
}

/**
 * Makes a folder a log directory without topics, as Kafka's `format` does: an identity, and a metadata log. The identity
 * comes last, so that after a crash there is none, and the folder is formatted anew.
 */
export async function formatKafkaDirectory(directory: string): Promise<void> {
  const metadata = join(directory, partitionFolder(METADATA_TOPIC, 0));
  await mkdir(metadata, { recursive: true, mode: 0o700 });
  const level = encodeMetadataRecord('featureLevel', 0, {
    name: 'metadata.version',
    featureLevel: METADATA_LEVEL,
  });
  const batch = buildBatch([{ timestamp: Date.now(), key: null, value: level }], { partitionLeaderEpoch: 1 });
  const handle = await open(join(metadata, `${segmentName(0)}.log`), 'w', 0o644);
  try {
    await handle.writeFile(batch);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  syncDirectory(metadata);
  syncDirectory(directory);
  const identity = { version: 1, 'cluster.id': newId(), 'node.id': NODE_ID, 'directory.id': newId() };
  const lines = Object.entries(identity).map(([key, value]) => `${key}=${value}\n`);
  await writeAtomically(join(directory, IDENTITY_FILE), lines.join(''));
}

/** As Kafka writes ids; without a dash at the beginning, which a shell would take for an option. */
function newId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}
