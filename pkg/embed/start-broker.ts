import type { Guard } from '../../internal/auth/guard.ts';
import { Broker, type BrokerSettings, type Logger } from '../../internal/broker/broker.ts';
import { SLOW_CONSUMER_POLICIES, type SlowConsumerPolicy } from '../../internal/broker/channel.ts';
import { FramesDoor } from '../../internal/doors/frames/door.ts';
import { FrontDoor } from '../../internal/doors/front-door.ts';
import * as limits from '../../internal/limits.ts';
import { Metrics } from '../../internal/metrics/metrics.ts';
import { StoreError } from '../../internal/store/store-error.ts';
import { type CertificateFiles, Certificates } from '../../internal/transport/certificates.ts';
import type { Connection } from '../../internal/transport/connection.ts';
import {
  type Endpoint,
  type HostEndpoint,
  isSecure,
  parseEndpoint,
} from '../../internal/transport/endpoint.ts';
import {
  ListenError,
  type Listener,
  type ListenerEvents,
  type ListenerOptions,
  listen,
} from '../../internal/transport/listener.ts';
import type { GrpcOptions } from './open-grpc.ts';
import type { KafkaOptions } from './open-kafka.ts';
import { type LogsOptions, type OpenLogs, openLogs } from './open-logs.ts';
import { type MqttOptions, openMqtt } from './open-mqtt.ts';

/** How a broker is started. Everything may be left out. */
export interface BrokerOptions extends LogsOptions, MqttOptions {
  /**
   * Where to listen for tinymq's own clients and those of MQTT: `tcp://host:port`, `tls://host:port`, `unix:///path`, `ws://host:port`,
   * `wss://host:port`. Port 0 takes a free one. Default: `tcp://localhost:1883`, or nowhere where another door is named.
   */
  listen?: readonly string[];
  /** The door for Kafka's clients. Default: closed. */
  kafka?: KafkaOptions;
  /** The door for the clients of SMQ, which speak gRPC. Default: closed. */
  grpc?: GrpcOptions;
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
  /** Where it listens, with the real ports, and for whom. */
  readonly listeners: readonly { readonly url: string; readonly door: DoorName }[];
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
  const places = placesOf(options);
  const log = options.logger ?? silent;
  const metrics = new Metrics();
  const opened = new Opened();
  try {
    const certificates = openCertificates(
      places.map(({ endpoint }) => endpoint),
      options.tls,
      log,
    );
    opened.add(() => certificates?.close());
    const broker = new Broker({ settings: brokerSettings(options), metrics, log, guard: options.guard });
    const kept = await openKept(options, broker, metrics, log);
    opened.add(() => kept?.close());
    const doors = await openDoors({ options, broker, kept, metrics, log, certificates, opened });
    const listeners = await openAll(places, doors, options.onListenError);
    opened.add(async () => {
      await Promise.all(listeners.map((listener) => listener.close()));
    });
    return running(listeners, metrics, certificates, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** What is open, closed in the opposite order. */
class Opened {
  readonly #closers: (() => Promise<void> | void)[] = [];
  #closing: Promise<void> | undefined;

  add(close: () => Promise<void> | void): void {
    this.#closers.unshift(close);
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    for (const close of this.#closers) await close();
  }
}

export type DoorName = 'frames' | 'kafka' | 'grpc';

/** Where a door is to be opened. */
interface Place {
  door: DoorName;
  endpoint: Endpoint;
}

function placesOf(options: BrokerOptions): Place[] {
  const { kafka, grpc } = options;
  const areNamed = kafka !== undefined || grpc !== undefined;
  const frames = options.listen ?? (areNamed ? [] : ['tcp://localhost:1883']);
  const places: Place[] = frames.map((url) => ({ door: 'frames', endpoint: parseEndpoint(url) }));
  for (const [door, urls = []] of [
    ['kafka', kafka?.listen],
    ['grpc', grpc?.listen],
  ] as const) {
    for (const url of urls) {
      const endpoint = parseEndpoint(url);
      if (endpoint.scheme !== 'tcp' && endpoint.scheme !== 'tls') {
        throw new RangeError(`${door} listens on tcp:// or tls://, not ${url}`);
      }
      places.push({ door, endpoint });
    }
  }
  if (places.length === 0) throw new RangeError('listen names no address');
  return places;
}

function brokerSettings(options: BrokerOptions): BrokerSettings {
  return {
    maxClients: options.maxClients ?? limits.maxClients,
    channelSize: options.channelSize ?? limits.channelSize,
    channelBytes: options.channelBytes ?? limits.channelBytes,
    slowConsumer: options.slowConsumer ?? 'drop-new',
    slowConsumerWaitMs: options.slowConsumerWaitMs ?? limits.slowConsumerWaitMs,
  };
}

/**
 * Opens the store where something is to be kept. Where only doors need it that may stay closed, a store that cannot be
 * opened closes them.
 */
async function openKept(
  options: BrokerOptions,
  broker: Broker,
  metrics: Metrics,
  log: Logger,
): Promise<OpenLogs | undefined> {
  const { logs: captured = [], kafka, grpc, onListenError } = options;
  if (captured.length === 0 && kafka === undefined && grpc === undefined) return undefined;
  try {
    return await openLogs(options, broker, metrics, log);
  } catch (error) {
    if (captured.length > 0 || onListenError === undefined || !(error instanceof StoreError)) throw error;
    const closed = [...(kafka?.listen ?? []), ...(grpc?.listen ?? [])];
    for (const url of closed) onListenError(new ListenError(url, error));
    return undefined;
  }
}

/** What opens a listener of a door. Without logs there are no doors to them. */
type OpenDoors = Partial<Record<DoorName, (endpoint: Endpoint) => Promise<Listener>>>;

interface DoorParts {
  options: BrokerOptions;
  broker: Broker;
  kept: OpenLogs | undefined;
  metrics: Metrics;
  log: Logger;
  certificates: Certificates | undefined;
  opened: Opened;
}

async function openDoors(parts: DoorParts): Promise<OpenDoors> {
  const { options, broker, kept, metrics, log, certificates, opened } = parts;
  const connectTimeoutMs = options.connectTimeoutMs ?? limits.connectTimeoutMs;
  const shutdownTimeoutMs = options.shutdownTimeoutMs ?? limits.shutdownTimeoutMs;
  const settings = {
    maxMessageBytes: options.maxMessageBytes ?? limits.maxMessageBytes,
    connectTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? limits.keepAliveMs,
    logs: kept?.logs,
  };
  const problem = connectionProblems(metrics, log);
  const listening = listenerOptions(options, certificates);
  const listenFor = (connection: (connection: Connection) => void) => (endpoint: Endpoint) =>
    listen(endpoint, listening, { connection, problem });

  const frames = new FramesDoor(broker, settings, metrics, log);
  const mqtt = await openMqtt(options, broker, kept, settings, metrics, log);
  const frontDoor = new FrontDoor(frames, mqtt.door, connectTimeoutMs, log);
  opened.add(() => mqtt.close());
  opened.add(async () => {
    await Promise.all([frames.close(shutdownTimeoutMs), mqtt.door.close(shutdownTimeoutMs)]);
  });
  opened.add(() => frontDoor.close());
  const doors: OpenDoors = { frames: listenFor((connection) => frontDoor.open(connection)) };
  if (kept === undefined) return doors;

  // Who does not open these two doors does not wait for their code.
  if (options.kafka !== undefined) {
    const { openKafka } = await import('./open-kafka.ts');
    const kafka = await openKafka(options.kafka, kept, connectTimeoutMs, metrics, log);
    opened.add(() => kafka.close(shutdownTimeoutMs));
    doors.kafka = listenFor((connection) => kafka.door.open(connection, NOTHING));
  }
  if (options.grpc !== undefined) {
    const { grpc, tls, guard } = options;
    const { openGrpc } = await import('./open-grpc.ts');
    const { maxConnections } = listening;
    const grpcParts = { kept, tls, guard, maxConnections, connectTimeoutMs, metrics, log };
    doors.grpc = async (endpoint) => {
      const door = await openGrpc(endpoint as HostEndpoint, grpc, grpcParts);
      return { ...door, close: () => door.close(shutdownTimeoutMs) };
    };
  }
  return doors;
}

const NOTHING = new Uint8Array(0);

function connectionProblems(metrics: Metrics, log: Logger): ListenerEvents['problem'] {
  const problems = metrics.counter(
    'connection_problems_total',
    'Connections that failed before they were open.',
  );
  return (error, remote) => {
    problems.value++;
    log.warn({ code: 'connection-lost', remote, error: error.message }, 'a connection could not be opened');
  };
}

function running(
  listeners: readonly OpenListener[],
  metrics: Metrics,
  certificates: Certificates | undefined,
  opened: Opened,
): RunningBroker {
  const close = () => opened.close();
  return {
    listeners: listeners.map(({ url, door }) => ({ url, door })),
    url: listeners[0]!.url,
    stats: () => metrics.snapshot(),
    reloadCertificates() {
      certificates?.reload();
      for (const listener of listeners) listener.reloadCertificates?.();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Pages that this machine itself serves. A page from elsewhere must not reach a broker on its visitor's machine. */
export const LOCAL_ORIGINS = ['http?(s)://{localhost,127.0.0.1,\\[::1\\]}?(:*)'];

/** The runtime's timers hold 31 bits; a longer one would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function checkBounds(options: BrokerOptions): void {
  const { maxMessageBytes } = options;
  if (
    maxMessageBytes !== undefined &&
    !(maxMessageBytes > 0 && maxMessageBytes <= limits.maxMessageBytesCeiling)
  ) {
    throw new RangeError(`maxMessageBytes is 1 to ${limits.maxMessageBytesCeiling}, not ${maxMessageBytes}`);
  }
  for (const name of [
    'maxClients',
    'channelSize',
    'channelBytes',
    'sessionQueue',
    'sessionQueueBytes',
  ] as const) {
    const value = options[name];
    if (value !== undefined && !(value >= 1)) throw new RangeError(`${name} is at least 1, not ${value}`);
  }
  for (const name of [
    'connectTimeoutMs',
    'keepAliveMs',
    'slowConsumerWaitMs',
    'shutdownTimeoutMs',
    'sysIntervalMs',
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

function listenerOptions(options: BrokerOptions, certificates: Certificates | undefined): ListenerOptions {
  const maxMessageBytes = options.maxMessageBytes ?? limits.maxMessageBytes;
  return {
    certificates,
    socketMode: options.socketMode ?? limits.socketMode,
    maxConnections: (options.maxClients ?? limits.maxClients) + limits.maxUnconnectedConnections,
    handshakeTimeoutMs: options.connectTimeoutMs ?? limits.connectTimeoutMs,
    lingerMs: limits.lingerMs,
    tcpKeepAliveAfterMs: limits.tcpKeepAliveAfterMs,
    highWaterMarkBytes: limits.socketHighWaterMarkBytes,
    webSocket: {
      origins: options.webSocketOrigins ?? LOCAL_ORIGINS,
      maxMessageBytes: maxMessageBytes + limits.webSocketMessageSlackBytes,
      // The last one is what clients of MQTT 3.1 ask for.
      subprotocols: ['tinymq', 'mqtt', 'mqttv3.1'],
    },
  };
}

interface OpenListener extends Listener {
  door: DoorName;
  /** Of a listener that has certificates of its own. */
  reloadCertificates?: () => void;
}

async function openAll(
  places: readonly Place[],
  doors: OpenDoors,
  onListenError: BrokerOptions['onListenError'],
): Promise<OpenListener[]> {
  const listeners: OpenListener[] = [];
  const reachable = places.filter(({ door }) => doors[door] !== undefined);
  try {
    for (const [index, { door, endpoint }] of reachable.entries()) {
      const isLastHope = index === reachable.length - 1 && listeners.length === 0;
      try {
        listeners.push({ ...(await doors[door]!(endpoint)), door });
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
