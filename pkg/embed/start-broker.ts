import type { Guard } from '../../internal/auth/guard.ts';
import { Broker, type Logger } from '../../internal/broker/broker.ts';
import { SLOW_CONSUMER_POLICIES, type SlowConsumerPolicy } from '../../internal/broker/channel.ts';
import { FramesDoor } from '../../internal/doors/frames/door.ts';
import { FrontDoor } from '../../internal/doors/front-door.ts';
import * as limits from '../../internal/limits.ts';
import { Metrics } from '../../internal/metrics/metrics.ts';
import { type CertificateFiles, Certificates } from '../../internal/transport/certificates.ts';
import { type Endpoint, isSecure, parseEndpoint } from '../../internal/transport/endpoint.ts';
import {
  ListenError,
  type Listener,
  type ListenerEvents,
  type ListenerOptions,
  listen,
} from '../../internal/transport/listener.ts';
import { type LogsOptions, openLogs } from './open-logs.ts';

/** How a broker is started. Everything may be left out. */
export interface BrokerOptions extends LogsOptions {
  /**
   * Where to listen: `tcp://host:port`, `tls://host:port`, `unix:///path`, `ws://host:port`, `wss://host:port`.
   * Port 0 takes a free one. Default: `tcp://localhost:1883`.
   */
  listen?: readonly string[];
  /**
   * Called for each address that cannot be listened on, which then stays closed. Without it one is enough for the
   * start to fail; with it the start fails only where none could be opened.
   */
  onListenError?: (error: ListenError) => void;
  /** The certificate for `tls://` and `wss://`. */
  tls?: CertificateFiles;
  /** The mode of a unix socket's file. Default: `0o660`. */
  socketMode?: number;
  /** The largest payload, in bytes. Default: 16 MiB; at most 1 GiB. */
  maxMessageBytes?: number;
  /** Clients at once. Default: 100,000. */
  maxClients?: number;
  /** How long a connection has to send CONNECT. Default: 10,000. */
  connectTimeoutMs?: number;
  /** A client that says nothing for this long is disconnected. Default: 0, never. */
  keepAliveMs?: number;
  /** Messages that wait for one subscriber before its publishers pause. Default: 100. */
  channelSize?: number;
  /** Bytes that wait for one subscriber before its publishers pause. Default: 8 MiB. */
  channelBytes?: number;
  /** What becomes of the messages of a subscriber that is slow. Default: `drop-new`. */
  slowConsumer?: SlowConsumerPolicy;
  /** How long publishers wait for a subscriber before it counts as slow. Default: 1,000. */
  slowConsumerWaitMs?: number;
  /** How long {@link RunningBroker.close} waits for what was accepted to be delivered. Default: 10,000. */
  shutdownTimeoutMs?: number;
  /** Globs of the origins whose web pages may connect by WebSocket. Default: pages of this machine. */
  webSocketOrigins?: readonly string[];
  /** Who may connect, publish and subscribe. Default: everybody. */
  guard?: Guard;
  /** Where the log goes. Default: nowhere. */
  logger?: Logger;
}

/** Counters since the start, and gauges of now, by name. */
export type BrokerStats = Readonly<Record<string, number>>;

/** A broker that is running in this process. */
export interface RunningBroker extends AsyncDisposable {
  /** Where it listens, with the real ports. */
  readonly listeners: readonly { readonly url: string }[];
  /** The first of them. */
  readonly url: string;
  /** Its counters and gauges, as they are now. */
  stats(): BrokerStats;
  /** Reads the certificate files again, for new connections. A broken file is logged and changes nothing. */
  reloadCertificates(): void;
  /** Stops: accepts nobody new, delivers what was accepted, tells every client, closes. */
  close(): Promise<void>;
}

/**
 * Starts a broker and opens all its listeners.
 *
 * @throws ListenError where one of them cannot open; then none stays open.
 * @throws RangeError where an option is out of its bounds.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<RunningBroker> {
  checkBounds(options);
  const endpoints = (options.listen ?? ['tcp://localhost:1883']).map(parseEndpoint);
  const log = options.logger ?? silent;
  const certificates = openCertificates(endpoints, options.tls, log);
  const metrics = new Metrics();
  const broker = new Broker({
    settings: {
      maxClients: options.maxClients ?? limits.maxClients,
      channelSize: options.channelSize ?? limits.channelSize,
      channelBytes: options.channelBytes ?? limits.channelBytes,
      slowConsumer: options.slowConsumer ?? 'drop-new',
      slowConsumerWaitMs: options.slowConsumerWaitMs ?? limits.slowConsumerWaitMs,
    },
    metrics,
    log,
    guard: options.guard,
  });
  const kept = await openLogs(options, broker, metrics, log).catch((error) => {
    certificates?.close();
    throw error;
  });
  const connectTimeoutMs = options.connectTimeoutMs ?? limits.connectTimeoutMs;
  const frames = new FramesDoor(
    broker,
    {
      maxMessageBytes: options.maxMessageBytes ?? limits.maxMessageBytes,
      connectTimeoutMs,
      keepAliveMs: options.keepAliveMs ?? limits.keepAliveMs,
      logs: kept?.logs,
    },
    metrics,
    log,
  );
  const frontDoor = new FrontDoor(frames, connectTimeoutMs, log);
  const problems = metrics.counter(
    'connection_problems_total',
    'Connections that failed before they were open.',
  );
  const settings = listenerOptions(options, certificates, connectTimeoutMs);
  const listeners = await openAll(endpoints, settings, options.onListenError, {
    connection: (connection) => frontDoor.open(connection),
    problem(error, remote) {
      problems.value++;
      log.warn({ code: 'connection-lost', remote, error: error.message }, 'a connection could not be opened');
    },
  }).catch(async (error) => {
    certificates?.close();
    frontDoor.close();
    await frames.close(0);
    await kept?.close();
    throw error;
  });
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    await Promise.all(listeners.map((listener) => listener.close()));
    frontDoor.close();
    certificates?.close();
    await frames.close(options.shutdownTimeoutMs ?? limits.shutdownTimeoutMs);
    await kept?.close();
  }

  const running: RunningBroker = {
    listeners: listeners.map(({ url }) => ({ url })),
    url: listeners[0]!.url,
    stats: () => metrics.snapshot(),
    reloadCertificates: () => certificates?.reload(),
    close() {
      closing ??= close();
      return closing;
    },
    [Symbol.asyncDispose]: () => running.close(),
  };
  return running;
}

/** Pages that this machine itself serves. A page from elsewhere must not reach a broker on its visitor's machine. */
export const LOCAL_ORIGINS = ['http?(s)://{localhost,127.0.0.1,\\[::1\\]}?(:*)'];

/** The runtime's timers hold 31 bits; a longer one would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function checkBounds(options: BrokerOptions): void {
  const { maxMessageBytes, listen: urls } = options;
  if (
    maxMessageBytes !== undefined &&
    !(maxMessageBytes > 0 && maxMessageBytes <= limits.maxMessageBytesCeiling)
  ) {
    throw new RangeError(`maxMessageBytes is 1 to ${limits.maxMessageBytesCeiling}, not ${maxMessageBytes}`);
  }
  for (const name of ['maxClients', 'channelSize', 'channelBytes'] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 1)) throw new RangeError(`${name} is at least 1, not ${value}`);
  }
  for (const name of [
    'connectTimeoutMs',
    'keepAliveMs',
    'slowConsumerWaitMs',
    'shutdownTimeoutMs',
  ] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 0 && value <= LONGEST_TIMER_MS)) {
      throw new RangeError(`${name} is 0 to ${LONGEST_TIMER_MS}, not ${value}`);
    }
  }
  const { slowConsumer } = options;
  if (slowConsumer !== undefined && !SLOW_CONSUMER_POLICIES.includes(slowConsumer)) {
    throw new RangeError(`slowConsumer is one of ${SLOW_CONSUMER_POLICIES.join(', ')}, not ${slowConsumer}`);
  }
  if (urls?.length === 0) throw new RangeError('listen names no address');
}

function openCertificates(
  endpoints: readonly Endpoint[],
  files: CertificateFiles | undefined,
  log: Logger,
): Certificates | undefined {
  if (!endpoints.some(isSecure) || files === undefined) return undefined;
  return new Certificates(files, limits.certificateWatchMs, ({ error }) => {
    if (error === undefined) log.info({ file: files.certFile }, 'the certificate was read again');
    else log.error({ error: error.message }, 'the new certificate is not used; the one before stays');
  });
}

function listenerOptions(
  options: BrokerOptions,
  certificates: Certificates | undefined,
  handshakeTimeoutMs: number,
): ListenerOptions {
  const maxMessageBytes = options.maxMessageBytes ?? limits.maxMessageBytes;
  return {
    certificates,
    socketMode: options.socketMode ?? limits.socketMode,
    maxConnections: (options.maxClients ?? limits.maxClients) + limits.maxUnconnectedConnections,
    handshakeTimeoutMs,
    lingerMs: limits.lingerMs,
    tcpKeepAliveAfterMs: limits.tcpKeepAliveAfterMs,
    highWaterMarkBytes: limits.socketHighWaterMarkBytes,
    webSocket: {
      origins: options.webSocketOrigins ?? LOCAL_ORIGINS,
      maxMessageBytes: maxMessageBytes + limits.webSocketMessageSlackBytes,
      subprotocols: ['tinymq'],
    },
  };
}

async function openAll(
  endpoints: readonly Endpoint[],
  options: ListenerOptions,
  onListenError: BrokerOptions['onListenError'],
  events: ListenerEvents,
): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const [index, endpoint] of endpoints.entries()) {
      const isLastHope = index === endpoints.length - 1 && listeners.length === 0;
      try {
        listeners.push(await listen(endpoint, options, events));
      } catch (error) {
        if (onListenError === undefined || isLastHope || !(error instanceof ListenError)) throw error;
        onListenError(error);
      }
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()));
    throw error;
  }
  return listeners;
}
