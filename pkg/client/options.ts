import { suggestion } from '../../internal/lib/nearest.ts';
import { MAX_WINDOW } from '../../internal/protocol/frame/offer.ts';
import { type Address, DEFAULT_SOCKET_PATH, type Network, parseAddress, parseUrl } from './address.ts';
import { checkTopic } from './checks.ts';
import { type CredentialOptions, checkCredentials } from './credentials.ts';
import { TinymqError } from './errors.ts';
import type { HeaderValues } from './headers.ts';
import type { QueueBounds } from './promised.ts';
import { randomName } from './random-name.ts';
import type { TlsOptions } from './wire.ts';

/** How a connection that broke off is tried again: after a random part of a delay that doubles each time. */
export interface ReconnectOptions {
  /** The first delay at most, in milliseconds. Default: 100. */
  minDelayMs?: number;
  /** No delay is longer, in milliseconds. Default: 30,000. */
  maxDelayMs?: number;
  /** After so many attempts in a row the client gives up. Default: never. */
  maxAttempts?: number;
}

/** How to connect. Everything may be left out. */
export interface ConnectOptions extends CredentialOptions {
  /** Where the broker is: `tcp://`, `tls://`, `unix://`, `ws://` or `wss://`. Default: `tcp://localhost:1883`. */
  url?: string;
  /** The kind of connection, where no `url` is given. Default: `tcp`. */
  network?: Network;
  /** `host:port`, or the path of a unix socket, where no `url` is given. */
  address?: string;
  /** Who this is, 1 to 65,535 bytes of UTF-8. A newer connection with the same id takes over. Default: random. */
  clientId?: string;
  tls?: TlsOptions;
  /** How long one attempt may take, in milliseconds. Default: 10,000. */
  connectTimeoutMs?: number;
  /** How long the broker may take to acknowledge, in milliseconds. Default: 10,000. */
  requestTimeoutMs?: number;
  /**
   * After so long without a byte from the broker a PING is sent; after as long again without an answer the
   * connection is given up. In milliseconds; 0: never. Default: 30,000.
   */
  keepAliveMs?: number;
  /** `false`: a connection that breaks off closes the client. */
  reconnect?: false | ReconnectOptions;
  /** Keep trying also if the very first attempt fails. Default: false, it rejects. */
  connectRetry?: boolean;
  /** Bytes that wait to be sent before `publish` says to wait. Default: 1 MiB. */
  highWaterMarkBytes?: number;
  /** The largest message that is accepted from the broker, in bytes. Default: 1 GiB. */
  maxMessageBytes?: number;
  /** What the broker keeps of this client while it is away. Needs a `clientId`. Default: nothing. */
  session?: SessionOptions;
  /** What is published when the connection ends in any other way than by {@link BaseClient.close}. */
  will?: WillOptions;
  /** Messages of QoS 1 and 2 that may come before the client has acknowledged any, 1 to 65,535. Default: 256. */
  window?: number;
  /** What waits for acknowledgements of the broker, also while there is no connection. */
  queue?: QueueOptions;
  /** Aborts the attempt to connect; afterwards closes the client. */
  signal?: AbortSignal;
}

/** A session: its subscriptions, and what was published for them with a promise, wait for the client. */
export interface SessionOptions {
  /** How long after the end of a connection, in milliseconds; `Infinity`: for ever. */
  expiresIn: number;
  /** Whether nothing of before is wanted. Default: false. */
  clean?: boolean;
}

/** A message for the case that the client is lost. */
export interface WillOptions {
  topic: string;
  payload?: string | Uint8Array;
  /** 1: it waits for sessions too. Default: 0. */
  qos?: 0 | 1;
  retain?: boolean;
  headers?: HeaderValues;
  contentType?: string;
  /** How long the client may take to be back, in milliseconds. Default: 0. */
  delay?: number;
}

/** How much may wait to be acknowledged, and where. What does not fit is refused with `queue-full`. */
export interface QueueOptions {
  /**
   * A file that keeps what waits, so that it is sent although the program ends before, in whatever way. Needs a `clientId`. In Node, Deno
   * and Bun. Default: in memory only.
   */
  file?: string;
  /** Default: 100,000. */
  messages?: number;
  /** Default: 64 MiB. */
  bytes?: number;
}

/** The options with everything decided. */
export interface Settings {
  address: Address;
  clientId: string;
  credentials: CredentialOptions;
  tls: TlsOptions;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  keepAliveMs: number;
  reconnect: Required<ReconnectOptions> | undefined;
  connectRetry: boolean;
  highWaterMarkBytes: number;
  maxMessageBytes: number;
  session: SessionOptions | undefined;
  will: WillOptions | undefined;
  window: number;
  queue: QueueBounds & { file: string | undefined };
  signal: AbortSignal | undefined;
}

/** @throws TinymqError `invalid-address`, `invalid-option`. */
export function settingsOf(options: ConnectOptions): Settings {
  const { reconnect, tls, user, password, token } = options;
  checkNames(options, CONNECT_OPTIONS, 'connect');
  if (typeof reconnect === 'object') checkNames(reconnect, RECONNECT_OPTIONS, 'reconnect');
  if (typeof tls === 'object') checkNames(tls, TLS_OPTIONS, 'tls');
  checkCredentials(options);
  checkNumbers(options, {
    connectTimeoutMs: 1,
    requestTimeoutMs: 1,
    keepAliveMs: 0,
    highWaterMarkBytes: 1,
    maxMessageBytes: 1,
    window: 1,
  });
  checkSession(options);
  checkWill(options.will);
  checkQueue(options);
  if (typeof reconnect === 'object') {
    checkNumbers(reconnect, { minDelayMs: 1, maxDelayMs: 1, maxAttempts: 0 });
  }
  return {
    address: addressOf(options),
    clientId: options.clientId ?? `client-${randomName(6)}`,
    credentials: { user, password, token },
    tls: options.tls ?? {},
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    keepAliveMs: options.keepAliveMs ?? 30_000,
    reconnect: reconnect === false ? undefined : reconnectOf(reconnect ?? {}),
    connectRetry: options.connectRetry ?? false,
    highWaterMarkBytes: options.highWaterMarkBytes ?? 1024 * 1024,
    maxMessageBytes: options.maxMessageBytes ?? 1024 * 1024 * 1024,
    session: options.session,
    will: options.will,
    window: Math.min(MAX_WINDOW, options.window ?? 256),
    queue: {
      file: options.queue?.file,
      messages: options.queue?.messages ?? 100_000,
      bytes: options.queue?.bytes ?? 64 * 1024 * 1024,
    },
    signal: options.signal,
  };
}

/** The options of an interface, so that the compiler misses one that was added. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: true };

const CONNECT_OPTIONS: OptionNames<ConnectOptions> = {
  url: true,
  network: true,
  address: true,
  clientId: true,
  user: true,
  password: true,
  token: true,
  tls: true,
  connectTimeoutMs: true,
  requestTimeoutMs: true,
  keepAliveMs: true,
  reconnect: true,
  connectRetry: true,
  highWaterMarkBytes: true,
  maxMessageBytes: true,
  session: true,
  will: true,
  window: true,
  queue: true,
  signal: true,
};
const SESSION_OPTIONS: OptionNames<SessionOptions> = { expiresIn: true, clean: true };
const WILL_OPTIONS: OptionNames<WillOptions> = {
  ...{ topic: true, payload: true, qos: true, retain: true },
  ...{ headers: true, contentType: true, delay: true },
};
const QUEUE_OPTIONS: OptionNames<QueueOptions> = { file: true, messages: true, bytes: true };
const RECONNECT_OPTIONS: OptionNames<ReconnectOptions> = {
  minDelayMs: true,
  maxDelayMs: true,
  maxAttempts: true,
};
const TLS_OPTIONS: OptionNames<TlsOptions> = {
  ca: true,
  cert: true,
  key: true,
  serverName: true,
  insecure: true,
};

function checkSession({ session, clientId }: ConnectOptions): void {
  if (session === undefined) return;
  checkNames(session, SESSION_OPTIONS, 'session');
  checkNumbers(session, { expiresIn: 0 });
  if (clientId === undefined)
    throw new TinymqError('invalid-option', 'a session needs a clientId by which it is found again');
}

function checkWill(will: WillOptions | undefined): void {
  if (will === undefined) return;
  checkNames(will, WILL_OPTIONS, 'will');
  checkNumbers(will, { delay: 0 });
  checkTopic(will.topic);
}

function checkQueue({ queue, clientId }: ConnectOptions): void {
  if (queue === undefined) return;
  checkNames(queue, QUEUE_OPTIONS, 'queue');
  checkNumbers(queue, { messages: 1, bytes: 1 });
  const { file } = queue;
  if (file === undefined) return;
  if (typeof file !== 'string' || file === '')
    throw new TinymqError('invalid-option', `file is the path of a file, not '${file}'`);
  if (clientId === undefined)
    throw new TinymqError('invalid-option', 'a queue in a file needs a clientId by which its messages go on');
}

/**
 * Checks what the compiler checks for those who have it: that there are options of these names. One that is passed over
 * is found when it would have mattered.
 *
 * @param of what they are options of.
 * @throws TinymqError `invalid-option` that names the nearest.
 */
export function checkNames<Options extends object>(
  options: Options,
  known: OptionNames<Options>,
  of: string,
): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const hint = suggestion(unknown, Object.keys(known));
  throw new TinymqError('invalid-option', `${unknown} is not an option of ${of}${hint}`);
}

/**
 * Checks the options that are numbers.
 *
 * @param least what each of them is at least.
 * @throws TinymqError `invalid-option`.
 */
export function checkNumbers<Options extends object>(
  options: Options,
  least: { readonly [Name in keyof Options]?: number },
): void {
  for (const name of Object.keys(least) as (keyof Options & string)[]) {
    const value: unknown = options[name];
    if (value === undefined || (typeof value === 'number' && value >= least[name]!)) continue;
    throw new TinymqError('invalid-option', `${name} is a number from ${least[name]} on, not ${value}`);
  }
}

function reconnectOf({ minDelayMs, maxDelayMs, maxAttempts }: ReconnectOptions): Required<ReconnectOptions> {
  return {
    minDelayMs: minDelayMs ?? 100,
    maxDelayMs: maxDelayMs ?? 30_000,
    maxAttempts: maxAttempts ?? Number.POSITIVE_INFINITY,
  };
}

function addressOf({ url, network, address }: ConnectOptions): Address {
  if (url !== undefined) return parseUrl(url);
  if (address !== undefined) return parseAddress(network ?? 'tcp', address);
  return parseAddress(network ?? 'tcp', network === 'unix' ? DEFAULT_SOCKET_PATH : '');
}

/**
 * How long to wait after so many failures, in milliseconds: any part of a delay that doubles, so that the clients of
 * a broker that restarts do not all come back at once.
 */
export function reconnectDelayMs(
  failures: number,
  { minDelayMs, maxDelayMs }: Required<ReconnectOptions>,
): number {
  return Math.round(Math.min(maxDelayMs, minDelayMs * 2 ** Math.min(failures - 1, 30)) * Math.random());
}
