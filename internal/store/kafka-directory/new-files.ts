import { statSync } from 'node:fs';
import { mkdir, open, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { atMost } from '../../lib/at-most.ts';
import { kafkaNewFilesAtOnce } from '../../limits/store.ts';
import { PARTITION_METADATA_FILE } from './files.ts';
import type { KafkaPartition } from './partition.ts';

/**
 * Makes folders and files of partitions. Their names last after {@link sync}, which waits for the disk once, however many
 * there are: with the first folder the file system writes what it has noted of all.
 */
export class NewFiles {
  readonly #changed = new Set<string>();
  /** Folders that are there. */
  readonly #folders = new Set<string>();

  /**
   * Makes the folder of a partition where it has none, with the file by which Kafka knows whose it is; that is whole, also where a crash
   * was between the two.
   *
   * @returns whether it is new.
   */
  async makeFolder({ folder, topicId }: KafkaPartition): Promise<boolean> {
    if (this.#folders.has(folder)) return false;
    const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
    this.#folders.add(folder);
    if (isNew) this.#changed.add(dirname(folder)).add(folder);
    if (topicId === undefined) return isNew;
    const file = join(folder, PARTITION_METADATA_FILE);
    if (!isNew && (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0) return false;
    await writeFile(`${file}.tmp`, partitionMetadata(topicId));
    await rename(`${file}.tmp`, file);
    this.#changed.add(file).add(folder);
    return isNew;
  }

  /** Writes a file into a new folder: until it lasts, nobody has been told of anything there. */
  async write(file: string, content: string): Promise<void> {
    await writeFile(file, content);
    this.#changed.add(file);
  }

  /** Makes an empty file for a segment. */
  async makeSegment(partition: KafkaPartition, path: string): Promise<void> {
    await this.makeFolder(partition);
    await (await open(path, 'w', 0o644)).close();
    this.#changed.add(partition.folder);
  }

  async sync(): Promise<void> {
    await atMost(kafkaNewFilesAtOnce, [...this.#changed], syncPath);
    this.#changed.clear();
  }
}

function partitionMetadata(topicId: string): string {
  return `version: 0\ntopic_id: ${topicId}\n`;
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
