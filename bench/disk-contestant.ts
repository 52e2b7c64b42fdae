import { mkdtempSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestant.ts';
import type {
  KafkaCase,
  KafkaLatencyCase,
  KafkaManyPartitionsCase,
  KafkaProduceCase,
} from './kafka-cases.ts';
import { produceRequests } from './load/kafka/requests.ts';
import { BURSTS_PER_SECOND, burstsInTime } from './load/pace.ts';
import type { Figures } from './load/scenario.ts';
import { percentile } from './stats.ts';

/** The cases in which something is written that is to last. */
export type DiskCase = KafkaProduceCase | KafkaLatencyCase | KafkaManyPartitionsCase;

export function isDiskCase(chosen: KafkaCase): chosen is DiskCase {
  return DISK_KINDS.has(chosen.kind);
}

const DISK_KINDS: ReadonlySet<KafkaCase['kind']> = new Set([
  'kafka-produce',
  'kafka-latency',
  'kafka-many-partitions',
]);

/** As long as the broker has nothing to do before each lone record. */
const PAUSE_MS = 1;
const TOPIC = 'plain';

/** The bytes of a case, appended to a plain file and synced: nothing that keeps its promises can be faster. */
export async function diskContestant(name: string, chosen: DiskCase, folder: string): Promise<Contestant> {
  const file = new SyncedFile(await open(join(mkdtempSync(join(folder, `${name}-`)), 'file'), 'w'));
  const round = (seconds: number): Promise<Figures> => {
    switch (chosen.kind) {
      case 'kafka-produce':
        return throughput(file, chosen, seconds);
      case 'kafka-latency':
        return latency(file, chosen, seconds);
      case 'kafka-many-partitions':
        return groups(file, chosen, seconds);
    }
  };
  return { name, round, end: () => file.close() };
}

/** All that a producer has under way at once, with one sync. */
async function throughput(
  file: SyncedFile,
  { shape, inFlight }: KafkaProduceCase,
  seconds: number,
): Promise<Figures> {
  const { bytes, batchBytes, recordsPerRequest } = produceRequests(TOPIC, shape);
  const group = bytes.subarray(0, Math.min(bytes.length, batchBytes * inFlight));
  const recordsOfGroup = recordsPerRequest * Math.floor(group.length / batchBytes);
  const beganMs = performance.now();
  let records = 0;
  while (performance.now() < beganMs + seconds * 1000) {
    await file.append(group);
    records += recordsOfGroup;
  }
  const messagesPerSecond = (records * 1000) / (performance.now() - beganMs);
  return { messagesPerSecond, bytesPerSecond: messagesPerSecond * shape.recordBytes };
}

/** One record at a time. */
async function latency(
  file: SyncedFile,
  { recordBytes }: KafkaLatencyCase,
  seconds: number,
): Promise<Figures> {
  const record = loneRecord(recordBytes);
  const tookMs: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    await sleep(PAUSE_MS);
    const beganMs = performance.now();
    await file.append(record);
    tookMs.push(performance.now() - beganMs);
  }
  return acknowledged(tookMs);
}

/** Records that come all the time; those that came during one sync have the next one together. */
async function groups(
  file: SyncedFile,
  { recordBytes, partitions }: KafkaManyPartitionsCase,
  seconds: number,
): Promise<Figures> {
  const record = loneRecord(recordBytes);
  const tookMs: number[] = [];
  let cameAtMs: number[] = [];
  let writing: Promise<void> | undefined;
  const writeAll = async (): Promise<void> => {
    while (cameAtMs.length > 0) {
      const group = cameAtMs;
      cameAtMs = [];
      await file.append(Buffer.concat(group.map(() => record)));
      for (const atMs of group) tookMs.push(performance.now() - atMs);
    }
    writing = undefined;
  };
  let owed = 0;
  await burstsInTime(seconds, () => {
    owed += partitions / BURSTS_PER_SECOND;
    for (; owed >= 1; owed--) cameAtMs.push(performance.now());
    writing ??= writeAll();
  });
  await writing;
  return acknowledged(tookMs);
}

function loneRecord(recordBytes: number): Uint8Array {
  const { bytes, batchBytes } = produceRequests(TOPIC, { recordBytes, batchBytes: 0 });
  return bytes.subarray(0, batchBytes);
}

function acknowledged(tookMs: number[]): Figures {
  tookMs.sort((a, b) => a - b);
  return {
    acknowledgedP50Us: percentile(tookMs, 0.5) * 1000,
    acknowledgedP99Us: percentile(tookMs, 0.99) * 1000,
  };
}

/** A file that is appended to. */
class SyncedFile {
  readonly #handle: FileHandle;
  #sizeBytes = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#handle.write(bytes, 0, bytes.length, this.#sizeBytes);
    this.#sizeBytes += bytes.length;
    await this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
