import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';

const SOURCE = fileURLToPath(new URL('shim.c', import.meta.url));

/** What is refused first; all calls that change the disk are refused behind it. */
export interface Refusal {
  /** The call as the trace names it, and a pattern for the path of its file below the folder. */
  readonly call: string;
  readonly file: string;
  readonly error: 'EIO' | 'ENOSPC';
  /** So many calls that fit are let through before. */
  readonly passes?: number;
}

/**
 * The disk below one folder for processes that are started with {@link env}: a library between them and the system's (shim.c)
 * traces the calls by which they change something there, SQLite's too, and refuses them when a test says so.
 */
export class RefusingDisk implements Disposable {
  readonly env: NodeJS.ProcessEnv;
  readonly #place = mkdtempSync(join(tmpdir(), 'tinymq-refusing-'));
  readonly #control: number;
  readonly #trace = join(this.#place, 'trace');

  /** @param folder must be there. */
  constructor(folder: string) {
    const library = join(this.#place, 'shim.so');
    const { status, stderr } = spawnSync('cc', [...COMPILED, '-o', library, SOURCE, '-ldl'], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`cc ends with ${status}: ${stderr}`);
    const control = join(this.#place, 'control');
    this.#control = openSync(control, 'w+');
    ftruncateSync(this.#control, CONTROL_BYTES);
    writeFileSync(this.#trace, '');
    this.env = {
      LD_PRELOAD: library,
      DISK_FOLDER: realpathSync(folder),
      DISK_CONTROL: control,
      DISK_TRACE: this.#trace,
    };
  }

  /** Refuses the next call that fits, and everything behind it until {@link mend}. */
  refuse({ call, file, error, passes = 0 }: Refusal): void {
    this.mend();
    this.#writeText(CALL_AT, FILE_AT - CALL_AT, call);
    this.#writeText(FILE_AT, FIRST_AT - FILE_AT, file);
    this.#writeText(FIRST_AT, CONTROL_BYTES - FIRST_AT, '');
    this.#write(REFUSED_AT, 0);
    this.#write(ERROR_AT, constants.errno[error]);
    this.#write(PASSES_AT, passes);
    this.#write(ARMED_AT, 1);
  }

  mend(): void {
    this.#write(ARMED_AT, 0);
    this.#write(REFUSING_AT, 0);
  }

  /** The call that was refused first, as `call path`; undefined as long as there was none. */
  get first(): string | undefined {
    if (this.#read(REFUSED_AT) === 0) return undefined;
    const bytes = Buffer.alloc(CONTROL_BYTES - FIRST_AT);
    readSync(this.#control, bytes, 0, bytes.length, FIRST_AT);
    return bytes.toString('utf8', 0, bytes.indexOf(0));
  }

  /** Waits until something was refused. */
  async refused(): Promise<string> {
    return eventually(() => this.first, 'a call that is refused');
  }

  /** Whether calls are written down. */
  trace(isTraced: boolean): void {
    this.#write(TRACED_AT, isTraced ? 1 : 0);
  }

  /** What was traced until now, as `call path`. */
  traced(): string[] {
    return readFileSync(this.#trace, 'utf8').split('\n').slice(0, -1);
  }

  [Symbol.dispose](): void {
    closeSync(this.#control);
    rmSync(this.#place, { recursive: true, force: true });
  }

  #read(at: number): number {
    const bytes = Buffer.alloc(4);
    readSync(this.#control, bytes, 0, 4, at);
    return bytes.readInt32LE();
  }

  #write(at: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    writeSync(this.#control, bytes, 0, 4, at);
  }

  #writeText(at: number, roomBytes: number, text: string): void {
    const bytes = Buffer.alloc(roomBytes);
    bytes.write(text);
    writeSync(this.#control, bytes, 0, roomBytes, at);
  }
}

/** Why there can be no such disk here; undefined where there can. */
export function whyNoRefusingDisk(): string | undefined {
  if (process.platform !== 'linux') return 'only with Linux';
  if (!isGlibc()) return 'only with the C library of GNU';
  if (spawnSync('cc', ['--version']).status !== 0) return 'only where there is a C compiler, cc';
  return undefined;
}

function isGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined && existsSync('/proc/self/fd');
}

const COMPILED = ['-shared', '-fPIC', '-O1'];

// `struct control` of shim.c.
const ARMED_AT = 0;
const ERROR_AT = 4;
const PASSES_AT = 8;
const REFUSING_AT = 12;
const TRACED_AT = 16;
const REFUSED_AT = 20;
const CALL_AT = 64;
const FILE_AT = 128;
const FIRST_AT = 384;
const CONTROL_BYTES = 896;
