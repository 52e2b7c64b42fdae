import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { CorruptBatchError, StoreError, unavailableReason } from '../store-error.ts';
import {
  closeQuietly,
  demandFile,
  isDamage,
  lockDirectory,
  NamedFiles,
  openForReading,
  openForWriting,
  RemovedFileError,
  setAside,
} from './files.ts';
import type {
  FromReader,
  FromWriter,
  PackedBatches,
  Refusal,
  ToReader,
  ToWriter,
  WorkerRole,
  WriteTransaction,
} from './messages.ts';
import { SqliteReader } from './reader.ts';
import { SqliteWriter } from './writer.ts';

/** The two threads of the SQLite store: one writes, one reads. All that may wait for the disk happens here. */

const port = parentPort!;
const role = workerData as WorkerRole;

if (role.role === 'writer') write(role);
else read(role.directory);

function write({ directory, fsync }: Extract<WorkerRole, { role: 'writer' }>): void {
  let lock: DatabaseSync | undefined;
  let writer: SqliteWriter | undefined;
  let files: NamedFiles | undefined;
  let isSweeping = false;

  port.on('message', (message: ToWriter) => {
    switch (message.kind) {
      case 'open':
        return open(message.isFirst, message.keepUntil);
      case 'group':
        return apply(message);
      case 'close':
        writer?.close();
        if (lock) closeQuietly(lock);
        port.close();
    }
  });

  function open(isFirst: boolean, keepUntil: Map<number, number>): void {
    let moved: { file: string; reason: string } | undefined;
    // One that was opened again, and not used, as its disk has no room.
    writer?.close();
    writer = undefined;
    try {
      lock ??= lockDirectory(directory);
      if (!isFirst) demandFile(directory);
      try {
        writer = new SqliteWriter(openForWriting(directory, fsync), keepUntil);
      } catch (error) {
        // A running broker knows more than an empty file would: only a start may begin anew.
        if (!isFirst || !isDamage(error)) throw error;
        moved = { file: setAside(directory), reason: (error as Error).message };
        writer = new SqliteWriter(openForWriting(directory, fsync), keepUntil);
      }
      files = new NamedFiles(directory);
      tell({ kind: 'opened', state: writer.state, setAside: moved });
      sweepSoon();
    } catch (error) {
      tell({ kind: 'open-failed', refusal: refusalOf(error), reason: unavailableReason(error) });
    }
  }

  function apply(group: WriteTransaction): void {
    // Changes that were under way when writing failed were rejected already.
    if (!writer) return;
    try {
      const { outcomes, took } = writer.apply(group);
      files!.demand();
      tell({ kind: 'group-done', slab: group.slab, outcomes, took }, [group.slab]);
      sweepSoon();
    } catch (error) {
      fail(error);
    }
  }

  /** Gives back space step by step, with the groups that come in between. */
  function sweepSoon(): void {
    if (isSweeping) return;
    isSweeping = true;
    setImmediate(() => {
      isSweeping = false;
      try {
        if (writer?.sweep()) sweepSoon();
      } catch (error) {
        fail(error);
      }
    });
  }

  function fail(error: unknown): void {
    if (error instanceof RemovedFileError) restore();
    writer?.close();
    writer = undefined;
    tell({ kind: 'failed', reason: unavailableReason(error), message: (error as Error).message });
  }

  /** Whether that was possible shows where it is opened again. */
  function restore(): void {
    try {
      writer?.restore(directory);
    } catch {
      // The disk does not take it, or the folder is gone.
    }
  }

  function tell(message: FromWriter, transfer?: ArrayBuffer[]): void {
    port.postMessage(message, transfer);
  }
}

function read(directory: string): void {
  const reader = new SqliteReader(openForReading(directory));
  port.on('message', (message: ToReader) => {
    if ('kind' in message) {
      reader.close();
      port.close();
      return;
    }
    const { id, request } = message;
    try {
      const answer = reader.answer(request);
      const transfer = request.kind === 'read' ? buffersOf(answer as PackedBatches) : [];
      port.postMessage({ id, kind: 'answered', answer } satisfies FromReader, transfer);
    } catch (error) {
      port.postMessage(failureOf(id, error));
    }
  });
}

function buffersOf({ fields, slab, buffers }: PackedBatches): ArrayBuffer[] {
  return [fields.buffer, slab, ...buffers];
}

function failureOf(id: number, error: unknown): FromReader {
  if (error instanceof CorruptBatchError) {
    const { partition, baseOffset, lastOffset } = error;
    return { id, kind: 'corrupt', partition, baseOffset, lastOffset };
  }
  return { id, kind: 'refused', refusal: refusalOf(error) };
}

function refusalOf(error: unknown): Refusal {
  const { message } = error as Error;
  if (error instanceof StoreError) return { code: error.code, message };
  return { code: isDamage(error) ? 'corrupt' : 'unavailable', message };
}
