import { Broker, type Logger } from '../broker/broker.ts';
import { DOORS } from '../doors/all.ts';
import type { DoorEntry } from '../doors/door.ts';
import { type Links, linkMetrics } from '../doors/links/links.ts';
import { OpenAddresses } from '../doors/open-addresses.ts';
import { packageVersion } from '../lib/package-version.ts';
import * as transportLimits from '../limits/transport.ts';
import type { Cluster } from '../log/cluster.ts';
import type { Nodes } from '../log/nodes.ts';
import { Connections } from '../observe/connections.ts';
import { Health } from '../observe/health.ts';
import { Metrics } from '../observe/metrics.ts';
import { SharedRetained } from '../persistence/shared-retained.ts';
import { SharedWills } from '../persistence/shared-wills.ts';
import { StoreError } from '../store/store-error.ts';
import { type CertificateFiles, Certificates, validityOf } from '../transport/certificates.ts';
import { type Endpoint, endpointUrl, isSecure } from '../transport/endpoint.ts';
import { ListenError, type Listener } from '../transport/listener.ts';
import { type OpenAccess, openAccess, tellThrottles } from './access.ts';
import { adminParts, type OthersView } from './admin-parts.ts';
import { openAdminSocket } from './admin-socket.ts';
import { checkOptions } from './check-options.ts';
import { joinCluster, measureNode } from './cluster.ts';
import { checkDataFolder } from './data-folder.ts';
import { reportDescriptorLimit } from './descriptors.ts';
import { type OpenDoors, openDoors } from './doors.ts';
import { exposedPlaces, warnOfExposed } from './exposure.ts';
import { withPresentNames } from './former-names.ts';
import { openGroups } from './groups.ts';
import { addHealthChecks, addListenerCheck } from './health.ts';
import { openLive } from './live.ts';
import { Opened } from './opened.ts';
import {
  type BrokerOptions,
  brokerSettings,
  checkBounds,
  type DoorName,
  type Place,
  placesOf,
} from './options.ts';
import { openOtlp } from './otlp.ts';
import { measureProcess } from './process-metrics.ts';
import { MEMORY_ONLY, openEntries } from './session-store.ts';
import { openKeeper, openSessions } from './sessions.ts';
import { type OpenLogs, openLogs } from './storage.ts';
import { refusingClients } from './testing/fault-points.ts';
import { openTesting, type TestedBroker } from './testing/open-testing.ts';

/** Counters since the start, and gauges of now, by name. */
export type BrokerStats = Readonly<Record<string, number>>;

/** A broker that is running in this process. */
export interface RunningBroker extends TestedBroker, AsyncDisposable {
  /** Where it listens, with the real ports, and for whom. */
  readonly listeners: readonly { readonly url: string; readonly door: DoorName }[];
  /** The first of them. */
  readonly url: string;
  /** The listeners that are not on this machine only, and where nobody checks who connects. */
  readonly openToAll: readonly string[];
  /** Its counters and gauges, as they are now. */
  stats(): BrokerStats;
  /** Reads the certificate files again, for new connections. A broken file is logged and changes nothing. */
  reloadCertificates(): void;
  /** Reads the file of users again, if there is one. A broken file is logged and changes nothing. */
  reloadUsers(): Promise<void>;
  /** Stops: accepts nobody new, delivers what was accepted, tells every client, closes. */
  close(): Promise<void>;
}

/**
 * Starts a broker and opens all its listeners.
 *
 * @throws ListenError where one of them cannot open; then none stays open.
 * @throws RangeError where an option is out of its bounds.
 * @throws StoreError where the folder that is named cannot be used, or the servers of a cluster.
 * @throws UnprotectedError where it would be open to everybody who reaches this machine.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<RunningBroker> {
  if (options.cluster === undefined) return startWithDoors(DOORS, options);
  const { openNode } = await import('./open-node.ts');
  return openNode(options, (cluster) => startWithDoors(DOORS, options, cluster));
}

/**
 * The same with a table of doors that may be another one.
 *
 * @param cluster the brokers that this one shares a store with. Default: it has one for itself.
 */
export async function startWithDoors(
  doors: readonly DoorEntry[],
  given: BrokerOptions,
  cluster?: Cluster,
): Promise<RunningBroker> {
  checkOptions(given, doors);
  const unopened: ListenError[] = [];
  const options = notingUnopened(withPresentNames(given), unopened);
  checkBounds(options);
  const places = placesOf(doors, options);
  const logger = options.logger ?? silent;
  const folderError = dataFolderError(options, logger);
  const usable = folderError === undefined ? options : { ...options, dataDir: undefined };
  const metrics = new Metrics();
  const health = new Health();
  const opened = new Opened();
  opened.add(() => cluster?.close());
  try {
    const certificates = openCertificates(
      places.map(({ endpoint }) => endpoint),
      options.tls,
      logger,
    );
    opened.add(() => certificates?.close());
    const wanted = doors.filter((door) => places.some((place) => place.door === door));
    loadLater(wanted);
    const stored = await openStored(options, places, metrics, logger, folderError, cluster);
    opened.add(() => stored?.close());
    const entries = openEntries(usable, stored, metrics, logger);
    opened.add(() => entries?.close());
    const access = withFaults(
      await openAccess({ options, kept: stored, entries, shared: cluster?.tables.access, logger, opened }),
      options,
    );
    const exposed = await exposedPlaces(places, options, access.directory.current.isProtected);
    const keeper = openKeeper(entries, logger);
    opened.add(() => keeper?.close());
    const sharedRetained = cluster && new SharedRetained(cluster.tables.retained, logger);
    opened.add(() => sharedRetained?.close());
    const broker = new Broker({
      settings: brokerSettings(options),
      metrics,
      logger,
      clock: options.clock,
      retainedStore: sharedRetained ?? keeper,
      retainedBounds: (publisher) => access.limits.retainedBounds(publisher),
      afterReads,
    });
    tellThrottles(access.limits, broker);
    await sharedRetained?.open(broker.retained);
    opened.add(() => sharedRetained?.flush());
    opened.add(countSeconds(broker));
    const live = stored && openLive(options.keep ?? [], { ...stored, broker, metrics, logger });
    opened.add(() => live?.close());
    const sharedWills = cluster && openSharedWills(cluster, broker, logger);
    opened.add(() => sharedWills?.close());
    const { sessions, close } = await openSessions({
      ...{ options: usable, broker, policy: access.policy, entries, keeper, metrics, logger },
      sharedWills,
      mostQueuedBytes: (owner) => access.limits.mostQueuedBytes(owner),
    });
    opened.add(close);
    const groups = stored && openGroups({ ...stored, clock: broker.clock, logger });
    opened.add(() => groups?.close());
    const kept = stored &&
      live &&
      groups && {
        ...{ ...stored, groups: groups.groups },
        ...{ delivery: live.delivery, logOf: live.logOf },
      };
    addHealthChecks(health, { kept, entries, certificates });
    measureProcess(metrics, options.version ?? packageVersion, kept, certificates, opened);
    // The last export comes after the doors are closed, and before what it asks.
    const otlp = await openOtlp({
      ...{ variables: options.openTelemetry, metrics, spans: broker.spans },
      ...{ clock: options.clock, logger },
    });
    opened.add(() => otlp?.close());
    const connections = new Connections(metrics);
    const observed = { metrics, health, connections, logger };
    const addresses = new OpenAddresses();
    let links: Links | undefined;
    const admin = adminParts({
      otherNodes: () => cluster && links && othersView(cluster.nodes, links),
      options: usable,
      access,
      broker,
      sessions,
      kept,
      ...observed,
      addresses,
      opened,
    });
    const shared = { access, broker, sessions, kept, ...observed, addresses, admin, certificates, opened };
    // What clients say last goes to the other nodes too: their wills are published when the doors close.
    opened.add(() => links?.close());
    const openable = await openDoors(wanted, { doors, options: usable, ...shared });
    const listeners = await openAll(places, openable, options);
    opened.add(async () => {
      await Promise.all(listeners.map((listener) => listener.close()));
    });
    addListenerCheck(health, listeners, unopened);
    const testing = openTesting(options, broker, connections);
    opened.add(() => testing.close());
    opened.add(() => broker.tracing.close());
    opened.add(() => health.stop());
    const tools = options.adminSocket ? await openAdminSocket(usable, admin, logger) : undefined;
    opened.add(() => tools?.close());
    metrics.gauge('node', () => cluster?.nodes.self ?? 0);
    if (cluster !== undefined) measureNode(metrics, cluster.nodes);
    if (cluster === undefined) linkMetrics(metrics);
    else if (kept) {
      const status = () => admin.nodes().status;
      const parts = { ...kept, broker, sessions, metrics, logger, options, listeners, opened, status };
      links = await joinCluster(cluster, parts);
    }
    reportDescriptorLimit(options.maxClients, logger);
    const openToAll = listeners.filter(({ endpoint }) =>
      exposed.some((place) => place.endpoint === endpoint),
    );
    warnOfExposed(openToAll, logger);
    return running({ listeners, openToAll, metrics, certificates, access, testing, logger, opened });
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** While the store opens, of which most is waiting. What cannot be loaded is told by who opens it. */
function loadLater(doors: readonly DoorEntry[]): void {
  afterReads(() => {
    for (const { load } of doors) load?.().catch(() => {});
  });
}

function openSharedWills({ tables, nodes }: Cluster, { clock }: Broker, logger: Logger): SharedWills {
  return new SharedWills({ table: tables.wills, nodes, clock, logger });
}

function othersView({ self, coordinator, shards }: Nodes, links: Links): OthersView {
  const coordinating = coordinator === 'here' ? self : coordinator === 'nobody' ? undefined : coordinator;
  return { self, coordinator: coordinating, shards: shards?.owned ?? 0, others: links.others() };
}

/** The runtime's own: an app's tests may put fake timers in its place, in which the broker would stand still. */
const afterReads = globalThis.setImmediate;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

function withFaults(access: OpenAccess, { faults }: BrokerOptions): OpenAccess {
  if (faults === undefined) return access;
  return { ...access, authenticator: refusingClients(access.authenticator, faults) };
}

/** Keeps the time that messages of topics are counted by. Returns what ends that. */
function countSeconds({ clock, routes }: Broker): () => void {
  const tick = () => routes.beginSecond(Math.floor(clock.elapsedMs() / 1_000));
  const timer = clock.every(1_000, tick);
  tick();
  return () => timer.cancel();
}

/**
 * Why the folder of the store cannot be used, where the broker can do without it.
 *
 * @throws StoreError where it was named: nobody expects to lose what is to be kept there.
 */
function dataFolderError(options: BrokerOptions, logger: Logger): StoreError | undefined {
  const { dataDir, dataDirIsOptional = false, memory } = options;
  if (dataDir === undefined || memory) return undefined;
  try {
    checkDataFolder(dataDir, !dataDirIsOptional);
    return undefined;
  } catch (error) {
    if (!dataDirIsOptional || !(error instanceof StoreError)) throw error;
    logger.warn({ code: 'store-unavailable', error: error.message }, MEMORY_ONLY);
    return error;
  }
}

function openCertificates(
  endpoints: readonly Endpoint[],
  files: CertificateFiles | undefined,
  logger: Logger,
): Certificates | undefined {
  if (!endpoints.some(isSecure) || files === undefined) return undefined;
  const file = files.certFile;
  const warnOfTime = () => {
    const { problem } = validityOf(certificates.material.cert, Date.now());
    if (problem !== undefined) logger.warn({ file }, problem);
  };
  const certificates = new Certificates(files, transportLimits.certificateWatchMs, ({ error }) => {
    if (error !== undefined) {
      logger.error({ error: error.message }, 'the new certificate is not used; the one before stays');
      return;
    }
    logger.info({ file }, 'the certificate was read again');
    warnOfTime();
  });
  warnOfTime();
  return certificates;
}

/**
 * Opens the store where something is to be kept. Where only doors need it that may stay closed, a store that cannot be
 * opened closes them.
 *
 * @throws StoreError where the broker could do nothing without it.
 */
async function openStored(
  options: BrokerOptions,
  places: readonly Place[],
  metrics: Metrics,
  logger: Logger,
  folderError: StoreError | undefined,
  cluster: Cluster | undefined,
): Promise<OpenLogs | undefined> {
  const { keep: captured = [], onListenError } = options;
  const needing = places.filter(({ door }) => door.needsLogs);
  // The users of a broker on the directory of a Kafka lie there.
  if (cluster !== undefined) return openLogs(options, options.clock, metrics, logger, cluster);
  const isNeededForUsers = options.kafkaLogDirs !== undefined && !options.memory;
  if (captured.length === 0 && needing.length === 0 && !isNeededForUsers) return undefined;
  try {
    if (folderError !== undefined) throw folderError;
    return await openLogs(options, options.clock, metrics, logger);
  } catch (error) {
    const isNeeded = captured.length > 0 || needing.length === places.length || isNeededForUsers;
    if (isNeeded || onListenError === undefined || !(error instanceof StoreError)) throw error;
    for (const { endpoint } of needing) onListenError(new ListenError(endpointUrl(endpoint), error));
    return undefined;
  }
}

/** The options, with who is told of listeners that could not open where the broker goes on without them. */
function notingUnopened(options: BrokerOptions, unopened: ListenError[]): BrokerOptions {
  const { onListenError } = options;
  if (onListenError === undefined) return options;
  return {
    ...options,
    onListenError(error) {
      unopened.push(error);
      onListenError(error);
    },
  };
}

type OpenListener = Listener & Place;

async function openAll(
  places: readonly Place[],
  doors: OpenDoors,
  { onListenError, tls }: BrokerOptions,
): Promise<OpenListener[]> {
  const listeners: OpenListener[] = [];
  const reachable = places.filter(({ door }) => doors.has(door.name));
  try {
    for (const [index, { door, endpoint }] of reachable.entries()) {
      const isLastHope = index === reachable.length - 1 && listeners.length === 0;
      try {
        if (isSecure(endpoint) && tls === undefined) throw lacksCertificate(endpoint);
        listeners.push({ ...(await doors.get(door.name)!(endpoint)), door, endpoint });
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

function lacksCertificate(endpoint: Endpoint): ListenError {
  return new ListenError(
    endpointUrl(endpoint),
    new Error('it needs the option tls, with certFile and keyFile'),
  );
}

interface RunningParts {
  listeners: readonly OpenListener[];
  openToAll: readonly OpenListener[];
  metrics: Metrics;
  certificates: Certificates | undefined;
  access: OpenAccess;
  testing: TestedBroker;
  logger: Logger;
  opened: Opened;
}

function running(parts: RunningParts): RunningBroker {
  const { listeners, openToAll, metrics, certificates, access, testing, logger, opened } = parts;
  const { publish, received, untilReceived, clearReceived } = testing;
  const close = () => opened.close();
  return {
    listeners: listeners.map(({ url, door }) => ({ url, door: door.name as DoorName })),
    url: listeners[0]!.url,
    get openToAll() {
      return access.directory.current.isProtected ? [] : openToAll.map(({ url }) => url);
    },
    stats: () => metrics.snapshot(),
    reloadCertificates() {
      if (certificates === undefined)
        logger.info({}, 'no listener uses TLS: there is no certificate to read again');
      else certificates.reload();
    },
    reloadUsers: () => access.reload(),
    ...{ publish, received, untilReceived, clearReceived },
    close,
    [Symbol.asyncDispose]: close,
  };
}
