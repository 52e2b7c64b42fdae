import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { systemReason } from '../../lib/system-reason.ts';
import { maxUsersFileBytes } from '../../limits/access.ts';
import type { DeclaredAccess } from '../access-store.ts';
import { parseAside } from './parse-in-thread.ts';

/** What became of a look at a file that had changed. */
export type AccessFileOutcome =
  | { readonly kind: 'taken'; readonly declared: DeclaredAccess }
  | { readonly kind: 'unchanged' }
  /** What was before stays. */
  | { readonly kind: 'refused'; readonly error: Error };

export interface AccessFileOptions {
  file: string;
  /** How often it is looked at. */
  watchMs: number;
  /** Takes over what the file declares. @throws Error where that is not possible, and then nothing has changed. */
  take(declared: DeclaredAccess): void;
  /** Hears of what becomes of each change, and of each {@link AccessFile.reload}. */
  report(outcome: AccessFileOutcome): void;
}

/**
 * The declarative file of users and rules, read again when it changes: all of it or nothing. It is looked at now and then,
 * which survives what notifications do not: files that are replaced, and links that are switched to another folder. A file
 * that changes from one look to the next is still being written, and waits.
 */
export class AccessFile {
  readonly #options: AccessFileOptions;
  readonly #timer: NodeJS.Timeout;
  /** Of the content that was taken. */
  #digest = '';
  /** The state of the file that was dealt with. */
  #handled: string;
  #seen: string;
  #lastProblem = '';
  #work: Promise<void> = Promise.resolve();
  #isLooking = false;

  private constructor(options: AccessFileOptions, state: string) {
    this.#options = options;
    this.#handled = this.#seen = state;
    this.#timer = setInterval(() => void this.#look(), options.watchMs).unref();
  }

  /** Reads the file for the first time. @throws Error with a sentence that names the file. */
  static async open(options: AccessFileOptions): Promise<AccessFile> {
    const state = await stateOf(options.file);
    const { declared, digest } = await read(options.file);
    options.take(declared);
    const opened = new AccessFile(options, state);
    opened.#digest = digest;
    return opened;
  }

  /** Reads the file now. It never rejects: what is wrong is reported. */
  reload(): Promise<void> {
    this.#lastProblem = '';
    return this.#take(async () => stateOf(this.#options.file));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#work;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const state = await stateOf(this.#options.file);
      const isSettled = state === this.#seen;
      this.#seen = state;
      if (isSettled && state !== this.#handled) await this.#take(async () => state);
    } finally {
      this.#isLooking = false;
    }
  }

  #take(state: () => Promise<string>): Promise<void> {
    this.#work = this.#work.then(async () => this.#read(await state()));
    return this.#work;
  }

  async #read(state: string): Promise<void> {
    const { file, take, report } = this.#options;
    try {
      const { declared, digest } = await read(file);
      this.#handled = state;
      if (digest === this.#digest) {
        report({ kind: 'unchanged' });
      } else {
        take(declared);
        this.#digest = digest;
        report({ kind: 'taken', declared });
      }
      this.#lastProblem = '';
    } catch (error) {
      // What could not be read is tried again at the next look, and told once.
      if (!(error instanceof UnreadableError)) this.#handled = state;
      if (this.#lastProblem === (error as Error).message) return;
      this.#lastProblem = (error as Error).message;
      report({ kind: 'refused', error: error as Error });
    }
  }
}

/** The file could not be read at this moment. */
class UnreadableError extends Error {}

/** Reads and checks a file. @throws Error with a sentence that names the file. */
export async function read(file: string): Promise<{ declared: DeclaredAccess; digest: string }> {
  const bytes = await contentOf(file);
  const digest = createHash('sha256').update(bytes).digest('base64');
  if (!isUtf8(bytes)) throw new Error(`${file} is not used: it is no text in UTF-8`);
  try {
    return { declared: await parseAside(bytes.toString()), digest };
  } catch (error) {
    throw new Error(`${file} is not used: ${(error as Error).message}`, { cause: error });
  }
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > maxUsersFileBytes) throw new Error(`it has more than ${maxUsersFileBytes} bytes`);
    return await handle.readFile();
  } catch (error) {
    throw new UnreadableError(`cannot read ${file}: ${systemReason(error)}`, { cause: error });
  }
}

/** What changes with each change of the file, links on the way to it included. */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}
