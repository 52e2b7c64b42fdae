import { Broker, type Logger } from '../../internal/broker/broker.ts';
import * as limits from '../../internal/limits.ts';
import { Metrics } from '../../internal/metrics/metrics.ts';
import { StoreError } from '../../internal/store/store-error.ts';
import { type CertificateFiles, Certificates } from '../../internal/transport/certificates.ts';
import { type Endpoint, isSecure } from '../../internal/transport/endpoint.ts';
import { ListenError, type Listener } from '../../internal/transport/listener.ts';
import {
  type BrokerOptions,
  brokerSettings,
  checkBounds,
  type DoorName,
  type Place,
  placesOf,
} from './broker-options.ts';
import { type OpenDoors, openDoors } from './open-doors.ts';
import { type OpenLogs, openLogs } from './open-logs.ts';
import { Opened } from './opened.ts';

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
    const broker = new Broker({ settings: brokerSettings(options), metrics, log });
    const kept = await openKept(options, places, broker, metrics, log);
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

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

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

/**
 * Opens the store where something is to be kept. Where only doors need it that may stay closed, a store that cannot be
 * opened closes them.
 *
 * @throws StoreError where the broker could do nothing without it.
 */
async function openKept(
  options: BrokerOptions,
  places: readonly Place[],
  broker: Broker,
  metrics: Metrics,
  log: Logger,
): Promise<OpenLogs | undefined> {
  const { logs: captured = [], kafka, grpc, onListenError } = options;
  if (captured.length === 0 && kafka === undefined && grpc === undefined) return undefined;
  try {
    return await openLogs(options, broker, metrics, log);
  } catch (error) {
    const isNeeded = captured.length > 0 || !places.some(({ door }) => door === 'frames');
    if (isNeeded || onListenError === undefined || !(error instanceof StoreError)) throw error;
    const closed = [...(kafka?.listen ?? []), ...(grpc?.listen ?? [])];
    for (const url of closed) onListenError(new ListenError(url, error));
    return undefined;
  }
}

interface OpenListener extends Listener {
  door: DoorName;
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
    reloadCertificates: () => certificates?.reload(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
