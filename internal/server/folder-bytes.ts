import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder is not looked through more often: that of a Kafka has thousands of files. */
const FRESH_MS = 10_000;

/** How much the files of some folders take. They are looked through in the background when somebody asks. */
export class FolderBytes {
  readonly #folders: readonly string[];
  #bytes = Number.NaN;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** What was found the last time; NaN before the first. */
  read(): number {
    if (!this.#isLooking && performance.now() - this.#lookedAtMs >= FRESH_MS) void this.#look();
    return this.#bytes;
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    let bytes = 0;
    for (const folder of this.#folders) bytes += await bytesIn(folder).catch(() => 0);
    this.#bytes = bytes;
    this.#lookedAtMs = performance.now();
    this.#isLooking = false;
  }
}

/** Files that go meanwhile count for nothing. */
async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
