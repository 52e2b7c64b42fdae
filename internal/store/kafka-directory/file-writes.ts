import type { FileHandle } from 'node:fs/promises';
import { atMost } from '../../lib/at-most.ts';
import {
  kafkaRedoBytes,
  kafkaRedoGroupBytes,
  kafkaRedoWaitAt,
  kafkaSyncsAtOnce,
} from '../../limits/store.ts';
import type { FsyncPolicy } from '../log-store.ts';
import type { Measure, WriteTimes } from '../write-times.ts';
import type { FileHandles } from './file-handles.ts';
import { type FileWrite, writeAt } from './file-write.ts';
import { demandNamed } from './named.ts';
import type { RedoLog } from './redo-log.ts';
import { SyncRun } from './sync-run.ts';

export interface FileWritesOptions {
  readonly fsync: FsyncPolicy;
  /** Of one of the two files of the redo log before what it holds is synced in its place. */
  readonly redoBytes?: number;
  readonly times?: WriteTimes;
}

/**
 * Makes groups of writes last. One goes through the redo log, which is synced in the place of its files, for writing it twice; a large one is
 * written and its files are synced. What a file of the redo log holds is synced in the background, while groups go to the other one.
 */
export class FileWrites {
  readonly #handles: FileHandles;
  readonly #redo: RedoLog;
  readonly #isSynced: boolean;
  /** Of one of its files. */
  readonly #redoBytes: number;
  readonly #syncs: Measure | undefined;
  /** Files of which something is safe in the newer file of the redo log only. */
  #unsynced = new Set<string>();
  /** Syncs those of the older one. */
  #checkpoint: SyncRun | undefined;
  /** The newest group of the redo log does not count. */
  #isRedoWrong = false;
  /** What the disk said to a sync, until {@link recover}: it says that once, and what was lost with it may lie in any group since. */
  #failure: Error | undefined;
  /** The last sync of each file that is under way. */
  readonly #syncing = new Map<string, Promise<void>>();
  #tellFailure: (error: Error) => void = () => {};

  /** @param handles of files opened for writing */
  constructor(handles: FileHandles, redo: RedoLog, { fsync, redoBytes, times }: FileWritesOptions) {
    this.#handles = handles;
    this.#redo = redo;
    this.#isSynced = fsync === 'commit';
    this.#redoBytes = redoBytes ?? kafkaRedoBytes;
    this.#syncs = times?.syncs;
  }

  /** Has a sync in the background tell that it failed: from then on everything fails until {@link recover}. */
  onFailure(listener: (error: Error) => void): void {
    this.#tellFailure = listener;
  }

  /** Resolves when all of it lasts, as the store promises it. @throws errors of the system; then call {@link recover} */
  async write(writes: readonly FileWrite[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isSynced) await this.#writeAll(writes);
    else if (bytesOf(writes) > kafkaRedoGroupBytes) await this.#writeAll(writes, true);
    else await this.#writeThroughRedo(writes);
  }

  /**
   * Syncs what is safe in the redo log only, and lets go of these files there. Before they go, or others take their place: what the redo
   * log has of them would be written into those after a crash.
   */
  async settle(paths: readonly string[]): Promise<void> {
    const unsynced = paths.filter((path) => this.#isUnsynced(path));
    // As long as they are not synced, a checkpoint must not end without them.
    await this.#syncFiles(unsynced);
    await this.#letGo(unsynced);
  }

  /** The same for files of which nobody needs anything after a crash, such as those of a deleted topic. */
  async abandon(paths: readonly string[]): Promise<void> {
    await this.#letGo(paths.filter((path) => this.#isUnsynced(path)));
  }

  /** Syncs all that is safe in the redo log only, which is empty then. */
  async checkpoint(): Promise<void> {
    await this.#endCheckpoint();
    if (this.#redo.isEmpty) return;
    await this.#syncFiles(this.#unsynced);
    this.#unsynced.clear();
    await this.#redo.clear();
  }

  /**
   * After a failure, when the files are as they were before: nothing of what failed comes back after a crash, and
   * what came to last before is in its place, also where the system lost it with the failure.
   */
  async recover(): Promise<void> {
    await this.#checkpoint?.ended;
    for (const path of this.#checkpoint?.left ?? []) this.#unsynced.add(path);
    this.#checkpoint = undefined;
    this.#failure = undefined;
    if (await this.#redo.isLost()) await this.#syncFiles(this.#unsynced);
    else if (this.#isRedoWrong) await this.#redo.takeBack();
    this.#isRedoWrong = false;
    if (!this.#redo.isEmpty) {
      this.#redo.replay();
      await this.#redo.clear();
    }
    this.#unsynced.clear();
  }

  /** Nothing of it uses a file any more. */
  async end(): Promise<void> {
    await this.#checkpoint?.stop();
  }

  async #writeThroughRedo(writes: readonly FileWrite[]): Promise<void> {
    if (this.#isRedoFull) await this.#turnRedo();
    this.#isRedoWrong = true;
    const [first, ...others] = writes;
    if (first !== undefined && others.length === 0) {
      this.#unsynced.add(first.path);
      // A part of a group for one file is a beginning of it, so it may be there before the redo log has the group.
      await allOf([this.#redo.append(writes), this.#writeTo(first, false)]);
    } else {
      await this.#redo.append(writes);
      for (const { path } of writes) this.#unsynced.add(path);
      await this.#writeAll(writes);
    }
    this.#isRedoWrong = false;
  }

  /** Whether the newer file of the redo log takes no more: as much again, while what the older one held is being synced. */
  get #isRedoFull(): boolean {
    const mostBytes = this.#checkpoint?.isRunning ? kafkaRedoWaitAt * this.#redoBytes : this.#redoBytes;
    return this.#redo.sizeBytes >= mostBytes;
  }

  /** The older file of the redo log takes the place of the newer one when what it held is synced; everything waits until then. */
  async #turnRedo(): Promise<void> {
    await this.#endCheckpoint();
    this.#redo.turn();
    const paths = this.#unsynced;
    this.#unsynced = new Set();
    this.#checkpoint = new SyncRun(
      paths,
      kafkaSyncsAtOnce,
      (path) => this.#syncFile(path).catch((error: Error) => this.#failBeside(error)),
      () => this.#redo.clearOlder().catch((error: Error) => this.#failBeside(error)),
    );
  }

  #failBeside(error: Error): never {
    this.#failure ??= error;
    this.#tellFailure(error);
    throw error;
  }

  /** @throws errors of the system */
  async #endCheckpoint(): Promise<void> {
    await this.#checkpoint?.ended;
    if (this.#checkpoint?.problem !== undefined) throw this.#checkpoint.problem;
    this.#checkpoint = undefined;
  }

  #isUnsynced(path: string): boolean {
    return this.#unsynced.has(path) || this.#checkpoint?.has(path) === true;
  }

  async #letGo(paths: readonly string[]): Promise<void> {
    if (paths.length === 0) return;
    await this.#checkpoint?.leave(paths);
    this.#isRedoWrong = true;
    await this.#redo.letGo(paths);
    this.#isRedoWrong = false;
    for (const path of paths) this.#unsynced.delete(path);
  }

  async #syncFiles(paths: Iterable<string>): Promise<void> {
    await atMost(kafkaSyncsAtOnce, [...new Set(paths)], (path) => this.#syncFile(path));
  }

  #syncFile(path: string): Promise<void> {
    return this.#handles.use(path, (handle) => this.#syncInTurn(path, () => handle.datasync()));
  }

  async #writeAll(writes: readonly FileWrite[], isSynced = false): Promise<void> {
    const [first] = writes;
    if (first !== undefined && writes.length === 1) await this.#writeTo(first, isSynced);
    else await allOf(writes.map((write) => this.#writeTo(write, isSynced)));
  }

  #writeTo(write: FileWrite, isSynced: boolean): Promise<void> {
    return this.#handles.use(write.path, async (handle) => {
      await writeAt(handle, write);
      if (isSynced) await this.#syncInTurn(write.path, () => this.#measured(handle));
      demandNamed(handle, write.path);
    });
  }

  /** One sync of a file at a time: of two the system tells only one that something was lost, which both of them were for. */
  async #syncInTurn(path: string, sync: () => Promise<void>): Promise<void> {
    const before = this.#syncing.get(path);
    const turn = this.#syncAfter(before, sync);
    this.#syncing.set(path, turn);
    try {
      await turn;
    } finally {
      if (this.#syncing.get(path) === turn) this.#syncing.delete(path);
    }
  }

  async #syncAfter(before: Promise<void> | undefined, sync: () => Promise<void>): Promise<void> {
    await before?.catch(() => {});
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await sync();
    } catch (error) {
      this.#failure ??= error as Error;
      throw error;
    }
  }

  async #measured(handle: FileHandle): Promise<void> {
    const beganMs = performance.now();
    await handle.datasync();
    this.#syncs?.observe((performance.now() - beganMs) / 1_000);
  }
}

/** Waits for all of them, also where one fails. @throws the first error */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(works)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

function bytesOf(writes: readonly FileWrite[]): number {
  return writes.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
