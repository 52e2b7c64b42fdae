import { copyFile, link, mkdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { systemReason } from '../../lib/system-reason.ts';
import { StoreError } from '../store-error.ts';
import { namesIn, segmentBase, segmentName } from './files.ts';
import { JOURNAL } from './journal.ts';
import { passingName } from './leftovers.ts';
import { LOCK } from './lock.ts';
import { REDO_LOG } from './redo-log.ts';

/** Log directories as they were in one moment, some files of which are still those of the directories and go on growing. */
export interface LinkedFiles {
  readonly directories: readonly string[];
  /** Of the folder in each directory that has them; a start of whoever has the directories removes it. */
  readonly name: string;
  readonly folders: readonly string[];
  readonly growing: readonly { file: string; sizeBytes: number }[];
}

/**
 * Gives every file of log directories a second name in a new folder, which costs no room and little time, however much there
 * is. To be called while nothing is changed, and when all is in its place.
 *
 * @throws StoreError `unsupported` where files cannot have a second name.
 */
export async function linkFiles(directories: readonly string[]): Promise<LinkedFiles> {
  const name = passingName('snapshot-0');
  const folders = snapshotFolders(directories, name);
  const growing: { file: string; sizeBytes: number }[] = [];
  try {
    for (const [at, directory] of directories.entries()) {
      const folder = folders[at]!;
      await mkdir(folder, { mode: 0o700 });
      for (const each of namesIn(directory)) growing.push(...(await linkEntry(directory, folder, each)));
    }
  } catch (error) {
    await removeSnapshot(folders);
    const reason = `no snapshot of the logs can be made: ${systemReason(error)}`;
    throw new StoreError('unsupported', reason, { cause: error });
  }
  return { name, directories, folders, growing };
}

/** Puts copies in the place of the files that go on growing: then nobody changes what is there. */
export async function settleSnapshot({ folders, growing }: LinkedFiles): Promise<void> {
  try {
    for (const { file, sizeBytes } of growing) {
      await copyFile(file, `${file}.copy`);
      await truncate(`${file}.copy`, sizeBytes);
      await rename(`${file}.copy`, file);
    }
  } catch (error) {
    await removeSnapshot(folders);
    throw error;
  }
}

/** Where a snapshot of this name lies. */
export function snapshotFolders(directories: readonly string[], name: string): string[] {
  return directories.map((directory) => join(directory, name));
}

export async function removeSnapshot(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}

async function linkEntry(directory: string, into: string, name: string): Promise<LinkedFiles['growing']> {
  const from = join(directory, name);
  const to = join(into, name);
  if (/-\d+$/.test(name)) return linkPartition(from, to);
  if (name === LOCK || name.startsWith(REDO_LOG) || !(await stat(from)).isFile()) return [];
  await link(from, to);
  return name === JOURNAL ? [await measured(to)] : [];
}

/** The newest segment of a partition is appended to, and its indexes are; all else is replaced as a whole. */
async function linkPartition(from: string, to: string): Promise<LinkedFiles['growing']> {
  const names = namesIn(from);
  const last = Math.max(-1, ...names.map((name) => segmentBase(name) ?? -1));
  await mkdir(to, { mode: 0o700 });
  const growing: string[] = [];
  for (const name of names) {
    await link(join(from, name), join(to, name));
    if (last >= 0 && name.startsWith(segmentName(last))) growing.push(join(to, name));
  }
  return Promise.all(growing.map(measured));
}

async function measured(file: string): Promise<{ file: string; sizeBytes: number }> {
  return { file, sizeBytes: (await stat(file)).size };
}
