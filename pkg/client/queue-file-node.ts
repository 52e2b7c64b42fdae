import { randomBytes } from 'node:crypto';
import * as nodeFileSystem from 'node:fs';
import { systemReason } from '../../internal/lib/system-reason.ts';
import type { CountBit } from '../../internal/protocol/frame/acknowledgements.ts';
import { FrameBit } from '../../internal/protocol/frame/frame.ts';
import { QueueFileError, TinymqError } from './errors.ts';
import type { PromisedMessage, QueueFile, QueueState } from './queue-file.ts';
import { lockQueue } from './queue-lock.ts';
import {
  encodeRecord,
  FILE_HEAD_BYTES,
  type Numbering,
  QUEUE_MAGIC,
  type QueueRecord,
  readRecords,
  SALT_BYTES,
} from './queue-records.ts';

/** What a queue needs of the file system; a test has one that fails. */
export type FileSystem = Pick<
  typeof nodeFileSystem,
  | 'closeSync'
  | 'copyFileSync'
  | 'fsyncSync'
  | 'fstatSync'
  | 'ftruncateSync'
  | 'openSync'
  | 'readSync'
  | 'renameSync'
  | 'rmSync'
  | 'writeSync'
>;

const { O_CREAT, O_RDWR } = nodeFileSystem.constants;
/** Messages may be secret. */
const OWNER_ONLY = 0o600;
/** A file is written anew when so much of it says nothing any more, and at least as much as still does. */
const WASTE_BYTES = 1024 * 1024;
/** As much as one record can say of its length, with room for its head. */
const MAX_FRAME_BYTES = 0x7fff_ffff;

/**
 * A queue in a file. Invariants:
 *
 * - What {@link add} has returned from is in the file: the end of this process costs nothing of it, and that of the machine what the
 *   system had not written by then.
 * - Records are written at {@link #end} and nowhere else, so that one that failed half-way is written over. What is behind it is cut off,
 *   and where that fails too, its checksum tells it from a record.
 * - One process has it.
 */
export class NodeQueueFile implements QueueFile {
  readonly kept: QueueState | undefined;
  readonly problem: QueueFileError | undefined;
  readonly #path: string;
  readonly #clientId: string;
  readonly #fs: FileSystem;
  #unlock: (() => void) | undefined;
  #descriptor = -1;
  #salt: Uint8Array = new Uint8Array(SALT_BYTES);
  #end = 0;

  /** @throws QueueFileError; TinymqError `invalid-option` where it is the queue of another client. */
  constructor(path: string, clientId: string, fs: FileSystem = nodeFileSystem) {
    this.#path = path;
    this.#clientId = clientId;
    this.#fs = fs;
    this.#unlock = lockQueue(path);
    try {
      const found = this.#read();
      this.problem = found.problem;
      this.kept = found.kept;
    } catch (error) {
      this.close();
      throw error instanceof TinymqError ? error : this.#failed(error);
    }
  }

  isWasteful(usedBytes: number): boolean {
    return this.#end - usedBytes > Math.max(WASTE_BYTES, usedBytes);
  }

  add(message: PromisedMessage): void {
    if (message.frame.length > MAX_FRAME_BYTES) throw this.#failed(new Error('the message is too large'));
    this.#append({ kind: 'message', message });
  }

  answered(count: CountBit, messages: number): void {
    this.#append({ kind: 'answered', count, messages });
  }

  rewrite(state: QueueState): void {
    const newPath = `${this.#path}.new`;
    let descriptor = -1;
    try {
      descriptor = this.#fs.openSync(newPath, 'w', OWNER_ONLY);
      const salt = randomBytes(SALT_BYTES);
      const end = this.#writeState(descriptor, salt, state);
      this.#fs.fsyncSync(descriptor);
      this.#fs.renameSync(newPath, this.#path);
      this.#goOnIn(descriptor, salt, end);
    } catch (error) {
      closeQuietly(this.#fs, descriptor);
      this.#fs.rmSync(newPath, { force: true });
      throw this.#failed(error);
    }
  }

  close(): void {
    closeQuietly(this.#fs, this.#descriptor);
    this.#descriptor = -1;
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** What the file has. One that is new, or was not begun to its end, has nothing. */
  #read(): { kept: QueueState | undefined; problem: QueueFileError | undefined } {
    // Neither emptied nor, where it exists, given other permissions.
    this.#descriptor = this.#fs.openSync(this.#path, O_RDWR | O_CREAT, OWNER_ONLY);
    const { size } = this.#fs.fstatSync(this.#descriptor);
    const head = this.#readAt(0, FILE_HEAD_BYTES);
    const magic = head.subarray(0, QUEUE_MAGIC.length);
    if (!magic.every((byte, index) => byte === QUEUE_MAGIC[index])) {
      throw new QueueFileError('queue-failed', this.#path, 'it is no queue of this version of tinymq');
    }
    this.#salt = head.subarray(QUEUE_MAGIC.length);
    const { records, torn } = readRecords((at, length) => this.#readAt(at, length), size, this.#salt);
    const problem = torn && !torn.isUnfinished ? this.#setAside(size - torn.at) : undefined;
    this.#end = torn?.at ?? size;
    if (torn !== undefined) this.#fs.ftruncateSync(this.#descriptor, this.#end);
    return { kept: this.#stateOf(records), problem };
  }

  /** Keeps a copy of what is not understood. */
  #setAside(bytes: number): QueueFileError {
    const copy = `${this.#path}.damaged`;
    this.#fs.copyFileSync(this.#path, copy);
    return new QueueFileError(
      'queue-damaged',
      this.#path,
      `${bytes} bytes at its end cannot be read; ${copy} has them`,
    );
  }

  #stateOf(records: readonly QueueRecord[]): QueueState | undefined {
    const waiting = new Map<CountBit, PromisedMessage[]>([
      [FrameBit.acknowledged, []],
      [FrameBit.once, []],
    ]);
    let numbering: Numbering | undefined;
    for (const record of records) {
      if (record.kind === 'numbering') numbering = record.numbering;
      else if (record.kind === 'message') waiting.get(record.message.count)!.push(record.message);
      else waiting.get(record.count)!.splice(0, record.messages);
    }
    if (numbering === undefined) return undefined;
    const { clientId, producer } = numbering;
    if (clientId !== this.#clientId) {
      throw new TinymqError('invalid-option', `the queue ${this.#path} is that of the client ${clientId}`);
    }
    return {
      producer,
      acknowledged: numbering.acknowledged + onceAnsweredIn(records),
      messages: [...waiting.values()].flat(),
    };
  }

  /** Returns where it ends. */
  #writeState(
    descriptor: number,
    salt: Uint8Array,
    { producer, acknowledged, messages }: QueueState,
  ): number {
    const numbering: Numbering = { clientId: this.#clientId, producer, acknowledged };
    let end = this.#writeAll(descriptor, Buffer.concat([QUEUE_MAGIC, salt]), 0);
    end = this.#writeAll(descriptor, encodeRecord({ kind: 'numbering', numbering }, salt, end), end);
    for (const message of messages)
      end = this.#writeAll(descriptor, encodeRecord({ kind: 'message', message }, salt, end), end);
    return end;
  }

  #append(record: QueueRecord): void {
    const bytes = encodeRecord(record, this.#salt, this.#end);
    try {
      this.#end = this.#writeAll(this.#descriptor, bytes, this.#end);
    } catch (error) {
      this.#cutTail();
      throw this.#failed(error);
    }
  }

  /** A full disk gets back what did not help. */
  #cutTail(): void {
    try {
      this.#fs.ftruncateSync(this.#descriptor, this.#end);
    } catch {
      // Then it is written over.
    }
  }

  /** Returns where it ends. */
  #writeAll(descriptor: number, bytes: Uint8Array, at: number): number {
    let written = 0;
    while (written < bytes.length) {
      written += this.#fs.writeSync(descriptor, bytes, written, bytes.length - written, at + written);
    }
    return at + bytes.length;
  }

  #readAt(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let read = 0;
    while (read < length) {
      const count = this.#fs.readSync(this.#descriptor, bytes, read, length - read, at + read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  }

  #goOnIn(descriptor: number, salt: Uint8Array, end: number): void {
    const before = this.#descriptor;
    this.#descriptor = descriptor;
    this.#salt = salt;
    this.#end = end;
    closeQuietly(this.#fs, before);
  }

  #failed(error: unknown): QueueFileError {
    return new QueueFileError('queue-failed', this.#path, systemReason(error), error);
  }
}

/** What was written with it stays written. */
function closeQuietly(fs: FileSystem, descriptor: number): void {
  if (descriptor === -1) return;
  try {
    fs.closeSync(descriptor);
  } catch {
    // It is not open any more.
  }
}

function onceAnsweredIn(records: readonly QueueRecord[]): number {
  let sum = 0;
  for (const record of records) {
    if (record.kind === 'answered' && record.count === FrameBit.once) sum += record.messages;
  }
  return sum;
}
