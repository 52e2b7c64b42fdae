import type { BrokerParts } from '../admin/operation.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import { Admission } from '../doors/clients/admission.ts';
import { connectionProblems } from '../doors/clients/connection-problems.ts';
import { type Door, type DoorEntry, type DoorParts, doorsAtPortOf, type KeptTopics } from '../doors/door.ts';
import { doorLog } from '../doors/door-log.ts';
import { FrontDoor, type FrontDoorParts } from '../doors/front-door.ts';
import type { OpenAddresses } from '../doors/open-addresses.ts';
import { descriptorLimit } from '../lib/descriptor-limit.ts';
import { packageVersion } from '../lib/package-version.ts';
import * as brokerLimits from '../limits/broker.ts';
import * as doorsLimits from '../limits/doors.ts';
import * as serverLimits from '../limits/server.ts';
import type { Connections } from '../observe/connections.ts';
import type { Health } from '../observe/health.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Certificates } from '../transport/certificates.ts';
import { DescriptorWatch } from '../transport/descriptors.ts';
import type { Endpoint } from '../transport/endpoint.ts';
import { type Listener, listen } from '../transport/listener.ts';
import type { ListenerEvents, ListenerOptions } from '../transport/listener-options.ts';
import { Traffic } from '../transport/traffic.ts';
import type { OpenAccess } from './access.ts';
import { descriptorEvents } from './descriptors.ts';
import { loginLog } from './login-log.ts';
import type { Opened } from './opened.ts';
import { type BrokerOptions, listenerOptions, optionsOf } from './options.ts';

/** What opens a listener of a door, by the name of the door. */
export type OpenDoors = ReadonlyMap<string, (endpoint: Endpoint) => Promise<Listener>>;

/** What the doors of a broker are made from. */
export interface DoorsParts {
  /** The table of all doors. */
  doors: readonly DoorEntry[];
  options: BrokerOptions;
  access: OpenAccess;
  broker: Broker;
  sessions: Sessions;
  kept: KeptTopics | undefined;
  metrics: Metrics;
  connections: Connections;
  health: Health;
  /** Filled as listeners open. */
  addresses: OpenAddresses;
  /** What operations on the broker work on. */
  admin: BrokerParts;
  logger: Logger;
  certificates: Certificates | undefined;
  opened: Opened;
}

/**
 * Makes the doors of the table that are to be opened; what they have open is closed with the rest of the broker.
 *
 * @param wanted those that have a place to listen at. Without logs there are no doors to them.
 * @throws StoreError where what a door keeps cannot be read; Error where an option is wrong.
 */
export async function openDoors(wanted: readonly DoorEntry[], parts: DoorsParts): Promise<OpenDoors> {
  const { options, access, broker, sessions, kept, metrics, health, connections } = parts;
  const { addresses, admin, logger, certificates, opened } = parts;
  const told = loginLog(logger, broker.clock);
  const admission = new Admission(access.authenticator, access.policy, access.limits, told);
  opened.add(access.directory.onChange(() => connections.holdToLimits()));
  recheckWhenRulesChange(admission, parts);
  const shared = {
    ...{ broker, sessions, kept, admission, metrics, health, connections, clock: broker.clock },
    ...{ addresses, admin },
    version: options.version ?? packageVersion,
    // An app that decides itself has no use for users and rules.
    directory: options.policy === undefined ? access.directory : undefined,
    maxMessageBytes: options.maxMessageBytes ?? brokerLimits.maxMessageBytes,
    connectTimeoutMs: options.connectTimeoutMs ?? doorsLimits.connectTimeoutMs,
    keepAliveMs: options.keepAliveMs ?? doorsLimits.keepAliveMs,
  };
  const shutdownTimeoutMs = options.shutdownTimeoutMs ?? serverLimits.shutdownTimeoutMs;
  const listening = { ...listenerOptions(options, certificates), traffic: watchedTraffic(parts) };
  const open = new Map<string, (endpoint: Endpoint) => Promise<Listener>>();
  for (const entry of wanted) {
    if (entry.needsLogs && kept === undefined) continue;
    const partsOf = ({ name }: DoorEntry) => {
      connections.addDoor(name);
      return { ...shared, logger: doorLog(logger, name) };
    };
    const door = await openPort(entry, parts, partsOf);
    opened.add(() => door.close(shutdownTimeoutMs));
    const problem = connectionProblems(broker.fates.logging(doorLog(logger, entry.name)));
    const serves = [entry, ...doorsAtPortOf(entry.name, parts.doors)].flatMap((each) => each.serves);
    open.set(entry.name, async (endpoint) => {
      const listener = await listenFor(door, endpoint, listening, problem);
      shared.addresses.add(entry.name, serves, listener.url);
      return listener;
    });
  }
  return open;
}

function listenFor(
  door: Door,
  endpoint: Endpoint,
  listening: ListenerOptions,
  problem: ListenerEvents['problem'],
): Promise<Listener> {
  if (door.listen !== undefined) return door.listen(endpoint, listening, problem);
  return listen(endpoint, listening, { connection: (each) => door.open(each, NOTHING), problem });
}

const NOTHING = new Uint8Array(0);

/** Standing subscriptions are asked about again. */
function recheckWhenRulesChange(
  { policy }: Admission,
  { broker, sessions, connections, opened }: DoorsParts,
): void {
  opened.add(
    policy.onChange(() => {
      broker.recheckAccess();
      connections.recheckAccess();
      sessions.recheckAccess();
    }),
  );
}

/** The door of a port; where several share it, a front door before all of them. */
async function openPort(
  entry: DoorEntry,
  { doors, options }: DoorsParts,
  partsOf: (entry: DoorEntry) => DoorParts,
): Promise<Door> {
  const own = optionsOf(entry, options) ?? { listen: [] };
  const parts = partsOf(entry);
  const owner = await entry.open(parts, own);
  const sharing = doorsAtPortOf(entry.name, doors);
  if (sharing.length === 0) return owner;
  const others: FrontDoorParts['others'][number][] = [];
  try {
    for (const other of sharing) {
      const { serves, listening } = other;
      const door = await other.open(partsOf(other), own);
      others.push({ door, serves, recognises: listening.recognises });
    }
  } catch (error) {
    await Promise.all([owner, ...others.map(({ door }) => door)].map((door) => door.close(0)));
    throw error;
  }
  const { connectTimeoutMs, logger, addresses, clock } = parts;
  const fates = parts.broker.fates.logging(logger);
  return new FrontDoor({
    owner: { door: owner, serves: entry.serves },
    ...{ others, connectTimeoutMs, fates, addresses, clock },
  });
}

function watchedTraffic({ metrics, logger, opened }: DoorsParts): Traffic {
  const limit = descriptorLimit();
  const watch = limit === undefined ? undefined : new DescriptorWatch(limit, descriptorEvents(limit, logger));
  opened.add(() => watch?.close());
  const traffic = new Traffic(watch && ((socket) => watch.accepted(socket)));
  metrics.countedElsewhere('bytes_received_total', () => traffic.bytesReceived);
  metrics.countedElsewhere('bytes_sent_total', () => traffic.bytesSent);
  metrics.countedElsewhere('connections_accepted_total', () => traffic.accepted);
  return traffic;
}
