import { lstatSync } from 'node:fs';
import { Failure } from '../../internal/lib/failure.ts';
import { printableText } from '../../internal/lib/printable.ts';
import { shownAddress } from '../../internal/lib/shown-address.ts';
import { DEFAULT_SOCKET_PATH, type Network, parseUrl } from '../../pkg/client/address.ts';
import {
  Client,
  ConnectError,
  type ConnectOptions,
  RefusedError,
  TinymqError,
} from '../../pkg/client/index.ts';
import { credentialsOf } from './credentials.ts';
import type { connectionOptions } from './options/connection-options.ts';
import type { Values } from './options/option.ts';
import { UsageError } from './options/program.ts';
import { hintOfMqtt } from './other-protocol.ts';
import { complain, type Invocation, warn } from './run-program.ts';
import { tlsOf } from './tls-files.ts';

/** Somebody looks at a terminal: a broker that is back should not be waited for much longer. */
const RECONNECT_AFTER_AT_MOST_MS = 3_000;

type ConnectionValues = Values<typeof connectionOptions>;

/**
 * Connects as the flags say. Without any, to `localhost:1883`, or to the usual unix socket where nothing listens
 * there. A connection that breaks off later is reported and opened again.
 *
 * @throws ConnectError and others with one clear line, where the first attempt fails.
 */
export async function connectClient(
  name: string,
  invocation: Invocation<typeof connectionOptions>,
  isQuiet: boolean,
  more: Pick<ConnectOptions, 'session' | 'window'> = {},
): Promise<Client> {
  const { values, given, stop } = invocation;
  // The command line may hold a password, and everybody on the machine sees it.
  if (given.has('password')) process.title = name;
  const { network, address } = placeOf(values, given);
  const credentials = await credentialsOf(invocation);
  try {
    return await openClient(name, { network, address, ...credentials, ...more }, values, isQuiet, stop);
  } catch (error) {
    const namesBroker = given.has('network') || address !== undefined || network !== 'tcp';
    const isSocketThere = lstatSync(DEFAULT_SOCKET_PATH, { throwIfNoEntry: false })?.isSocket() ?? false;
    if (!(error instanceof ConnectError) || stop.aborted) throw error;
    if (namesBroker || !isSocketThere) {
      const hint = await hintOfMqtt(network, address);
      throw hint === '' ? error : new Failure(`${error.message}${hint}`);
    }
    const local = { network: 'unix', address: DEFAULT_SOCKET_PATH, ...credentials, ...more } as const;
    return openClient(name, local, values, isQuiet, stop).catch(() => Promise.reject(error));
  }
}

function openClient(
  name: string,
  where: ConnectOptions,
  values: ConnectionValues,
  isQuiet: boolean,
  stop: AbortSignal,
): Promise<Client> {
  const client = newClient({
    ...where,
    clientId: clientIdOf(name, values),
    tls: tlsOf(values),
    connectTimeoutMs: values['connect-timeout'],
    keepAliveMs: values['keep-alive'],
    will: willOf(values),
    reconnect: { maxDelayMs: RECONNECT_AFTER_AT_MOST_MS },
    signal: stop,
  });
  let isRefused = false;
  let hasBroken = false;
  client.on('error', (error) => {
    if (error instanceof RefusedError) isRefused = true;
    else complain(name, (error as Error).message);
  });
  client.on('reconnecting', ({ delayMs, cause }) => {
    hasBroken = true;
    if (isRefused || isQuiet || stop.aborted) return;
    warn(
      name,
      `${cause.message}; trying again ${delayMs < 50 ? 'now' : `in ${(delayMs / 1000).toFixed(1)} s`}`,
    );
  });
  client.on('connect', () => {
    if (hasBroken && !isRefused && !isQuiet) warn(name, 'connected again');
  });
  if (values.debug) tellAll(client, name);
  return client.connect();
}

/** @throws UsageError where it is said in two ways. */
function clientIdOf(name: string, { id, 'id-prefix': prefix }: ConnectionValues): string {
  if (id !== undefined && prefix !== undefined) throw new UsageError('-id and -id-prefix do not go together');
  if (prefix !== undefined) return `${prefix}${process.pid}`;
  return id ?? `${name}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}

/** @throws UsageError where something is said of a will without a topic. */
function willOf(values: ConnectionValues): ConnectOptions['will'] {
  const { 'will-topic': topic, 'will-message': payload, 'will-qos': qos, 'will-retain': retain } = values;
  if (topic !== undefined) return { topic, payload, qos: qos as 0 | 1 | undefined, retain };
  if (payload !== undefined || qos !== undefined || retain)
    throw new UsageError('the flags of a will need -will-topic');
  return undefined;
}

/** What the connection does, for whoever looks for a fault. */
function tellAll(client: Client, name: string): void {
  const tell = (what: string) => process.stderr.write(`${name}: ${new Date().toISOString()} ${what}\n`);
  tell(`connecting as ${printableText(client.clientId)}`);
  client.on('connect', () => tell('connected'));
  client.on('disconnect', ({ message }) => tell(`not connected any more: ${message}`));
  client.on('reconnecting', ({ attempt, delayMs }) =>
    tell(`attempt ${attempt} to connect again in ${delayMs} ms`),
  );
  client.on('close', () => tell('closed'));
}

/** @throws UsageError where the address or the id is not one. */
function newClient(options: ConnectOptions): Client {
  try {
    return new Client(options);
  } catch (error) {
    if (error instanceof TinymqError) throw new UsageError(error.message);
    throw error;
  }
}

/**
 * Rejects when it makes no sense to go on: the broker refused something that would only be repeated, such as a
 * message that is too large, or the client gave up.
 */
export function failureOf(client: Client): Promise<never> {
  const failure = new Promise<never>((_, reject) => {
    client.on('error', (error) => error instanceof RefusedError && reject(error));
    client.on('close', (error) => error !== undefined && reject(error));
  });
  failure.catch(() => {});
  return failure;
}

/**
 * The kind of connection, and where to: -network and -address. A URL or the path of a socket says itself what it is,
 * and any of the TLS flags means TLS.
 *
 * @throws UsageError where they contradict each other.
 */
function placeOf(
  values: ConnectionValues,
  given: ReadonlySet<string>,
): { network: Network; address: string | undefined } {
  const { network: named } = values;
  const written = addressOf(values);
  const place = pairOf(named, written);
  if (given.has('network') && place.network !== named) {
    throw new UsageError(`-network ${named} and -address ${shownAddress(written ?? '')} do not go together`);
  }
  const speaksTls =
    values['tls-ca'] ??
    values['tls-cert'] ??
    values['tls-server-name'] ??
    (values['tls-insecure'] || undefined);
  if (speaksTls === undefined) return place;
  if (place.network === 'unix') throw new UsageError('-tls flags and a unix socket do not go together');
  const secured = { tcp: 'tls', ws: 'wss', tls: 'tls', wss: 'wss' } as const;
  return { ...place, network: secured[place.network] };
}

/** What -address says, or -host and -port. @throws UsageError where both do. */
function addressOf({ address, host, port }: ConnectionValues): string | undefined {
  if (host === undefined && port === undefined) return address;
  if (address !== undefined) throw new UsageError('-address comes in place of -host and -port');
  const name = host?.includes(':') ? `[${host}]` : (host ?? '');
  return port === undefined ? name : `${name}:${port}`;
}

function pairOf(
  network: Network,
  address: string | undefined,
): { network: Network; address: string | undefined } {
  if (address !== undefined && /^\.{0,2}\//.test(address) && network === 'tcp')
    return { network: 'unix', address };
  if (address === undefined || !address.includes('://')) return { network, address };
  try {
    const place = parseUrl(address);
    return { network: place.network, address: address.slice(address.indexOf('://') + 3) };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
