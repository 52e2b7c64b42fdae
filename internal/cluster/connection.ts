import { readFileSync } from 'node:fs';
import { connect, credsAuthenticator, type NatsConnection, type TlsOptions } from '@nats-io/transport-node';
import { leastMaxPayloadBytes } from '../limits/cluster.ts';
import type { FsyncPolicy } from '../store/log-store.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { JETSTREAM_ERRORS, type JetStream, JetStreamError } from './jetstream.ts';

/** How NATS is reached. */
export interface NatsOptions {
  readonly urls: readonly string[];
  /** A file of credentials, with a JWT and a key. */
  readonly credentialsFile?: string | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** Atomic batches and their dependable forms came with it. */
const LEAST_VERSION = [2, 14] as const;
/** What stands beside `sync_interval: always` in the configuration of a server, so that streams find it. */
const SYNC_TAG = 'sync:always';

/** @throws StoreUnavailableError where no server answers; StoreError `unsupported` where they cannot hold logs */
export async function connectToNats({ urls, credentialsFile, tls }: NatsOptions): Promise<NatsConnection> {
  let connection: NatsConnection;
  try {
    connection = await connect({
      servers: [...urls],
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      ...(credentialsFile !== undefined && {
        authenticator: credsAuthenticator(new Uint8Array(readFileSync(credentialsFile))),
      }),
      ...(tls !== undefined && { tls }),
    });
  } catch (error) {
    const reason = `no NATS server at ${urls.join(', ')}: ${(error as Error).message}`;
    throw new StoreUnavailableError('failed', reason, { cause: error });
  }
  try {
    checkServer(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

/** @throws StoreError `unsupported`, with what to write */
function checkServer({ info }: NatsConnection): void {
  const { version = '0.0', max_payload = 0, jetstream } = info ?? {};
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor < LEAST_VERSION[1])) {
    const least = LEAST_VERSION.join('.');
    throw new StoreError('unsupported', `nats-server ${version} is too old: it has to be ${least} or newer`);
  }
  if (!jetstream) {
    throw new StoreError(
      'unsupported',
      'the NATS server has no JetStream: write jetstream { … } into its configuration',
    );
  }
  if (max_payload < leastMaxPayloadBytes) {
    throw new StoreError(
      'unsupported',
      `max_payload of the NATS server is ${max_payload} bytes, fewer than a batch may have: write max_payload: 8MB into its configuration`,
    );
  }
}

/** A stream that is to be there. */
export interface WantedStream {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Whether only the last message of each subject counts. */
  readonly isLastOnly: boolean;
}

/**
 * Makes a stream unless it is there, on three servers, or on the one that there is. Resolves with how many hold it.
 *
 * @throws StoreError `unsupported` where servers do not sync what they acknowledge, and that is asked of them
 */
export async function makeStream(
  jetStream: JetStream,
  wanted: WantedStream,
  fsync: FsyncPolicy,
): Promise<number> {
  for (const replicas of [3, 1]) {
    try {
      const config = configOf(wanted, replicas, fsync);
      await jetStream.ask(`STREAM.CREATE.${wanted.name}`, config);
      return replicas;
    } catch (error) {
      if (!(error instanceof JetStreamError)) throw error;
      if (error.code === JETSTREAM_ERRORS.replicasAlone) continue;
      if (error.code === JETSTREAM_ERRORS.nameInUse) return replicas;
      if (error.code === JETSTREAM_ERRORS.noSuitablePeers) throw noServers(fsync, error);
      throw new StoreError('unsupported', `JetStream refuses stream ${wanted.name}: ${error.message}`);
    }
  }
  throw new StoreError('unsupported', `JetStream refuses stream ${wanted.name}`);
}

function configOf(
  { name, subjects, isLastOnly }: WantedStream,
  replicas: number,
  fsync: FsyncPolicy,
): object {
  return {
    ...{ name, subjects, num_replicas: replicas, storage: 'file', retention: 'limits', discard: 'new' },
    ...{ allow_direct: true, allow_rollup_hdrs: true, allow_atomic: true },
    ...{ max_msgs_per_subject: isLastOnly ? 1 : -1, max_msgs: -1, max_bytes: -1, max_age: 0 },
    // Sequences tell what comes again, and a window of ids would be memory for nothing.
    duplicate_window: 0,
    ...(fsync === 'commit' && { placement: { tags: [SYNC_TAG] } }),
  };
}

function noServers(fsync: FsyncPolicy, error: JetStreamError): StoreError {
  const reason =
    fsync === 'os'
      ? 'JetStream finds no three servers for the logs'
      : `JetStream finds no three servers that sync what they acknowledge: write sync_interval: always into jetstream { … } of each, and server_tags: ["${SYNC_TAG}"] beside it`;
  return new StoreError('unsupported', `${reason} (${error.message})`);
}
