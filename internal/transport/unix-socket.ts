import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/** What the address of a unix socket holds beside the NUL at its end. The runtime cuts off silently what is more. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** @throws Error with a sentence, where a path is too long for a socket. */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return;
  throw new Error(`the path of a unix socket has at most ${MAX_PATH_BYTES} bytes`);
}

/**
 * Removes the socket file that a dead broker left behind, so that a new one can listen there. Anything else at
 * that path stays.
 *
 * @throws Error with a sentence, where a living program listens there, the path is no socket, or has no folder.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    // The runtime reports this as a lack of permission (EACCES).
    if (!existsSync(dirname(path))) throw new Error('no such folder');
    return;
  }
  if (!stat.isSocket()) throw new Error('the file there is not a socket');
  if (await isAlive(path)) throw new Error('another program listens there');
  unlinkSync(path);
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Only a refusal proves that nobody is there; a socket that may not be opened, for one, has an owner.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
