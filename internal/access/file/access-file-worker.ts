import { parentPort, workerData } from 'node:worker_threads';
import { AccessError } from '../access-error.ts';
import { AccessFileError } from './access-file-error.ts';
import { parseAccessFile } from './parse-access-file.ts';
import type { ParsedInThread } from './parse-in-thread.ts';

/** The thread in which a file of users is read. It gets the text, and gives back what it declares or what is wrong. */
function parsed(text: string): ParsedInThread {
  try {
    return { declared: parseAccessFile(text) };
  } catch (error) {
    if (error instanceof AccessFileError) return { problems: error.problems };
    if (error instanceof AccessError) return { problems: [error.message] };
    throw error;
  }
}

parentPort!.postMessage(parsed(workerData as string));
