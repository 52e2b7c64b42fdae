import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { natsConnectMs, natsPingMs, natsPingsOut } from '../limits/cluster.ts';
import type { FsyncPolicy } from '../store/log-store.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { authenticatorOf } from './credentials.ts';
import { JETSTREAM_ERRORS, type JetStream, JetStreamError, type StreamInfo } from './jetstream.ts';
import { checkMonitors, checkServer, checkServers, SYNC_TAG } from './servers.ts';
import { type TlsFiles, tlsOptionsOf } from './tls-files.ts';

/** How NATS is reached. */
export interface NatsOptions {
  readonly urls: readonly string[];
  /** A file of credentials; see credentials.ts. */
  readonly credentialsFile?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** `commit`: only servers that sync what they acknowledge will do. */
  readonly fsync: FsyncPolicy;
  /** Where servers tell of themselves by HTTP: whether they sync, too. */
  readonly monitors?: readonly string[] | undefined;
  /** Told of servers that cannot be used at the moment, while others can. */
  warn?(problem: string): void;
}

/**
 * @throws StoreUnavailableError where no server answers; StoreError `unsupported` where one that does cannot hold logs, or all refuse
 * this node
 */
export async function connectToNats(wanted: NatsOptions): Promise<NatsConnection> {
  const { urls, fsync, monitors = [], warn } = wanted;
  const options = natsConnectOptions(wanted);
  for (const problem of await checkServers(urls, options)) warn?.(problem);
  for (const problem of await checkMonitors(monitors, fsync, options.tls ?? undefined)) warn?.(problem);
  const connection = await connected({
    ...options,
    servers: [...urls],
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    timeout: natsConnectMs,
    pingInterval: natsPingMs,
    maxPingOut: natsPingsOut,
    // Whoever changes credentials does so on one server after the other.
    ignoreAuthErrorAbort: true,
  });
  if (fsync === 'commit' && monitors.length === 0 && connection.info?.cluster === undefined) {
    await connection.close();
    throw untold(urls);
  }
  if (warn !== undefined) void watchServers(connection, warn);
  return connection;
}

/** What the client of NATS is told of who we are, and whom we trust. @throws StoreError `unsupported` for a file without credentials */
export function natsConnectOptions({
  credentialsFile,
  tls,
}: Pick<NatsOptions, 'credentialsFile' | 'tls'>): NodeConnectionOptions {
  const tlsOptions = tls && tlsOptionsOf(tls);
  return {
    ...(credentialsFile !== undefined && { authenticator: authenticatorOf(credentialsFile) }),
    ...(tlsOptions !== undefined && { tls: tlsOptions }),
  };
}

/** A server on its own takes no notice of the tags that a stream wants, so there is nothing to find out by. */
function untold(urls: readonly string[]): StoreError {
  return new StoreError(
    'unsupported',
    `the NATS server at ${urls.join(', ')} is on its own, and such a one does not say whether it syncs what it acknowledges: name its monitor with -cluster-monitor http://HOST:8222 (http: "HOST:8222" in its configuration), or take -cluster-fsync os`,
  );
}

async function connected(options: NodeConnectionOptions): Promise<NatsConnection> {
  try {
    return await connect(options);
  } catch (error) {
    const reason = `the NATS servers can be used no more: ${(error as Error).message}`;
    throw new StoreUnavailableError('failed', reason, { cause: error });
  }
}

/** A server that was away at the start, or has another configuration since, is looked at when this node comes to it. */
async function watchServers(connection: NatsConnection, warn: (problem: string) => void): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type !== 'reconnect') continue;
    try {
      checkServer(connection.getServer(), connection.info!);
    } catch (error) {
      warn((error as Error).message);
    }
  }
}

/** A stream that is to be there. */
export interface WantedStream {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Whether only the last message of each subject counts. */
  readonly isLastOnly: boolean;
  /** Whether messages may say how long they are wanted. */
  readonly expires?: boolean;
}

/**
 * Makes a stream unless it is there, on three servers, or on the one that there is. Resolves with how many hold it.
 *
 * @throws StoreError `unsupported` where servers do not sync what they acknowledge, and that is asked of them; StoreUnavailableError
 * while too few of them are up
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
      if (error.code === JETSTREAM_ERRORS.nameInUse) return await replicasOf(jetStream, wanted.name, fsync);
      if (error.code === JETSTREAM_ERRORS.noSuitablePeers) throw noServers(fsync, error);
      throw new StoreError('unsupported', `JetStream refuses stream ${wanted.name}: ${error.message}`);
    }
  }
  throw new StoreError('unsupported', `JetStream refuses stream ${wanted.name}`);
}

/** How many hold a stream that was made with other settings. @throws StoreError where those promise less than is asked. */
async function replicasOf(jetStream: JetStream, name: string, fsync: FsyncPolicy): Promise<number> {
  const { config } = await jetStream.ask<StreamInfo>(`STREAM.INFO.${name}`);
  if (fsync === 'commit' && !config.placement?.tags?.includes(SYNC_TAG)) {
    throw new StoreError(
      'unsupported',
      `stream ${name} was made with -cluster-fsync os, so that servers may hold it that do not sync: start with that, or take another -cluster-name`,
    );
  }
  return config.num_replicas;
}

function configOf(
  { name, subjects, isLastOnly, expires = false }: WantedStream,
  replicas: number,
  fsync: FsyncPolicy,
): object {
  return {
    ...{ name, subjects, num_replicas: replicas, storage: 'file', retention: 'limits', discard: 'new' },
    ...{ allow_direct: true, allow_rollup_hdrs: true, allow_atomic: true, allow_msg_ttl: expires },
    ...{ max_msgs_per_subject: isLastOnly ? 1 : -1, max_msgs: -1, max_bytes: -1, max_age: 0 },
    // Sequences tell what comes again, and a window of ids would be memory for nothing.
    duplicate_window: 0,
    ...(fsync === 'commit' && { placement: { tags: [SYNC_TAG] } }),
  };
}

/** JetStream names in one sentence why it passed over servers. */
function noServers(fsync: FsyncPolicy, error: JetStreamError): StoreError {
  if (NOT_HEARD.test(error.message) && !NOT_TAGGED.test(error.message)) {
    const reason = `JetStream has not heard from all the NATS servers that are to hold logs (${error.message})`;
    return new StoreUnavailableError('no-majority', reason);
  }
  const reason =
    fsync === 'os'
      ? 'JetStream finds no three servers for the logs'
      : `JetStream finds no three servers that sync what they acknowledge: write sync_interval: always into jetstream { … } of each, and server_tags: ["${SYNC_TAG}"] beside it`;
  return new StoreError('unsupported', `${reason} (${error.message})`);
}

/** Its leader knows that there is such a server, and nothing else of it: it is down, or comes up. */
const NOT_HEARD = /peer offline|miscellaneous issue/;
/** Whoever waits does so in vain. */
const NOT_TAGGED = /tags not matched/;
