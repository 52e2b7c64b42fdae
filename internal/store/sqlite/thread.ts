import type { Worker } from 'node:worker_threads';
import { startOwnThread } from '../../lib/own-thread.ts';
import { StoreError, StoreUnavailableError, type UnavailableReason } from '../store-error.ts';
import type { Refusal, ToReader, ToWriter, WorkerRole } from './messages.ts';

/**
 * Starts one of the two threads of the store.
 *
 * @param told gets what it says.
 * @param ended is called when it has ended, perhaps more than once.
 * @throws StoreError `unsupported` where its file is missing
 */
export function startThread<Message>(
  role: WorkerRole,
  told: (message: Message) => void,
  ended: (thread: Worker, message: string) => void,
): Worker {
  // Node calls SQLite experimental; whoever runs a broker can do nothing about that.
  const execArgv = ['--disable-warning=ExperimentalWarning'];
  const thread = startOwnThread('sqlite-worker', import.meta.url, { workerData: role, execArgv });
  if (!thread) throw new StoreError('unsupported', 'this copy of tinymq lacks its file sqlite-worker.js');
  thread.on('message', told);
  thread.on('error', (error: Error) => ended(thread, error.message));
  thread.on('exit', () => ended(thread, 'the thread of the store ended'));
  return thread;
}

/** Asks a thread to close, and resolves when it has ended. */
export async function endThread(thread: Worker | undefined): Promise<void> {
  if (!thread) return;
  const ended = new Promise((resolve) => thread.once('exit', resolve));
  thread.postMessage({ kind: 'close' } satisfies ToReader & ToWriter);
  await ended;
}

/** An error that a thread sent, as the error that it was there. */
export function errorOf({ code, message }: Refusal, reason: UnavailableReason): StoreError {
  return code === 'unavailable' ? new StoreUnavailableError(reason, message) : new StoreError(code, message);
}
