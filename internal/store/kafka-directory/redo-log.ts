import {
  closeSync,
  copyFileSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import { kafkaRedoRoomBytes } from '../../limits/store.ts';
import { StoreError } from '../store-error.ts';
import { syncDirectory } from '../sync-directory.ts';
import type { FileWrite } from './file-write.ts';
import { readAt } from './files.ts';
import { demandNamed, isNamed } from './named.ts';

export const REDO_LOG = 'tinymq.redo';

/**
 * What was written to several files at once, once more in one file: so that one sync makes all of it last, however many
 * files there are. The files themselves are synced later, at a checkpoint; from then on the redo log begins anew. After
 * a crash everything since the last checkpoint is written to its place again, which changes nothing where it already is,
 * and is left where there is something else: then Kafka had the directory meanwhile.
 *
 * A group is there as a whole or not at all, big endian:
 *
 *     magic "tmqr" (4)   CRC-32 of all that follows (4)   bytes that follow (4)   epoch (8)   number in the epoch (4)
 *     { length of the path (2)   path   position in the file (8)   length of the bytes (4)   bytes } ...
 *
 * Each checkpoint begins a new epoch at the start of the file; what older epochs left behind it does not count.
 */
export class RedoLog {
  readonly #directories: readonly string[];
  readonly #file: string;
  #handle: FileHandle | undefined;
  /** Later than any that the file may hold: they follow the time. */
  #epoch = BigInt(Date.now());
  #groups = 0;
  #sizeBytes = 0;
  #lastAt = 0;
  /** How long the file is. */
  #roomBytes = 0;

  /** @param directories those that the files lie in; the first one has the redo log. */
  constructor(directories: readonly string[]) {
    this.#directories = directories;
    this.#file = join(directories[0]!, REDO_LOG);
  }

  /** Bytes of the groups since the last checkpoint. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Writes again what was written since the last checkpoint, if there is a redo log, and syncs it. To be called before
   * anybody looks at the files.
   *
   * @returns a copy of the redo log, if there is something that was not written again.
   * @throws StoreError `corrupt` where a group names a file that is not of these directories; errors of the system.
   */
  replay(): string | undefined {
    if (!existsSync(this.#file)) return undefined;
    const bytes = readFileSync(this.#file);
    const touched = new Map<string, number>();
    let isLeft = false;
    try {
      for (const part of this.#partsOf(bytes)) isLeft = !this.#writeAgain(part, touched) || isLeft;
      for (const fd of touched.values()) fdatasyncSync(fd);
    } finally {
      for (const fd of touched.values()) closeSync(fd);
    }
    if (!isLeft) return undefined;
    const copy = `${this.#file}.left-${Date.now()}`;
    copyFileSync(this.#file, copy);
    return copy;
  }

  /** After {@link replay}: nothing is to be written once more, also where a file goes and another takes its place. */
  forget(): void {
    if (!existsSync(this.#file)) return;
    const fd = openSync(this.#file, 'r+');
    try {
      writeSync(fd, new Uint8Array(GROUP_HEADER_BYTES), 0, GROUP_HEADER_BYTES, 0);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes writes to several files last by one sync; the files get them from whoever calls this. */
  async append(writes: readonly FileWrite[], sync: (handle: FileHandle) => Promise<void>): Promise<void> {
    const group = this.#encode(writes);
    this.#handle ??= await this.#open();
    const handle = this.#handle;
    this.#lastAt = this.#sizeBytes;
    await this.#makeRoom(handle, this.#sizeBytes + group.length);
    let position = this.#sizeBytes;
    for (let done = 0; done < group.length; ) {
      const { bytesWritten } = await handle.write(group, done, group.length - done, position);
      done += bytesWritten;
      position += bytesWritten;
    }
    await sync(handle);
    demandNamed(handle, this.#file);
    this.#sizeBytes += group.length;
    this.#groups++;
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

  /** All files have what was written: nothing of it is to be written again. */
  async beginAnew(): Promise<void> {
    const handle = this.#handle;
    if (handle !== undefined) await clearHeader(handle, 0);
    this.#epoch++;
    this.#groups = this.#sizeBytes = this.#lastAt = 0;
  }

  /** Whether somebody removed it while it is open: then it makes nothing last, and the next {@link append} begins another. */
  async isLost(): Promise<boolean> {
    if (this.#handle === undefined || isNamed(this.#handle)) return false;
    await this.close();
    return true;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#roomBytes = 0;
    await handle?.close();
  }

  /** After a checkpoint: there is nothing to be written again. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.#file, { force: true });
  }

  async #open(): Promise<FileHandle> {
    const isNew = !existsSync(this.#file);
    const handle = await open(this.#file, isNew ? 'w+' : 'r+', 0o600);
    try {
      if (isNew) syncDirectory(this.#directories[0]!);
    } catch (error) {
      // The next one has to make its name last, too.
      await handle.close();
      await rm(this.#file, { force: true });
      throw error;
    }
    return handle;
  }

  /**
   * Lengthens the file by many zeros at once, so that what is written later has its place: a sync after a file has grown takes two
   * writes of the disk, as the system has its new length to keep.
   */
  async #makeRoom(handle: FileHandle, endBytes: number): Promise<void> {
    if (this.#roomBytes < endBytes) this.#roomBytes = Math.max(this.#roomBytes, (await handle.stat()).size);
    while (this.#roomBytes < endBytes) {
      const { bytesWritten } = await handle.write(ZEROS, 0, ZEROS.length, this.#roomBytes);
      this.#roomBytes += bytesWritten;
    }
  }

  #encode(writes: readonly FileWrite[]): Buffer {
    const paths = writes.map(({ path }) => Buffer.from(this.#relative(path)));
    let length = GROUP_HEADER_BYTES;
    for (const [index, { byteLength }] of writes.entries()) {
      length += PART_FIELD_BYTES + paths[index]!.length + byteLength;
    }
    const group = Buffer.allocUnsafe(length);
    group.write(MAGIC, 0, 'latin1');
    group.writeUInt32BE(length - CHECKED_FROM, 8);
    group.writeBigUInt64BE(this.#epoch, EPOCH_AT);
    group.writeUInt32BE(this.#groups, NUMBER_AT);
    let at = GROUP_HEADER_BYTES;
    for (const [index, { position, buffers, byteLength }] of writes.entries()) {
      const path = paths[index]!;
      at = group.writeUInt16BE(path.length, at);
      at += path.copy(group, at);
      at = group.writeBigUInt64BE(BigInt(position), at);
      at = group.writeUInt32BE(byteLength, at);
      for (const bytes of buffers) {
        group.set(bytes, at);
        at += bytes.length;
      }
    }
    group.writeUInt32BE(crc32(group.subarray(CHECKED_FROM)), 4);
    return group;
  }

  /** The folder is left out, as it may have another name after the crash. */
  #relative(path: string): string {
    const directory = this.#directories.find((each) => path.startsWith(each + sep));
    if (directory === undefined) throw new Error(`${path} lies in none of the directories`);
    return path.slice(directory.length + 1);
  }

  /** Those of the groups that belong together, in their order. */
  *#partsOf(bytes: Buffer): Generator<RedoPart> {
    let at = 0;
    let epoch: bigint | undefined;
    for (let number = 0; ; number++) {
      const group = readGroup(bytes, at);
      epoch ??= group?.epoch;
      if (group === undefined || group.epoch !== epoch || group.number !== number) break;
      yield* group.parts;
      at = group.end;
    }
    if (epoch !== undefined && epoch >= this.#epoch) this.#epoch = epoch + 1n;
  }

  /** Returns false where something else is there. A file that is gone was Kafka's to delete. */
  #writeAgain({ path, position, bytes }: RedoPart, touched: Map<string, number>): boolean {
    let fd = touched.get(path);
    if (fd === undefined) {
      const file = this.#find(path);
      if (file === undefined) return false;
      fd = openSync(file, 'r+');
      touched.set(path, fd);
    }
    const there = readAt(fd, new Uint8Array(bytes.length), position);
    if (!isLostOrEqual(there, bytes)) return false;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    }
    return true;
  }

  #find(path: string): string | undefined {
    const isInside =
      path.length > 0 && normalize(path) === path && !path.startsWith('..') && !path.startsWith(sep);
    if (!isInside)
      throw new StoreError('corrupt', `${this.#file} names ${JSON.stringify(path)}, which is no file here`);
    return this.#directories.map((directory) => join(directory, path)).find((file) => existsSync(file));
  }
}

/** Whether a crash may have left these bytes of what was written: each block of the disk, or zeros in its place. */
function isLostOrEqual(there: Uint8Array, written: Uint8Array): boolean {
  if (Buffer.compare(there, written.subarray(0, there.length)) === 0) return true;
  return there.every((byte, index) => byte === written[index] || byte === 0);
}

/** Makes the group at a place, and all behind it, count no more. */
async function clearHeader(handle: FileHandle, position: number): Promise<void> {
  await handle.write(new Uint8Array(GROUP_HEADER_BYTES), 0, GROUP_HEADER_BYTES, position);
  await handle.datasync();
}

const ZEROS = new Uint8Array(kafkaRedoRoomBytes);
const MAGIC = 'tmqr';
const CHECKED_FROM = 12;
const EPOCH_AT = 12;
const NUMBER_AT = 20;
const GROUP_HEADER_BYTES = 24;
/** Of a part, without its path and its bytes. */
const PART_FIELD_BYTES = 14;

interface RedoPart {
  path: string;
  position: number;
  bytes: Uint8Array;
}

/** The group at a place; undefined where there is none that is whole. */
function readGroup(
  bytes: Buffer,
  at: number,
): { epoch: bigint; number: number; parts: RedoPart[]; end: number } | undefined {
  if (at + GROUP_HEADER_BYTES > bytes.length || bytes.toString('latin1', at, at + 4) !== MAGIC)
    return undefined;
  const end = at + CHECKED_FROM + bytes.readUInt32BE(at + 8);
  if (end > bytes.length || crc32(bytes.subarray(at + CHECKED_FROM, end)) !== bytes.readUInt32BE(at + 4)) {
    return undefined;
  }
  const parts: RedoPart[] = [];
  for (let part = at + GROUP_HEADER_BYTES; part < end; ) {
    const pathEnd = part + 2 + bytes.readUInt16BE(part);
    const bytesAt = pathEnd + 12;
    const bytesEnd = bytesAt + bytes.readUInt32BE(pathEnd + 8);
    parts.push({
      path: bytes.toString('utf8', part + 2, pathEnd),
      position: Number(bytes.readBigUInt64BE(pathEnd)),
      bytes: bytes.subarray(bytesAt, bytesEnd),
    });
    part = bytesEnd;
  }
  return {
    epoch: bytes.readBigUInt64BE(at + EPOCH_AT),
    number: bytes.readUInt32BE(at + NUMBER_AT),
    parts,
    end,
  };
}
