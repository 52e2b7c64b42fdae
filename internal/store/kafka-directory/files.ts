/** The names and small files of a Kafka log directory. */
import { existsSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../sync-directory.ts';

export const METADATA_TOPIC = '__cluster_metadata';
/** Which Kafka a directory is of. */
export const IDENTITY_FILE = 'meta.properties';
export const CLEAN_SHUTDOWN_FILE = '.kafka_cleanshutdown';
export const LOG_START_FILE = 'log-start-offset-checkpoint';
export const RECOVERY_POINT_FILE = 'recovery-point-offset-checkpoint';
export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint';
export const PARTITION_METADATA_FILE = 'partition.metadata';

/** The files of a segment beside its `.log`. */
export const TRANSACTION_INDEX_SUFFIX = '.txnindex';
export const INDEX_SUFFIXES = ['.index', '.timeindex', TRANSACTION_INDEX_SUFFIX] as const;

/** The folder of a partition in a log directory. */
export function partitionFolder(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** Whether Kafka allows this name; also, whether it can be part of a path without leaving the directory. */
export function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

/** The file of a segment without its suffix. */
export function segmentName(baseOffset: number): string {
  return String(baseOffset).padStart(20, '0');
}

/** The base offset in a file's name; undefined for a file that is no segment, or not with this suffix. */
export function segmentBase(fileName: string, suffix = '.log'): number | undefined {
  if (fileName.length !== 20 + suffix.length || !fileName.endsWith(suffix)) return undefined;
  const digits = fileName.slice(0, 20);
  if (!/^\d{20}$/.test(digits)) return undefined;
  const base = Number(digits);
  return Number.isSafeInteger(base) ? base : undefined;
}

/** The values of `meta.properties`; empty texts if it is missing or lacks one. */
export interface DirectoryIdentity {
  clusterId: string;
  nodeId: string;
  directoryId: string;
}

export function readIdentity(directory: string): DirectoryIdentity {
  const text = readIfThere(join(directory, IDENTITY_FILE)) ?? '';
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*([^#!=\s][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) found.set(key, value);
  }
  return {
    clusterId: found.get('cluster.id') ?? '',
    nodeId: found.get('node.id') ?? found.get('broker.id') ?? '',
    directoryId: found.get('directory.id') ?? '',
  };
}

/** A checkpoint of offsets, by `topic partition`. A file that is missing or unreadable counts as empty. */
export function readOffsetCheckpoint(file: string): Map<string, number> {
  const offsets = new Map<string, number>();
  for (const line of checkpointLines(file)) {
    const [, name, text] = /^(\S+ \d+) (\d+)$/.exec(line) ?? [];
    const offset = Number(text);
    if (name !== undefined && Number.isSafeInteger(offset)) offsets.set(name, offset);
  }
  return offsets;
}

export async function writeOffsetCheckpoint(file: string, offsets: Map<string, number>): Promise<void> {
  const lines = [...offsets].map(([name, offset]) => `${name} ${offset}`);
  await writeAtomically(file, encodeCheckpoint(lines));
}

/** From which offset on a leader's epoch counts. */
export interface EpochStart {
  epoch: number;
  startOffset: number;
}

export function readEpochs(file: string): EpochStart[] {
  const epochs: EpochStart[] = [];
  for (const line of checkpointLines(file)) {
    const [, epoch, startOffset] = /^(\d+) (\d+)$/.exec(line) ?? [];
    if (epoch !== undefined) epochs.push({ epoch: Number(epoch), startOffset: Number(startOffset) });
  }
  return epochs;
}

export async function writeEpochs(file: string, epochs: EpochStart[]): Promise<void> {
  await writeAtomically(file, encodeEpochs(epochs));
}

export function encodeEpochs(epochs: readonly EpochStart[]): string {
  return encodeCheckpoint(epochs.map(({ epoch, startOffset }) => `${epoch} ${startOffset}`));
}

/** Writes a whole file so that after a crash it is the old or the new one. */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w', 0o644);
  try {
    await handle.writeFile(content);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  syncDirectory(dirname(file));
}

function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** The names in a folder; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return [];
  }
}

/** Reads a file's bytes from a position; fewer where it ends before. */
export function readAt(fd: number, into: Uint8Array, position: number): Uint8Array {
  let done = 0;
  while (done < into.length) {
    const count = readSync(fd, into, done, into.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return into.subarray(0, done);
}

function encodeCheckpoint(lines: readonly string[]): string {
  return `0\n${lines.length}\n${lines.map((line) => `${line}\n`).join('')}`;
}

/** The lines behind the version and the count. */
function checkpointLines(file: string): string[] {
  return (readIfThere(file) ?? '').split('\n').slice(2);
}
