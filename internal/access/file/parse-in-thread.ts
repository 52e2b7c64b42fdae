import { once } from 'node:events';
import { startOwnThread } from '../../lib/own-thread.ts';
import { usersFileInThreadBytes } from '../../limits/access.ts';
import type { DeclaredAccess } from '../access-store.ts';
import { AccessFileError } from './access-file-error.ts';

/** What the thread says. */
export type ParsedInThread = { readonly declared: DeclaredAccess } | { readonly problems: readonly string[] };

/**
 * Does what `parseAccessFile` does; with much text in a thread of its own, because live messages would wait for
 * seconds.
 *
 * @throws AccessFileError; Error where the thread does not start.
 */
export async function parseAside(text: string): Promise<DeclaredAccess> {
  const isLong = text.length >= usersFileInThreadBytes;
  const thread = isLong
    ? startOwnThread('access-file-worker', import.meta.url, { workerData: text })
    : undefined;
  if (thread === undefined) {
    // Loaded here, and not for brokers without such a file: reading YAML takes megabytes.
    const { parseAccessFile } = await import('./parse-access-file.ts');
    return parseAccessFile(text);
  }
  try {
    const [answer] = (await once(thread, 'message')) as [ParsedInThread];
    if ('problems' in answer) throw new AccessFileError(answer.problems);
    return answer.declared;
  } finally {
    await thread.terminate();
  }
}
