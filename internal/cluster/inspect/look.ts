import { connect, type NatsConnection } from '@nats-io/transport-node';
import { StoreUnavailableError } from '../../store/store-error.ts';
import { type NatsOptions, natsConnectOptions } from '../connection.ts';
import { JetStream } from '../jetstream.ts';
import { checkServer, probeServers } from '../servers.ts';

/** How somebody who only looks reaches a cluster; what would keep a broker from starting is something to tell here. */
export interface LookOptions extends Omit<NatsOptions, 'fsync' | 'warn'> {
  /** Of the cluster. */
  readonly name: string;
}

export interface ServerStatus {
  readonly url: string;
  /** As streams call it; unknown where it does not answer. */
  readonly server: string | undefined;
  readonly version: string | undefined;
  /** Why it cannot be used. */
  readonly problem: string | undefined;
}

/** A way to the servers, and what each of them said. */
export interface Look {
  readonly connection: NatsConnection;
  readonly jetStream: JetStream;
  readonly servers: readonly ServerStatus[];
}

/**
 * @throws StoreError where no server answers, or all refuse us, with what to do about each
 */
export async function withLook<T>(options: LookOptions, work: (look: Look) => Promise<T>): Promise<T> {
  const connectOptions = natsConnectOptions(options);
  const { probes, error } = await probeServers(options.urls, connectOptions);
  const usable = probes.flatMap(({ url, info }) => (info === undefined ? [] : [url]));
  if (usable.length === 0) throw error;
  const connection = await connect({ ...connectOptions, servers: usable }).catch((cause: Error) => {
    throw new StoreUnavailableError('failed', `NATS does not answer any more: ${cause.message}`, { cause });
  });
  try {
    const servers = probes.map(({ url, info, failure }) => ({
      url,
      server: info?.server_name ?? info?.server_id,
      version: info?.version,
      problem: failure?.text ?? (info && problemOf(() => checkServer(url, info))),
    }));
    return await work({ connection, jetStream: new JetStream(connection), servers });
  } finally {
    await connection.close();
  }
}

function problemOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
