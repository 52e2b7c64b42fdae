import fs from 'node:fs';
import files, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** One change of the disk that a program asked for. */
export interface DiskWrite {
  /** The function of the runtime. */
  readonly call: string;
  /** The file or folder, as far below the watched folder as it lies. */
  readonly path: string;
}

/** What the disk says. */
export type DiskError = 'EIO' | 'ENOSPC';

type Anything = (...args: never[]) => unknown;

/**
 * The disk below one folder, which fails when a test says so: every call by which this process changes something there is
 * counted, and can be refused. A write that is refused has written half of its bytes.
 */
export class FailingDisk implements Disposable {
  /** All that was asked for until now. */
  readonly writes: DiskWrite[] = [];
  readonly #folder: string;
  readonly #paths = new WeakMap<object, string>();
  readonly #pathsByFd = new Map<number, string>();
  readonly #undo: (() => void)[] = [];
  #failsFrom = Number.POSITIVE_INFINITY;
  #error: DiskError = 'EIO';
  #awaited: DiskWrite | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#watchHandles();
    this.#watchPaths();
    this.#watchDescriptors();
    syncBuiltinESMExports();
  }

  /** From the call with this number on (0 is the next one) everything fails, until {@link mend}. */
  failFrom(number: number, error: DiskError): void {
    this.#failsFrom = this.writes.length + number;
    this.#error = error;
  }

  /** The next call of this kind fails, and nothing else. */
  failNext(call: string, path: string, error: DiskError): void {
    this.#awaited = { call, path };
    this.#error = error;
  }

  /** Whether {@link failNext} has not come yet. */
  get isWaiting(): boolean {
    return this.#awaited !== undefined;
  }

  mend(): void {
    this.#failsFrom = Number.POSITIVE_INFINITY;
  }

  get isFailing(): boolean {
    return this.writes.length > this.#failsFrom;
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0)) undo();
    syncBuiltinESMExports();
  }

  /** Counts a call. Returns the error that it ends with. */
  #count(call: string, path: string): Error | undefined {
    if (!path.startsWith(this.#folder)) return undefined;
    const write = { call, path: path.slice(this.#folder.length + 1) };
    const number = this.writes.push(write) - 1;
    const isAwaited = this.#awaited?.call === call && this.#awaited.path === write.path;
    if (isAwaited) this.#awaited = undefined;
    else if (number < this.#failsFrom) return undefined;
    const error = new Error(`${this.#error}: ${call} '${path}' (injected)`);
    return Object.assign(error, { code: this.#error, syscall: call, path });
  }

  #replace<T extends object, K extends keyof T & string>(
    of: T,
    name: K,
    make: (original: Anything) => Anything,
  ) {
    const original = of[name];
    of[name] = make(original as Anything) as T[K];
    this.#undo.push(() => {
      of[name] = original;
    });
  }

  /** Files of promises: opened here, so their paths are known. */
  #watchHandles(): void {
    const disk = this;
    this.#replace(
      files,
      'open',
      (original) =>
        async (path: string, flags: string | number, ...rest: never[]) => {
          const mayMake =
            typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : flags.startsWith('w');
          const isMade = mayMake && !fs.existsSync(path);
          const error = isMade ? disk.#count('open', path) : undefined;
          if (error) throw error;
          const handle = (await original(path as never, flags as never, ...rest)) as object;
          disk.#paths.set(handle, path);
          return handle;
        },
    );
    const prototype = prototypeOfHandles();
    for (const name of ['write', 'writev', 'writeFile', 'datasync', 'sync', 'truncate'] as const) {
      this.#replace(
        prototype,
        name,
        (original) =>
          async function (this: FileHandle, ...args: never[]) {
            const error = disk.#count(name, disk.#paths.get(this) ?? '');
            if (error === undefined) return original.apply(this as never, args);
            if (name === 'write') await writeHalf(original.bind(this as never), args);
            if (name === 'writev') await writeFirstHalf(original.bind(this as never), args);
            throw error;
          },
      );
    }
  }

  #watchPaths(): void {
    for (const name of ['rename', 'rm', 'truncate', 'mkdir'] as const) {
      this.#replace(files, name, (original) => async (path: string, ...rest: never[]) => {
        const error = this.#count(name, path);
        if (error) throw error;
        return original(path as never, ...rest);
      });
    }
    for (const name of ['renameSync', 'rmSync', 'mkdirSync', 'copyFileSync'] as const) {
      this.#replace(fs, name, (original) => (path: string, ...rest: never[]) => {
        const error = this.#count(name, path);
        if (error) throw error;
        return original(path as never, ...rest);
      });
    }
  }

  #watchDescriptors(): void {
    this.#replace(fs, 'openSync', (original) => (path: string, ...rest: never[]) => {
      const fd = original(path as never, ...rest) as number;
      this.#pathsByFd.set(fd, path);
      return fd;
    });
    for (const name of ['writeSync', 'fsyncSync', 'fdatasyncSync'] as const) {
      this.#replace(fs, name, (original) => (fd: number, ...rest: never[]) => {
        const error = this.#count(name, this.#pathsByFd.get(fd) ?? '');
        if (error) throw error;
        return original(fd as never, ...rest);
      });
    }
  }
}

let handles: FileHandle | undefined;

/** What all file handles have in common, which the runtime does not export. */
function prototypeOfHandles(): FileHandle {
  if (handles === undefined) throw new Error('call prepareFailingDisk() first');
  return Object.getPrototypeOf(handles) as FileHandle;
}

/** To be called once, before the first {@link FailingDisk}. */
export async function prepareFailingDisk(): Promise<void> {
  handles = await files.open(process.execPath, 'r');
  await handles.close();
}

/** As a disk that becomes full in the middle of a write. */
async function writeHalf(write: Anything, args: never[]): Promise<void> {
  const [bytes, offset = 0, length = 0, position] = args as unknown as [Uint8Array, number, number, number];
  await write(bytes as never, offset as never, (length >> 1) as never, position as never);
}

/** The same for a write of several buffers: half of them, and half of the one behind those. */
async function writeFirstHalf(write: Anything, args: never[]): Promise<void> {
  const [buffers, position] = args as unknown as [Uint8Array[], number];
  const middle = buffers.length >> 1;
  const cut = buffers[middle]!.subarray(0, buffers[middle]!.length >> 1);
  await write([...buffers.slice(0, middle), cut] as never, position as never);
}
