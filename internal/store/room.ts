import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const ROOM_FILE = 'tinymq.room';

/**
 * That a disk has room for so many bytes: they are written, and removed again, as quotas and what is set aside for others are not in
 * what a file system says is free.
 *
 * @throws errors of the system.
 */
export async function demandRoom(directory: string, bytes: number): Promise<void> {
  const file = join(directory, ROOM_FILE);
  try {
    const handle = await open(file, 'w', 0o600);
    try {
      // A file system that compresses makes nothing of zeros.
      await handle.writeFile(randomBytes(bytes));
      await handle.datasync();
    } finally {
      await handle.close();
    }
  } finally {
    await rm(file, { force: true });
  }
}
