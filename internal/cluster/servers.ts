import { connect as connectSocket } from 'node:net';
import {
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
  type TlsOptions,
} from '@nats-io/transport-node';
import { leastMaxPayloadBytes, natsConnectMs } from '../limits/cluster.ts';
import type { FsyncPolicy } from '../store/log-store.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { monitorPage, type ServerVariables } from './monitor.ts';

/** Atomic batches and their dependable forms came with it. */
const LEAST_VERSION = [2, 14] as const;

/** What stands beside `sync_interval: always` in the configuration of a server, so that streams find it. */
export const SYNC_TAG = 'sync:always';

/** What a server says of itself to who connects, as far as it matters here. */
export type ServerInfo = Pick<
  NonNullable<NatsConnection['info']>,
  'version' | 'max_payload' | 'jetstream' | 'server_id' | 'server_name'
>;

/**
 * Looks at every server that was named, each by a connection of its own: one that cannot hold logs is found before it is
 * the only one left. Resolves with why some cannot be used at the moment, while others can.
 *
 * @throws StoreError `unsupported`, with what to write, for a server that would lose data, and where all refuse this node;
 * StoreUnavailableError where none answers.
 */
export async function checkServers(
  urls: readonly string[],
  options: NodeConnectionOptions,
): Promise<readonly string[]> {
  const { probes, error } = await probeServers(urls, options);
  for (const { url, info } of probes) if (info !== undefined) checkServer(url, info);
  if (error !== undefined) throw error;
  return probes.flatMap(({ failure }) => failure?.text ?? []);
}

/** Asks each server what it is. The error is for where none can be used. */
export async function probeServers(
  urls: readonly string[],
  options: NodeConnectionOptions,
): Promise<{ probes: readonly Probe[]; error: StoreError | undefined }> {
  const probes = await Promise.all(urls.map((url) => probe(url, options)));
  const failures = probes.flatMap(({ failure }) => failure ?? []);
  if (failures.length < probes.length) return { probes, error: undefined };
  const texts = failures.map(({ text }) => text).join('; ');
  const isRefused = failures.some(({ isRefusal }) => isRefusal);
  const error = isRefused
    ? new StoreError('unsupported', texts)
    : new StoreUnavailableError('failed', `no NATS server can be used: ${texts}`);
  return { probes, error };
}

/** @throws StoreError `unsupported`, with what to write */
export function checkServer(url: string, info: ServerInfo): void {
  const { version, max_payload, jetstream, server_id, server_name } = info;
  // One without a name says its id there.
  const name = server_name === undefined || server_name === server_id ? '' : ` ${server_name}`;
  const server = `the NATS server${name} at ${url}`;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor < LEAST_VERSION[1])) {
    const least = LEAST_VERSION.join('.');
    throw new StoreError(
      'unsupported',
      `${server} is nats-server ${version}, and has to be ${least} or newer`,
    );
  }
  if (!jetstream) {
    const setting = 'jetstream { store_dir: "…", sync_interval: always }';
    throw new StoreError(
      'unsupported',
      `${server} has no JetStream: write ${setting} into its configuration`,
    );
  }
  if (max_payload < leastMaxPayloadBytes) {
    throw new StoreError(
      'unsupported',
      `${server} takes messages of ${max_payload} bytes, fewer than a batch may have: write max_payload: 8MB into its configuration`,
    );
  }
}

/**
 * Reads of each server whether it syncs what it acknowledges, where that is asked. Resolves with the monitors that do not answer.
 *
 * @throws StoreError `unsupported`, with what to write; StoreUnavailableError where none answers.
 */
export async function checkMonitors(
  monitors: readonly string[],
  fsync: FsyncPolicy,
  tls: TlsOptions | undefined,
): Promise<readonly string[]> {
  if (fsync === 'os') return [];
  const pages = await Promise.allSettled(
    monitors.map((monitor) => monitorPage<ServerVariables>(monitor, '/varz', tls)),
  );
  for (const [index, page] of pages.entries()) {
    if (page.status === 'fulfilled') checkSync(monitors[index]!, page.value);
  }
  const problems = pages.flatMap((page) => (page.status === 'rejected' ? [page.reason as Error] : []));
  if (problems.length > 0 && problems.length === pages.length) throw problems[0];
  return problems.map(({ message }) => message);
}

function checkSync(monitor: string, { server_name, jetstream }: ServerVariables): void {
  if (jetstream?.config?.sync_always === true) return;
  throw new StoreError(
    'unsupported',
    `the NATS server ${server_name} (${monitor}) acknowledges what a power cut takes away: write sync_interval: always into jetstream { … } of its configuration, and server_tags: ["${SYNC_TAG}"] beside it, or take -cluster-fsync os`,
  );
}

interface Failure {
  readonly text: string;
  /** Whether it answered, and will answer so again. */
  readonly isRefusal: boolean;
}

/** What a server said of itself, or why it did not. */
export interface Probe {
  readonly url: string;
  readonly info?: ServerInfo;
  readonly failure?: Failure;
}

async function probe(url: string, options: NodeConnectionOptions): Promise<Probe> {
  try {
    const once = { servers: [url], reconnect: false, timeout: natsConnectMs, ignoreClusterUpdates: true };
    const connection = await connect({ ...options, ...once });
    const info = connection.info!;
    await connection.close();
    return { url, info };
  } catch (error) {
    if (options.tls?.cert === undefined && (await wantsCertificate(url))) {
      const text = `the NATS server at ${url} wants a certificate: name one with -cluster-tls-cert`;
      return { url, failure: { text, isRefusal: true } };
    }
    return { url, failure: failureText(url, error as Error, options.authenticator !== undefined) };
  }
}

/** A client without a certificate is cut off in one of several ways, none of which says why; the greeting does. */
function wantsCertificate(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connectSocket(Number(port || DEFAULT_PORT), hostname.replace(/^\[|\]$/g, ''));
  return new Promise<boolean>((resolve) => {
    let greeting = '';
    socket.setTimeout(natsConnectMs, () => resolve(false));
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.setEncoding('utf8').on('data', (text) => {
      greeting += text;
      if (/\n/.test(greeting) || greeting.length > GREETING_CHARS) {
        resolve(/^INFO .*"tls_verify":true/.test(greeting));
      }
    });
  }).finally(() => socket.destroy());
}

const DEFAULT_PORT = 4222;
/** A line of NATS' protocol ends before, and what does not is no greeting. */
const GREETING_CHARS = 64 * 1024;

/** What to do about it, in words: a client of NATS says hardly more than that it did not work. */
function failureText(url: string, error: Error, hasCredentials: boolean): Failure {
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code = '' } = cause as { code?: string };
  const refusal = (text: string) => ({ text, isRefusal: true });
  if (error.name === 'AuthorizationError') {
    return refusal(
      hasCredentials
        ? `the NATS server at ${url} refuses the credentials: -cluster-credentials has to name those of a user in its configuration`
        : `the NATS server at ${url} wants credentials: name a file of them with -cluster-credentials`,
    );
  }
  if (NOT_TRUSTED.test(code)) {
    return refusal(
      `the certificate of the NATS server at ${url} is not trusted (${code}): name the CA that signed it with -cluster-tls-ca, and the server as its certificate does`,
    );
  }
  if (/does not support 'tls'/.test(error.message)) {
    return refusal(`the NATS server at ${url} has no TLS: write tls { … } into its configuration`);
  }
  if (/unexpected response/.test(error.message)) return refusal(`what listens at ${url} is no NATS server`);
  return { text: `${url}: ${cause.message}`, isRefusal: false };
}

/** Codes of OpenSSL and of the runtime for a certificate that does not do. */
const NOT_TRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/;
