import { readFileSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn, PARTITION_METADATA_FILE } from './files.ts';

/** How Kafka calls the folder of a partition that is being deleted; one that it finds at its start goes. */
const DELETED = /\.[0-9a-f]{32}-delete$/;
/** How Kafka calls one that belongs to no topic; it stays, for its owner to look at. */
const STRAY = /\.[0-9a-f]{32}-stray$/;

/** A name for a folder that is to be gone after the next start, whoever starts then: Kafka or a broker of ours. */
export function passingName(stem: string): string {
  return `${stem}.${crypto.randomUUID().replaceAll('-', '')}-delete`;
}

/** Removes the folders that are called so. What the disk does not let go of stays for a later start. */
export async function removePassing(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (const name of namesIn(directory).filter((each) => DELETED.test(each))) {
      await rm(join(directory, name), { recursive: true, force: true }).catch(() => {});
    }
  }
}

/**
 * Calls the folders so that are left over in directories which nobody but us ever had: of deleted topics, where somebody was
 * killed on the way, and what was in the place of a new topic. Done before any topic is made, which may have their names.
 *
 * @param isOpen whether a folder of this name is one of a partition.
 * @param isDeleted whether a topic of this id was deleted.
 * @throws errors of the system.
 */
export function passLeftovers(
  directories: readonly string[],
  isOpen: (name: string) => boolean,
  isDeleted: (topicId: string) => boolean,
): void {
  for (const directory of directories) {
    for (const name of namesIn(directory)) {
      const folder = join(directory, name);
      const isLeft =
        STRAY.test(name) || (/-\d+$/.test(name) && !isOpen(name) && isDeleted(topicIdIn(folder)));
      if (isLeft) renameSync(folder, join(directory, passingName(name)));
    }
  }
}

/** Whose the folder of a partition says that it is; empty where it does not. */
function topicIdIn(folder: string): string {
  try {
    const text = readFileSync(join(folder, PARTITION_METADATA_FILE), 'utf8');
    return /^topic_id: (\S+)$/m.exec(text)?.[1] ?? '';
  } catch {
    return '';
  }
}
