import type { AccessDirectory } from '../access/directory.ts';
import type { BrokerParts } from '../admin/operation.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import type { Groups } from '../groups/groups.ts';
import type { Clock } from '../lib/clock.ts';
import type { Kind } from '../lib/option-kinds.ts';
import type { Delivery } from '../live/delivery.ts';
import type { Logs } from '../log/logs.ts';
import type { Nodes } from '../log/nodes.ts';
import type { Connections } from '../observe/connections.ts';
import type { Health } from '../observe/health.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Protocol } from '../protocol/first-bytes.ts';
import type { LogStore } from '../store/log-store.ts';
import type { Connection } from '../transport/connection.ts';
import type { Endpoint, Scheme } from '../transport/endpoint.ts';
import type { Listener } from '../transport/listener.ts';
import type { ListenerEvents, ListenerOptions } from '../transport/listener-options.ts';
import type { Admission } from './clients/admission.ts';
import type { OpenAddresses } from './open-addresses.ts';

/** A protocol's way into the broker. Any door works over any transport. */
export interface Door {
  readonly name: string;
  /** Takes a connection over. `first` is what has arrived on it so far; it may be empty. */
  open(connection: Connection, first: Uint8Array): void;
  /** Lets what was accepted be delivered, tells every client that the broker stops, and closes. */
  close(timeoutMs: number): Promise<void>;
  /** Where its listeners are not plain ones: listens, and opens what connects. @throws ListenError. */
  listen?(
    endpoint: Endpoint,
    options: ListenerOptions,
    problem: ListenerEvents['problem'],
  ): Promise<Listener>;
}

/**
 * A line of the table of doors (all.ts): what is known of a door before anybody loads its code.
 *
 * @typeParam Options what an app says about it.
 */
export interface DoorEntry<Options extends DoorOptions = DoorOptions> {
  /** In the log, among the listeners, and of its option and its flag. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  /** Who comes through it, as in "for Kafka clients". */
  readonly clients: string;
  /** Its page in docs/. */
  readonly page: string;
  /** What the first bytes of its clients are called. */
  readonly serves: readonly Protocol[];
  readonly listening: OwnPort | SharedPort;
  /** The options that it has, for those who have no compiler. Default: `listen` alone. */
  readonly options?: Kind;
  /** Whether it serves logs, so that it stays closed where there is no store. */
  readonly needsLogs: boolean;
  /** Whether the authenticator of the broker decides who may come in. */
  readonly authenticates: boolean;
  /** Loads its code ahead of {@link open}. Absent where every broker has that code. */
  readonly load?: () => Promise<unknown>;
  /** Loads its code and makes the door. It listens nowhere yet. @throws StoreError; Error where an option is wrong. */
  open(parts: DoorParts, options: Options): Promise<Door>;
}

/** What the options of each door begin with. */
export interface DoorOptions {
  listen: readonly string[];
}

/** A door with addresses of its own. */
export interface OwnPort {
  /** Where it listens when nobody says where any door is to listen. */
  readonly defaultUrl: string;
  /** What its addresses may begin with, and which transport that means. */
  readonly schemes: Readonly<Record<string, Scheme>>;
  /** Where its clients look for it when nobody names a port. */
  readonly defaultPorts: Readonly<Partial<Record<Scheme, number>>>;
}

/** A door whose clients come to the addresses of another one. */
export interface SharedPort {
  /** The name of the other one, which gets all connections that nobody recognises. */
  readonly sharesPortOf: string;
  /** Whether a connection that begins like this, with at least one byte, is for this door. */
  recognises(first: Uint8Array): boolean;
  /** How its clients write an address of the other one; undefined where they cannot use it. */
  clientUrl(url: string): string | undefined;
}

/** What every door is made from. */
export interface DoorParts {
  broker: Broker;
  sessions: Sessions;
  /** Undefined where nothing is kept. */
  kept: KeptTopics | undefined;
  /** Where the broker listens, for those who came to the wrong port. */
  addresses: OpenAddresses;
  /** Who is let in, and may do what. */
  admission: Admission;
  /** Users, rules and limits, for doors that change them; undefined where the app around the broker decides on its own. */
  directory?: AccessDirectory | undefined;
  metrics: Metrics;
  connections: Connections;
  clock: Clock;
  /** How the parts of the broker are. */
  health: Health;
  /** What operations on the broker work on, for doors that offer them. */
  admin: BrokerParts;
  /** Of the broker. */
  version: string;
  /** Says of each line by which door it came. */
  logger: Logger;
  maxMessageBytes: number;
  /** How long a connection may take to say who it is. */
  connectTimeoutMs: number;
  /** A client that says nothing for this long is disconnected; 0: never. */
  keepAliveMs: number;
}

/** Durable topics that are open. */
export interface KeptTopics {
  readonly logs: Logs;
  readonly store: LogStore;
  /** Consumer groups, with what they have committed. */
  readonly groups: Groups;
  /** The folder of the store; undefined where logs are kept in memory. */
  readonly directory: string | undefined;
  /** Undefined unless the logs are those of an existing Kafka. */
  readonly cluster: ClusterIdentity | undefined;
  /** The brokers that share the store; undefined where this one has it for itself. */
  readonly nodes?: Nodes | undefined;
  /** Brings what comes into a log by a door of its own to live subscribers. */
  readonly delivery: Delivery;
  /** The name of the log that keeps live messages of this topic; undefined where none does. */
  logOf(topic: string): string | undefined;
}

/** What a directory of Kafka says of the cluster that it belongs to. */
export interface ClusterIdentity {
  readonly clusterId: string;
  readonly nodeId: number;
  /** The first producer id that was not given away. */
  readonly nextProducerId: number;
  /** The level of its feature `metadata.version`; undefined where it says none. */
  readonly metadataVersion: number | undefined;
}

/** The entries of a table that have addresses of their own. */
export function doorsWithPorts(doors: readonly DoorEntry[]): (DoorEntry & { listening: OwnPort })[] {
  return doors.filter(hasOwnPort);
}

function hasOwnPort(door: DoorEntry): door is DoorEntry & { listening: OwnPort } {
  return 'defaultUrl' in door.listening;
}

/** The entries of a table whose clients come to the addresses of `owner`. */
export function doorsAtPortOf(
  owner: string,
  doors: readonly DoorEntry[],
): (DoorEntry & { listening: SharedPort })[] {
  return doors.filter(
    (door): door is DoorEntry & { listening: SharedPort } =>
      'sharesPortOf' in door.listening && door.listening.sharesPortOf === owner,
  );
}
