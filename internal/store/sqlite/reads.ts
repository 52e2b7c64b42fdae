import type { Worker } from 'node:worker_threads';
import type { Availability } from '../availability.ts';
import type { StoredBatch } from '../log-store.ts';
import { StoreUnavailableError } from '../store-error.ts';
import {
  type FromReader,
  OWN_BUFFER_BYTES,
  type PackedBatches,
  READ_FIELDS,
  type ReadRequest,
  type ToReader,
} from './messages.ts';
import { endThread, errorOf, startThread } from './thread.ts';

/** The reads that the thread which reads is asked for. It starts when it is needed, and again if it ended. */
export class SqliteReads {
  readonly #directory: string;
  readonly #availability: Availability;
  readonly #asked = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;
  #thread: Worker | undefined;

  constructor(directory: string, availability: Availability) {
    this.#directory = directory;
    this.#availability = availability;
  }

  /** Starts the thread before somebody asks. */
  start(): Worker {
    this.#thread ??= startThread<FromReader>(
      { role: 'reader', directory: this.#directory },
      (message) => this.#settle(message),
      (thread, message) => this.#ended(thread, message),
    );
    return this.#thread;
  }

  /** @throws StoreError as the request has it; StoreUnavailableError */
  ask(request: ReadRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#availability.demandOpen();
      const id = ++this.#lastId;
      const thread = this.start();
      this.#asked.set(id, { resolve, reject });
      thread.postMessage({ id, request } satisfies ToReader);
    });
  }

  /** Answers what was asked, then ends the thread. */
  close(): Promise<void> {
    return endThread(this.#thread);
  }

  #settle(message: FromReader): void {
    const { resolve, reject } = this.#asked.get(message.id)!;
    this.#asked.delete(message.id);
    switch (message.kind) {
      case 'answered':
        resolve(message.answer);
        return;
      case 'refused':
        reject(errorOf(message.refusal, 'failed'));
        return;
      case 'corrupt':
        reject(this.#availability.corrupt(message.partition, message.baseOffset, message.lastOffset));
    }
  }

  #ended(thread: Worker, message: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    const failed = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of failed) reject(new StoreUnavailableError('failed', message));
  }
}

/** The batches of an answer that begin below an offset. */
export function unpack({ fields, slab, buffers }: PackedBatches, untilOffset: number): StoredBatch[] {
  const batches: StoredBatch[] = [];
  let slabUsed = 0;
  let buffer = 0;
  for (let at = 0; at < fields.length && fields[at]! < untilOffset; at += READ_FIELDS) {
    const byteLength = fields[at + 4]!;
    const isShort = byteLength < OWN_BUFFER_BYTES;
    batches.push({
      baseOffset: fields[at]!,
      lastOffset: fields[at + 1]!,
      count: fields[at + 2]!,
      maxTimestamp: fields[at + 3]!,
      bytes: isShort ? new Uint8Array(slab, slabUsed, byteLength) : new Uint8Array(buffers[buffer++]!),
    });
    if (isShort) slabUsed += byteLength;
  }
  return batches;
}
