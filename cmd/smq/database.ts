import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { importSmq } from '../../internal/doors/grpc/takeover/import-smq.ts';
import { isSqliteFile } from '../../internal/doors/grpc/takeover/original-database.ts';
import { openLogs } from '../cli/open-logs.ts';

/**
 * The folder in which is kept what the original kept in the file `dbPath`: beside it, or itself where it is a folder.
 *
 * @throws Error where that cannot be.
 */
export function dataFolderOf(dbPath: string): string {
  if (dbPath === '') throw new Error('failed to create database driver: -dbpath is empty');
  if (!existsSync(dbPath)) {
    if (existsSync(dirname(dbPath))) return `${dbPath}.tinymq`;
    throw new Error(`failed to create database driver: there is no folder ${dirname(dbPath)}`);
  }
  if (statSync(dbPath).isDirectory()) return dbPath;
  if (isSqliteFile(dbPath) || statSync(dbPath).size === 0) return `${dbPath}.tinymq`;
  throw new Error(`failed to create database driver: ${dbPath} is not a database`);
}

/**
 * Takes over what the original server kept in `dbPath`, where that is one of its databases; each topic once.
 *
 * @param say is told of the progress, in lines for people.
 * @throws Error where one of the two cannot be opened or read.
 */
export async function takeOver(
  dbPath: string,
  dataFolder: string,
  say: (line: string) => void,
): Promise<void> {
  if (!isSqliteFile(dbPath)) return;
  const logs = await openLogs(dataFolder, say);
  try {
    let shownAtMs = performance.now();
    const topics = await importSmq(dbPath, logs, ({ topic, done, of }) => {
      if (performance.now() - shownAtMs < SHOWN_EVERY_MS) return;
      shownAtMs = performance.now();
      say(`taking over ${topic}: ${done} of ${of} messages`);
    });
    for (const { topic, outcome, messages } of topics) {
      if (outcome === 'imported') say(`took over ${topic} with ${messages} messages`);
      else if (outcome === 'taken') say(`left ${topic} of ${dbPath}: there is a topic of that name already`);
    }
  } finally {
    await logs.close();
  }
}

const SHOWN_EVERY_MS = 1_000;
