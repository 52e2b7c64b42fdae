import { closeSync, constants, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  kafkaRedoBytes,
  kafkaRedoGroupBytes,
  kafkaRedoRoomBytes,
  kafkaRedoWaitAt,
} from '../../limits/store.ts';
import { syncDirectory } from '../sync-directory.ts';
import type { Measure } from '../write-times.ts';
import { writeAt } from './file-write.ts';
import { demandNamed, isNamed } from './named.ts';
import { clearedHeader, type RedoGroup, readGroups, sealGroup } from './redo-group.ts';

/** One of the files that a redo log lies in: groups of one epoch, from the beginning of the file on. */
export class RedoFile {
  readonly path: string;
  readonly #syncs: Measure | undefined;
  #handle: FileHandle | undefined;
  #epoch = 0n;
  #groups = 0;
  #sizeBytes = 0;
  #lastAt = 0;
  /** How long the file is. */
  #roomBytes = 0;
  #growing: Promise<void> | undefined;

  /** @param syncs is told how long the disk took, in seconds */
  constructor(path: string, syncs: Measure | undefined) {
    this.path = path;
    this.#syncs = syncs;
  }

  /** Bytes of the groups of this epoch. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The groups that belong together, in their order; none where there is no file. */
  read(): RedoGroup[] {
    return existsSync(this.path) ? readGroups(readFileSync(this.path)) : [];
  }

  /** Makes the file hold nothing, where no other process and no handle of this one has it open. */
  clearAtOnce(): void {
    if (!existsSync(this.path)) return;
    const fd = openSync(this.path, 'r+');
    try {
      writeSync(fd, clearedHeader, 0, clearedHeader.length, 0);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** From now on groups are of this epoch, which is later than that of any group in the file. */
  begin(epoch: bigint): void {
    this.#epoch = epoch;
    this.#groups = this.#sizeBytes = this.#lastAt = 0;
  }

  /** Appends a group; it lasts when this resolves. */
  async append(group: Uint8Array[], byteLength: number): Promise<void> {
    this.#handle ??= await this.#open();
    const handle = this.#handle;
    this.#lastAt = this.#sizeBytes;
    const end = this.#sizeBytes + byteLength;
    if (end > this.#roomBytes) await this.#growing;
    const buffers = sealGroup(group, this.#epoch, this.#groups);
    await this.#writeLasting(handle, buffers, byteLength);
    demandNamed(handle, this.path);
    this.#sizeBytes = end;
    this.#groups++;
    this.#growAhead(handle);
  }

  /** Takes back a group that is there, perhaps in part, and does not count: what came of the newest {@link append}. */
  async takeBack(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) return;
    if (this.#lastAt < this.#sizeBytes) {
      this.#sizeBytes = this.#lastAt;
      this.#groups--;
    }
    await clearHeader(handle, this.#sizeBytes);
  }

  /** Nothing of it is to be written again. */
  async clear(): Promise<void> {
    if (this.#handle !== undefined) await clearHeader(this.#handle, 0);
    this.#groups = this.#sizeBytes = this.#lastAt = 0;
  }

  /** Whether somebody removed it while it is open: then it makes nothing last, and the next {@link append} begins another. */
  async isLost(): Promise<boolean> {
    if (this.#handle === undefined || isNamed(this.#handle)) return false;
    await this.close();
    return true;
  }

  async close(): Promise<void> {
    await this.#growing;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#roomBytes = 0;
    await handle?.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  async #open(): Promise<FileHandle> {
    const isNew = !existsSync(this.path);
    const handle = await open(this.path, isNew ? NEW_FILE : OLD_FILE, 0o600);
    try {
      if (isNew) syncDirectory(dirname(this.path));
      this.#roomBytes = (await handle.stat()).size;
    } catch (error) {
      // The next one has to make its name last, too.
      await handle.close();
      if (isNew) await rm(this.path, { force: true });
      throw error;
    }
    return handle;
  }

  async #writeLasting(handle: FileHandle, buffers: Uint8Array[], byteLength: number): Promise<void> {
    const beganMs = performance.now();
    await writeAt(handle, { position: this.#sizeBytes, buffers, byteLength });
    if (!DOES_WRITE_LAST) await handle.datasync();
    this.#syncs?.observe((performance.now() - beganMs) / 1_000);
  }

  /**
   * Lengthens the file by many zeros at once, before there is need: what is written later has its place then. A sync after a file has
   * grown takes two writes of the disk, as the system has its new length to keep.
   */
  #growAhead(handle: FileHandle): void {
    if (this.#growing !== undefined || this.#roomBytes >= MOST_BYTES) return;
    const from = Math.max(this.#roomBytes, this.#sizeBytes);
    if (from - this.#sizeBytes > kafkaRedoRoomBytes / 2) return;
    const growing = handle.write(ZEROS, 0, ZEROS.length, from).then(
      ({ bytesWritten }) => {
        this.#roomBytes = from + bytesWritten;
      },
      // The append that has no room tells of the disk.
      () => {},
    );
    this.#growing = growing.finally(() => {
      this.#growing = undefined;
    });
  }
}

/**
 * Where a write can last by itself, one call of the system does what otherwise takes two, with a thread each. On macOS it would
 * reach the disk's own memory only.
 */
const DOES_WRITE_LAST = process.platform === 'linux';
const OLD_FILE = constants.O_RDWR | (DOES_WRITE_LAST ? constants.O_DSYNC : 0);
const NEW_FILE = OLD_FILE | constants.O_CREAT | constants.O_TRUNC;

const ZEROS = new Uint8Array(kafkaRedoRoomBytes);
/** It is full then, but for a last group. */
const MOST_BYTES = kafkaRedoWaitAt * kafkaRedoBytes + kafkaRedoGroupBytes;

/** Makes the group at a place, and all behind it, count no more. */
async function clearHeader(handle: FileHandle, position: number): Promise<void> {
  await handle.write(clearedHeader, 0, clearedHeader.length, position);
  if (!DOES_WRITE_LAST) await handle.datasync();
}
