import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AccessError } from '../../../internal/access/access-error.ts';
import {
  AdminClient,
  httpTransport,
  socketTransport,
  Unauthenticated,
} from '../../../internal/admin/client.ts';
import { type AdminOperation, OWNER } from '../../../internal/admin/operation.ts';
import { adminSocketPath } from '../../../internal/admin/socket-path.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { STORE_FILE } from '../../../internal/store/sqlite/store-file.ts';
import { credentialsOf, type GivenCredentials } from '../../cli/credentials.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import type { placeOptions } from './flags.ts';
import { type Login, type Place, type Target, targetOf } from './target.ts';

/** Does operations on a broker, whether it runs or not. */
export interface Admin {
  /** Whether it was a broker that runs. */
  readonly isRunning: boolean;
  /** @throws AccessError, Failure. */
  call<Input extends object, Output>(operation: AdminOperation<Input, Output>, input: Input): Promise<Output>;
}

/** Does operations on a broker that runs. */
export type RunningBroker = Pick<AdminClient, 'call' | 'watch'>;

/** Nobody listens where a broker was to be. */
export class NotRunning extends Failure {}

/**
 * Reaches a broker that runs: by its HTTP door, or by the socket in its folder.
 *
 * @param work is given who one is at the HTTP door, too; nobody in particular by the socket.
 * @throws NotRunning; Failure with one clear line; UsageError.
 */
export async function withBroker<T>(
  place: Place,
  work: (broker: RunningBroker, credentials: GivenCredentials | undefined) => Promise<T>,
): Promise<T> {
  const target = targetOf(place);
  if (target.kind === 'url') return throughUrl(target.url, target.login, place.stop, work);
  const { folder } = target;
  const done = await throughSocket(folder, (client) => work(client, undefined));
  if (done !== undefined) return done.result;
  throw new NotRunning(
    `no broker runs with ${folder}; name its folder with -data-dir, or its HTTP door with -url (a broker with -memory has no folder)`,
  );
}

/**
 * Reaches a broker that runs, else the store in its folder, does the work and closes.
 *
 * @throws Failure with one clear line; UsageError.
 */
export async function withAdmin<T>(
  { values, given, stop }: AdminPlace,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  // Other flags of these commands may be called as those of a login, and mean somebody else.
  const { 'data-dir': dataDir, 'kafka-log-dir': kafkaLogDir, context } = values;
  const place = { 'data-dir': dataDir, 'kafka-log-dir': kafkaLogDir, context };
  const target = targetOf({ values: place, given, stop });
  try {
    if (target.kind === 'url') {
      return await throughUrl(target.url, target.login, stop, (broker) =>
        work({ isRunning: true, call: (operation, input) => broker.call(operation, input) }),
      );
    }
    const done = await throughSocket(target.folder, (client) =>
      work({ isRunning: true, call: (operation, input) => client.call(operation, input) }),
    );
    return done === undefined ? await throughStore(target, work) : done.result;
  } catch (error) {
    if (error instanceof AccessError) throw new Failure(error.message);
    throw error;
  }
}

interface AdminPlace extends Omit<Place, 'values'> {
  values: Values<typeof placeOptions>;
}

/** Does work with the broker that has a folder, by its socket. @returns undefined where nobody listens. */
export async function throughSocket<T>(
  folder: string,
  work: (client: AdminClient) => Promise<T>,
): Promise<{ result: T } | undefined> {
  const path = adminSocketPath(folder);
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return undefined;
  try {
    return { result: await work(new AdminClient(socketTransport(path))) };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' && syscall === 'connect') return undefined;
    if (syscall !== 'connect') throw error;
    const reason = code === 'EACCES' ? 'it belongs to another user of this machine' : systemReason(error);
    throw new Failure(`cannot open the socket of the broker, ${path}: ${reason}`);
  }
}

async function throughUrl<T>(
  url: URL,
  login: Login,
  stop: AbortSignal,
  work: (broker: RunningBroker, credentials: GivenCredentials | undefined) => Promise<T>,
): Promise<T> {
  const { user, passwordFile, tokenFile, tlsCa } = login;
  const values = { user, 'password-file': passwordFile, 'token-file': tokenFile };
  const credentials = await credentialsOf({ values, stop });
  const client = new AdminClient(
    httpTransport({ url, authorization: () => authorizationOf(credentials), ca: pemOf(tlsCa) }),
  );
  try {
    return await work(client, credentials);
  } catch (error) {
    if (error instanceof Unauthenticated && credentials === undefined)
      throw new Failure(`${error.message}: log in with -user or -token-file`);
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string' || error instanceof Failure) throw error;
    if (code === 'ECONNREFUSED') throw new NotRunning(`no broker listens at ${url.href}`);
    throw new Failure(`cannot reach the broker at ${url.href}: ${systemReason(error)}`);
  }
}

/** RFC 7617, RFC 6750. */
function authorizationOf(credentials: GivenCredentials | undefined): string | undefined {
  if (credentials === undefined) return undefined;
  if ('token' in credentials) return `Bearer ${credentials.token()}`;
  return `Basic ${Buffer.from(`${credentials.user}:${credentials.password()}`).toString('base64')}`;
}

export function pemOf(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`-tls-ca: cannot read ${file}: ${systemReason(error)}`);
  }
}

async function throughStore<T>(
  { folder, kafkaLogDirs, isNamed }: Extract<Target, { kind: 'folder' }>,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const isThere = kafkaLogDirs.length > 0 || existsSync(join(folder, STORE_FILE));
  if (!isThere && !isNamed) {
    throw new Failure(
      `no broker runs with ${folder}, and there is no store in it; name the folder of the broker with -data-dir, where a store is made if there is none (a broker with -memory has none: give it -users FILE)`,
    );
  }
  // What opens stores, which nobody needs while a broker runs.
  const { openStoredAccess } = await import('../../../internal/server/stored-access.ts');
  await using stored = await openStoredAccess(
    kafkaLogDirs.length > 0 ? { directories: [...kafkaLogDirs] } : folder,
  );
  return await work({
    isRunning: false,
    call: (operation, input) => operation.run(stored.parts, input, OWNER),
  });
}
