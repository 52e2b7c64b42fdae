import type { Authenticator } from '../access/authenticator.ts';
import type { Guard } from '../access/guard.ts';
import type { Policy } from '../access/policy.ts';
import type { TokenOptions } from '../access/users/tokens/tokens.ts';
import type { Setting } from '../admin/setting.ts';
import type { BrokerSettings, Logger } from '../broker/broker.ts';
import { SLOW_CONSUMER_POLICIES, type SlowConsumerPolicy } from '../broker/delivery/channel.ts';
import { CLUSTER_NAME } from '../cluster/cluster-name.ts';
import { natsUrlProblem } from '../cluster/nats-url.ts';
import type { DoorName, OptionalDoors } from '../doors/all.ts';
import { type DoorEntry, type DoorOptions, doorsWithPorts } from '../doors/door.ts';
import { doorEndpoint } from '../doors/door-addresses.ts';
import type { Clock } from '../lib/clock.ts';
import * as brokerLimits from '../limits/broker.ts';
import * as doorsLimits from '../limits/doors.ts';
import * as transportLimits from '../limits/transport.ts';
import type { CertificateFiles, Certificates } from '../transport/certificates.ts';
import type { Endpoint } from '../transport/endpoint.ts';
import type { ListenError, ListenerOptions } from '../transport/listener.ts';
import type { SessionsOptions } from './sessions.ts';
import type { LogsOptions } from './storage.ts';
import type { Faults } from './testing/faults.ts';

/** How a broker is started. Everything may be left out. */
export interface BrokerOptions extends LogsOptions, SessionsOptions, OptionalDoors {
  /**
   * Where to listen for tinymq's own clients and those of MQTT: `tcp://host:port`, `tls://host:port`, `unix:///path`, `ws://host:port`,
   * `wss://host:port`. Port 0 takes a free one. Default: `tcp://localhost:1883`, or nowhere where another door is named.
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
  /** Messages that wait for one subscriber before its publishers pause. Default: 100,000. */
  channelSize?: number;
  /** Bytes that wait for one subscriber before its publishers pause. Default: 8 MiB. */
  channelBytes?: number;
  /** Bytes that wait for all subscribers together; each may have an eighth of what is left of them. Default: 512 MiB. */
  channelTotalBytes?: number;
  /** What becomes of the messages of a subscriber that is slow. Default: `drop-new`. */
  slowConsumer?: SlowConsumerPolicy;
  /** How long publishers wait for a subscriber before it counts as slow. Default: 1,000. */
  slowConsumerWaitMs?: number;
  /** How long {@link RunningBroker.close} waits for what was accepted to be delivered. Default: 10,000. */
  shutdownTimeoutMs?: number;
  /** Globs of the origins whose web pages may connect by WebSocket. Default: pages of this machine, and of the IP address that is dialled. */
  webSocketOrigins?: readonly string[];
  /** Checks what clients show of who they are. Default: everybody is anonymous. */
  authenticator?: Authenticator;
  /** What each client of each door may do. Default: everything. */
  policy?: Policy;
  /** The short form of a policy: who may connect, publish and subscribe. Not together with `policy`. */
  guard?: Guard;
  /** What time it is: for tests that move it. Default: the machine's clock. */
  clock?: Clock;
  /** What goes wrong: for tests of apps. Default: nothing. */
  faults?: Faults;
  /** Whether the broker remembers what is published, for {@link RunningBroker.received}: for tests. Default: no. */
  record?: boolean;
  /**
   * Whether a subscription is granted that is wider than what its client may read; it then gets what it may. Default: no, such
   * a subscription is refused.
   */
  aclPartial?: boolean;
  /** A file of users and rules, watched while the broker runs: docs/security.md. Default: none. */
  usersFile?: string;
  /**
   * Which name in a client's certificate is that of its user: `cn`, `dns`, `email`, `uri`, `subject` or
   * `RULE:pattern/replacement/`, tried in their order. Default: `cn`.
   */
  certificateUsers?: readonly string[];
  /** How JSON Web Tokens of clients are checked. Default: they are not accepted. */
  tokens?: TokenOptions;
  /**
   * Whether everybody who reaches this machine may do everything, where there are no users. Default: no; the broker then
   * listens on loopback addresses and unix sockets only.
   */
  allowAnonymous?: boolean;
  /** Whether `tinymq users` and the like reach the broker, by a socket in its data folder. Default: no. */
  adminSocket?: boolean;
  /**
   * The environment variables of OpenTelemetry (`OTEL_EXPORTER_OTLP_ENDPOINT` and others) by which the metrics are exported, such as
   * `process.env`. Default: none; what the environment says has no effect then.
   */
  openTelemetry?: Readonly<Record<string, string | undefined>>;
  /** What is shown of the configuration to whoever administers the broker (`tinymq config show`). Default: nothing. */
  settings?: () => readonly Setting[];
  /** Where the log goes. Default: nowhere. */
  logger?: Logger;
}

/** The runtime's timers hold 31 bits; a longer one would end at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @throws RangeError where an option is out of its bounds. */
export function checkBounds(options: BrokerOptions): void {
  if (options.guard !== undefined && options.policy !== undefined) {
    throw new RangeError('guard and policy are two forms of the same: give one of them');
  }
  const { maxMessageBytes } = options;
  if (
    maxMessageBytes !== undefined &&
    !(maxMessageBytes > 0 && maxMessageBytes <= brokerLimits.maxMessageBytesCeiling)
  ) {
    throw new RangeError(
      `maxMessageBytes is 1 to ${brokerLimits.maxMessageBytesCeiling}, not ${maxMessageBytes}`,
    );
  }
  for (const name of [
    'maxClients',
    'channelSize',
    'channelBytes',
    'channelTotalBytes',
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
  checkCluster(options);
  const { sessionExpiryMs = 0, slowConsumer } = options;
  if (!(sessionExpiryMs >= 0)) throw new RangeError(`sessionExpiryMs is at least 0, not ${sessionExpiryMs}`);
  if (slowConsumer !== undefined && !SLOW_CONSUMER_POLICIES.includes(slowConsumer)) {
    throw new RangeError(`slowConsumer is one of ${SLOW_CONSUMER_POLICIES.join(', ')}, not ${slowConsumer}`);
  }
}

/** @throws RangeError */
function checkCluster({ cluster, kafkaLogDirs }: BrokerOptions): void {
  if (cluster === undefined) return;
  const { servers, name = 'tinymq', fsync = 'commit' } = cluster;
  if (kafkaLogDirs !== undefined) {
    throw new RangeError('cluster and kafkaLogDirs are two places for the same logs: give one of them');
  }
  if (servers.length === 0) throw new RangeError('cluster.servers names no server of NATS');
  for (const server of servers) {
    const problem = natsUrlProblem(server);
    if (problem !== undefined) throw new RangeError(`cluster.servers: ${problem}`);
  }
  if (!CLUSTER_NAME.test(name)) {
    throw new RangeError(`cluster.name has letters, digits, - and _, at most 64 of them: not '${name}'`);
  }
  if (!['commit', 'os'].includes(fsync)) throw new RangeError(`cluster.fsync is commit or os, not ${fsync}`);
}

export type { Setting } from '../admin/setting.ts';
export type { DoorName } from '../doors/all.ts';

/** Where a door is to be opened. */
export interface Place {
  door: DoorEntry;
  endpoint: Endpoint;
}

/** The door whose addresses are the option `listen`; the others have options of their own. */
export const MAIN_DOOR: DoorName = 'frames';

/** What the options say of a door that has addresses of its own; undefined where it stays closed. */
export function optionsOf({ name }: DoorEntry, options: BrokerOptions): DoorOptions | undefined {
  if (name === MAIN_DOOR) return options.listen && { listen: options.listen };
  return (options as Readonly<Record<string, DoorOptions | undefined>>)[name];
}

/**
 * Where the doors of a table are to be opened. Where the options name none, it is the default address of the main one.
 *
 * @throws RangeError where an option names no address, or one that its door cannot listen on.
 */
export function placesOf(doors: readonly DoorEntry[], options: BrokerOptions): Place[] {
  const known = doorsWithPorts(doors);
  const isAnyNamed = known.some((door) => optionsOf(door, options) !== undefined);
  const places = known.flatMap((door) => {
    const byDefault = !isAnyNamed && door.name === MAIN_DOOR ? [door.listening.defaultUrl] : [];
    const urls = optionsOf(door, options)?.listen ?? byDefault;
    return urls.map((url) => ({ door, endpoint: doorEndpoint(door.listening, url) }));
  });
  if (places.length === 0) throw new RangeError('listen names no address');
  return places;
}

/** What the broker is told, with the defaults. */
export function brokerSettings(options: BrokerOptions): BrokerSettings {
  return {
    maxClients: options.maxClients ?? brokerLimits.maxClients,
    channelSize: options.channelSize ?? brokerLimits.channelSize,
    channelBytes: options.channelBytes ?? brokerLimits.channelBytes,
    channelTotalBytes: options.channelTotalBytes ?? brokerLimits.channelTotalBytes,
    slowConsumer: options.slowConsumer ?? 'drop-new',
    slowConsumerWaitMs: options.slowConsumerWaitMs ?? brokerLimits.slowConsumerWaitMs,
  };
}

/** What its listeners are told, with the defaults. */
export function listenerOptions(
  options: BrokerOptions,
  certificates: Certificates | undefined,
): ListenerOptions {
  const maxMessageBytes = options.maxMessageBytes ?? brokerLimits.maxMessageBytes;
  return {
    certificates,
    clock: options.clock,
    socketMode: options.socketMode ?? transportLimits.socketMode,
    maxConnections: (options.maxClients ?? brokerLimits.maxClients) + doorsLimits.maxUnconnectedConnections,
    handshakeTimeoutMs: options.connectTimeoutMs ?? doorsLimits.connectTimeoutMs,
    lingerMs: transportLimits.lingerMs,
    tcpKeepAliveAfterMs: transportLimits.tcpKeepAliveAfterMs,
    highWaterMarkBytes: transportLimits.socketHighWaterMarkBytes,
    webSocket: {
      origins: options.webSocketOrigins,
      maxMessageBytes: maxMessageBytes + transportLimits.webSocketMessageSlackBytes,
      // The last one is what clients of MQTT 3.1 ask for.
      subprotocols: ['tinymq', 'mqtt', 'mqttv3.1'],
    },
  };
}

/** The folder in which the store is; undefined where nothing is kept. */
export function storeFolderOf({ memory, kafkaLogDirs, dataDir }: BrokerOptions): string | undefined {
  return memory ? undefined : (kafkaLogDirs?.directories[0] ?? dataDir);
}
