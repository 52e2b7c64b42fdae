import type { FileHandle } from 'node:fs/promises';
import { kafkaRedoBytes, kafkaRedoGroupBytes } from '../../limits/store.ts';
import type { FsyncPolicy } from '../log-store.ts';
import type { Measure } from '../write-times.ts';
import type { FileHandles } from './file-handles.ts';
import type { FileWrite } from './file-write.ts';
import { demandNamed } from './named.ts';
import type { RedoLog } from './redo-log.ts';

/**
 * Makes groups of writes last. A group for one file, or a large one, is written and its files are synced. A small one for
 * several files goes through the redo log: one sync instead of many, for writing it twice.
 */
export class FileWrites {
  readonly #handles: FileHandles;
  readonly #redo: RedoLog;
  readonly #isSynced: boolean;
  readonly #syncs: Measure | undefined;
  /** Files of which something is safe in the redo log only. */
  readonly #unsynced = new Set<string>();
  /** The newest group of the redo log does not count. */
  #isRedoWrong = false;

  /**
   * @param handles of files opened for writing
   * @param syncs is told how long the disk took, in seconds
   */
  constructor(handles: FileHandles, redo: RedoLog, fsync: FsyncPolicy, syncs: Measure | undefined) {
    this.#handles = handles;
    this.#redo = redo;
    this.#isSynced = fsync === 'commit';
    this.#syncs = syncs;
  }

  /** Resolves when all of it lasts, as the store promises it. @throws errors of the system; then call {@link recover} */
  async write(writes: readonly FileWrite[]): Promise<void> {
    if (!this.#isSynced) await this.#writeAll(writes);
    else if (writes.length === 1 || bytesOf(writes) > kafkaRedoGroupBytes) await this.#writeAll(writes, true);
    else await this.#writeThroughRedo(writes);
    if (this.#redo.sizeBytes > kafkaRedoBytes) await this.checkpoint();
  }

  /**
   * Syncs what is safe in the redo log only. Before a file goes, or another takes its place: what the redo log has of it would
   * be written into that one after a crash.
   */
  async checkpoint(): Promise<void> {
    if (this.#redo.sizeBytes === 0) return;
    await this.#syncFiles();
    await this.#redo.beginAnew();
  }

  /**
   * After a failure, when the files are as they were before: nothing of what failed comes back after a crash, and
   * what came to last before is in its place, also where the system lost it with the failure.
   */
  async recover(): Promise<void> {
    if (await this.#redo.isLost()) await this.#syncFiles();
    else if (this.#isRedoWrong) await this.#redo.takeBack();
    this.#isRedoWrong = false;
    if (this.#redo.sizeBytes === 0) return;
    this.#redo.replay();
    this.#unsynced.clear();
    await this.#redo.beginAnew();
  }

  async #syncFiles(): Promise<void> {
    for (const path of this.#unsynced) await this.#handles.use(path, (handle) => handle.datasync());
    this.#unsynced.clear();
  }

  async #writeThroughRedo(writes: readonly FileWrite[]): Promise<void> {
    this.#isRedoWrong = true;
    await this.#redo.append(writes, (handle) => this.#sync(handle));
    for (const { path } of writes) this.#unsynced.add(path);
    await this.#writeAll(writes);
    this.#isRedoWrong = false;
  }

  async #writeAll(writes: readonly FileWrite[], isSynced = false): Promise<void> {
    const written = await Promise.allSettled(
      writes.map((write) =>
        this.#handles.use(write.path, async (handle) => {
          await writeAt(handle, write);
          if (isSynced) await this.#sync(handle);
          demandNamed(handle, write.path);
        }),
      ),
    );
    for (const result of written) if (result.status === 'rejected') throw result.reason;
  }

  async #sync(handle: FileHandle): Promise<void> {
    const beganMs = performance.now();
    await handle.datasync();
    this.#syncs?.observe((performance.now() - beganMs) / 1_000);
  }
}

async function writeAt(handle: FileHandle, { buffers, position, byteLength }: FileWrite): Promise<void> {
  for (let first = 0, at = position; first < buffers.length; first += MAX_BUFFERS) {
    const some = buffers.length <= MAX_BUFFERS ? buffers : buffers.slice(first, first + MAX_BUFFERS);
    const wanted = some === buffers ? byteLength : some.reduce((sum, { length }) => sum + length, 0);
    const bytesWritten = await writeSome(handle, some, at);
    if (bytesWritten < wanted)
      await writeRest(handle, Buffer.concat(some).subarray(bytesWritten), at + bytesWritten);
    at += wanted;
  }
}

/** What one call of the system takes (IOV_MAX). */
const MAX_BUFFERS = 1_024;

async function writeSome(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<number> {
  const [first] = buffers;
  if (first !== undefined && buffers.length === 1) {
    return (await handle.write(first, 0, first.length, position)).bytesWritten;
  }
  return (await handle.writev(buffers as Uint8Array[], position)).bytesWritten;
}

/** The system took less than it was given, as it does before it says that the disk is full. */
async function writeRest(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

function bytesOf(writes: readonly FileWrite[]): number {
  return writes.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
