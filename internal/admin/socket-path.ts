import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkSocketPath } from '../transport/unix-socket.ts';

/** The socket in the data folder that the owner of a broker administers it by. */
export function adminSocketPath(folder: string): string {
  return join(folder, 'tinymq.sock');
}

/** A path that a socket can be opened by, which its own may be too long for. */
export interface SocketPath {
  readonly path: string;
  /** Lets go of what the path needs. */
  close(): void;
}

/**
 * @throws Error with a sentence, where the path is too long and there is no shorter one; errors of the system.
 */
export function shortSocketPath(path: string): SocketPath {
  try {
    checkSocketPath(path);
    return { path, close: () => {} };
  } catch (error) {
    if (process.platform !== 'linux') throw error;
  }
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, close: () => closeSync(folder) };
}
