import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { AccessError } from '../../../internal/access/access-error.ts';
import { AdminClient } from '../../../internal/admin/client.ts';
import { type AdminOperation, OWNER } from '../../../internal/admin/operation.ts';
import { adminSocketPath } from '../../../internal/admin/socket-path.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { openStoredAccess } from '../../../internal/server/stored-access.ts';
import { STORE_FILE } from '../../../internal/store/sqlite/store-file.ts';
import type { Values } from '../../cli/options/option.ts';
import type { placeOptions } from './flags.ts';

/** Does operations on a broker, whether it runs or not. */
export interface Admin {
  /** Whether it was a broker that runs. */
  readonly isRunning: boolean;
  /** @throws AccessError, Failure. */
  call<Input extends object, Output>(operation: AdminOperation<Input, Output>, input: Input): Promise<Output>;
}

interface Place {
  values: Values<typeof placeOptions>;
  given: ReadonlySet<string>;
}

/**
 * Reaches a broker that runs by the socket in its folder, else the store in the folder, does the work and closes.
 *
 * @throws Failure with one clear line.
 */
export async function withAdmin<T>(place: Place, work: (admin: Admin) => Promise<T>): Promise<T> {
  const folder = place.values['kafka-log-dir'][0] ?? place.values['data-dir'];
  try {
    return (await throughSocket(folder, work)) ?? (await throughStore(folder, place, work));
  } catch (error) {
    if (error instanceof AccessError) throw new Failure(error.message);
    throw error;
  }
}

/**
 * Does work on a broker that runs: what it has only in memory.
 *
 * @throws Failure with one clear line.
 */
export async function withBroker<T>(
  { values }: Place,
  work: (broker: AdminClient) => Promise<T>,
): Promise<T> {
  const folder = values['kafka-log-dir'][0] ?? values['data-dir'];
  const client = new AdminClient(adminSocketPath(folder));
  const done = await throughSocket(folder, async () => ({ result: await work(client) }));
  if (done !== undefined) return done.result;
  throw new Failure(`no broker runs with ${folder}; name the folder of the broker with -data-dir`);
}

/** Undefined where nobody listens. */
async function throughSocket<T>(folder: string, work: (admin: Admin) => Promise<T>): Promise<T | undefined> {
  const path = adminSocketPath(folder);
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return undefined;
  const client = new AdminClient(path);
  try {
    return await work({ isRunning: true, call: (operation, input) => client.call(operation, input) });
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' && syscall === 'connect') return undefined;
    if (syscall !== 'connect') throw error;
    const reason = code === 'EACCES' ? 'it belongs to another user of this machine' : systemReason(error);
    throw new Failure(`cannot open the socket of the broker, ${path}: ${reason}`);
  }
}

async function throughStore<T>(
  folder: string,
  { values, given }: Place,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const logDirs = values['kafka-log-dir'];
  const isThere = logDirs.length > 0 || existsSync(join(folder, STORE_FILE));
  if (!isThere && !given.has('data-dir')) {
    throw new Failure(
      `no broker runs with ${folder}, and there is no store in it; name the folder of the broker with -data-dir (a broker with -memory has none: give it -users FILE)`,
    );
  }
  await using stored = await openStoredAccess(logDirs.length > 0 ? { directories: logDirs } : folder);
  return await work({
    isRunning: false,
    call: (operation, input) => operation.run(stored.parts, input, OWNER),
  });
}
