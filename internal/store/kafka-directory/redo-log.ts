import { closeSync, copyFileSync, existsSync, fdatasyncSync, fstatSync, openSync, writeSync } from 'node:fs';
import { join, normalize, sep } from 'node:path';
import { StoreError } from '../store-error.ts';
import type { Measure } from '../write-times.ts';
import type { FileWrite } from './file-write.ts';
import { readAt } from './files.ts';
import { RedoFile } from './redo-file.ts';
import { encodeGroup, type RedoEntry, type RedoPart } from './redo-group.ts';

export const REDO_LOG = 'tinymq.redo';

/**
 * What was written to files, once more in one place: so that one sync makes all of it last, however many files there are. The files
 * themselves are synced later, at a checkpoint. After a crash everything is written to its place again that no checkpoint has behind it, which
 * changes nothing where it already is, and is left where there is something else: then Kafka had the directory meanwhile.
 *
 * It lies in two files that take turns: while what one of them holds is synced, groups go to the other one. **One of them is emptied only
 * when all that it holds is synced in its files, and the older one of the two first**; so whatever is in neither of them is synced, and
 * what both of them hold is written again in the order in which it was written.
 */
export class RedoLog {
  readonly #directories: readonly string[];
  #current: RedoFile;
  #other: RedoFile;
  /** Of the newer one. Later than any that the files may hold: they follow the time. */
  #epoch = BigInt(Date.now());

  /**
   * @param directories those that the files lie in; the first one has the redo log.
   * @param syncs is told how long the disk took, in seconds
   */
  constructor(directories: readonly string[], syncs?: Measure) {
    this.#directories = directories;
    const [first] = directories;
    this.#current = new RedoFile(join(first!, REDO_LOG), syncs);
    this.#other = new RedoFile(join(first!, `${REDO_LOG}.2`), syncs);
    this.#current.begin(this.#epoch);
  }

  /** Bytes of the groups that no checkpoint was begun for. */
  get sizeBytes(): number {
    return this.#current.sizeBytes;
  }

  /** Whether there is nothing that would be written again. */
  get isEmpty(): boolean {
    return this.#current.sizeBytes === 0 && this.#other.sizeBytes === 0;
  }

  /**
   * Writes again what no checkpoint has behind it, and syncs it. To be called before anybody looks at the files.
   *
   * @returns copies of the files of the redo log, if there is something that was not written again.
   * @throws StoreError `corrupt` where a group names a file that is not of these directories; errors of the system.
   */
  replay(): string[] {
    const touched = new Map<string, number>();
    let isLeft = false;
    try {
      for (const part of this.#parts()) isLeft = !this.#writeAgain(part, touched) || isLeft;
      for (const fd of touched.values()) fdatasyncSync(fd);
    } finally {
      for (const fd of touched.values()) closeSync(fd);
    }
    return isLeft ? this.#copies() : [];
  }

  /** After {@link replay}: nothing is to be written once more, also where a file goes and another takes its place. */
  forget(): void {
    for (const file of this.#inOrder()) file.clearAtOnce();
  }

  /** Makes writes to files last; the files get them from whoever calls this. */
  async append(writes: readonly FileWrite[]): Promise<void> {
    await this.#append(writes.map((write) => ({ ...write, path: this.#relative(write.path) })));
  }

  /** What there is of files is not to be written again: they go, or others take their place. */
  async letGo(paths: readonly string[]): Promise<void> {
    const entry = { position: undefined, buffers: [], byteLength: 0 };
    await this.#append(paths.map((path) => ({ ...entry, path: this.#relative(path) })));
  }

  /** Takes back a group that is there, perhaps in part, and does not count: what came of the newest {@link append}. */
  takeBack(): Promise<void> {
    return this.#current.takeBack();
  }

  /** Groups go to the other file from now on, which is empty. */
  turn(): void {
    [this.#current, this.#other] = [this.#other, this.#current];
    this.#current.begin(++this.#epoch);
  }

  /** All that the older file holds is synced in its files. */
  clearOlder(): Promise<void> {
    return this.#other.clear();
  }

  /** All files have what was written. */
  async clear(): Promise<void> {
    await this.#other.clear();
    await this.#current.clear();
    this.#current.begin(++this.#epoch);
  }

  /** Whether somebody removed a file while it is open: then it makes nothing last, and the next {@link append} begins another. */
  async isLost(): Promise<boolean> {
    let isLost = false;
    for (const file of this.#inOrder()) isLost = (await file.isLost()) || isLost;
    return isLost;
  }

  async close(): Promise<void> {
    for (const file of this.#inOrder()) await file.close();
  }

  /** After a checkpoint: there is nothing to be written again. */
  async remove(): Promise<void> {
    for (const file of this.#inOrder()) await file.remove();
  }

  async #append(entries: readonly RedoEntry[]): Promise<void> {
    const { buffers, byteLength } = encodeGroup(entries);
    await this.#current.append(buffers, byteLength);
  }

  #inOrder(): RedoFile[] {
    return [this.#other, this.#current];
  }

  /** The folder is left out, as it may have another name after the crash. */
  #relative(path: string): string {
    const directory = this.#directories.find((each) => path.startsWith(each + sep));
    if (directory === undefined) throw new Error(`${path} lies in none of the directories`);
    return path.slice(directory.length + 1);
  }

  /** What is to be written again, in its order. */
  #parts(): RedoPart[] {
    const files = this.#inOrder()
      .map((file) => file.read())
      .filter((groups) => groups.length > 0)
      .sort(([one], [other]) => (one!.epoch < other!.epoch ? -1 : 1));
    for (const [{ epoch } = { epoch: 0n }] of files) if (epoch >= this.#epoch) this.#epoch = epoch + 1n;
    const parts = files.flat().flatMap((group) => group.parts);
    const letGoAt = new Map<string, number>();
    for (const [at, { path, position }] of parts.entries()) if (position === undefined) letGoAt.set(path, at);
    return parts.filter(({ path }, at) => at > (letGoAt.get(path) ?? -1));
  }

  /** Returns false where something else is there. A file that is gone was Kafka's to delete. */
  #writeAgain({ path, position = 0, bytes }: RedoPart, touched: Map<string, number>): boolean {
    let fd = touched.get(path);
    if (fd === undefined) {
      const file = this.#find(path);
      if (file === undefined) return false;
      fd = openSync(file, 'r+');
      touched.set(path, fd);
    }
    // What came before was written again, or was synced.
    if (fstatSync(fd).size < position) return false;
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
    if (!isInside) {
      const file = this.#current.path;
      throw new StoreError('corrupt', `${file} names ${JSON.stringify(path)}, which is no file here`);
    }
    return this.#directories.map((directory) => join(directory, path)).find((file) => existsSync(file));
  }

  #copies(): string[] {
    const files = this.#inOrder().map(({ path }) => path);
    return files
      .filter((path) => existsSync(path))
      .map((path) => {
        const copy = `${path}.left-${Date.now()}`;
        copyFileSync(path, copy);
        return copy;
      });
  }
}

/** Whether a crash may have left these bytes of what was written: each block of the disk, or zeros in its place. */
function isLostOrEqual(there: Uint8Array, written: Uint8Array): boolean {
  if (Buffer.compare(there, written.subarray(0, there.length)) === 0) return true;
  return there.every((byte, index) => byte === written[index] || byte === 0);
}
