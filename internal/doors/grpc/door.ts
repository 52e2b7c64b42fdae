import { performServerHandshake } from 'node:http2';
import type { Socket } from 'node:net';
import type { Guard } from '../../access/guard.ts';
import * as limits from '../../limits.ts';
import type { Logs } from '../../log/logs.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { Status, type StatusCode } from '../../protocol/grpc/status.ts';
import type { Certificates } from '../../transport/certificates.ts';
import type { HostEndpoint } from '../../transport/endpoint.ts';
import type { Traffic } from '../../transport/traffic.ts';
import { connectionProblems } from '../connection-problems.ts';
import { Budget } from './budget.ts';
import type { DoorContext, GrpcSettings, OnAppended } from './context.ts';
import { Deadlines } from './deadlines.ts';
import { GrpcHealth } from './health.ts';
import { type GrpcListener, listenForGrpc } from './listen.ts';
import { makeMethods } from './methods.ts';
import { runtimeProblem } from './runtime.ts';
import { GrpcSession, type SessionParts } from './session.ts';
import { Heartbeats } from './smq/heartbeats.ts';
import { Unsent } from './unsent.ts';

/** How the gRPC door is opened. */
export interface GrpcDoorOptions {
  /** Port 0 takes a free one; an empty host is every address of the machine. */
  endpoint: HostEndpoint;
  /** Needed where the endpoint speaks TLS. With a CA every client must show a certificate that it signed. */
  certificates?: Certificates;
  /** Counts what goes over the sockets. */
  traffic?: Traffic;
  logs: Logs;
  metrics: Metrics;
  log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
  settings?: Partial<GrpcSettings>;
  /** Who may produce and consume. Default: everybody. */
  guard?: Guard;
  /** Called with each batch that was produced here, after it lasts, so that live subscribers get it. */
  onAppended?: OnAppended;
  /** Whether the broker can serve, for the health service. Default: always. */
  isServing?: () => boolean;
}

/** The gRPC door, open. */
export interface GrpcDoor {
  /** Where it listens: `grpc://host:port`, or `grpcs://` with TLS. */
  readonly url: string;
  /** Takes nobody new, answers what was accepted, for at most so long, and closes. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Opens the gRPC door: the service of SMQ on the logs of the broker, with health and reflection.
 *
 * @throws Error where the runtime cannot do it safely; ListenError.
 */
export async function openGrpcDoor(options: GrpcDoorOptions): Promise<GrpcDoor> {
  const problem = runtimeProblem();
  if (problem !== undefined) throw new Error(problem);
  const settings: GrpcSettings = { ...DEFAULTS, ...options.settings };
  const sessions = new Set<GrpcSession>();
  const context = contextOf(options, settings);
  const health = new GrpcHealth(context);
  const heartbeats = new Heartbeats(settings);
  const methodOf = makeMethods(context, health, heartbeats);
  const counts = countsOf(options.metrics);
  const parts: SessionParts = {
    door: context,
    methodOf,
    isFull: () => counts.calls > limits.grpcCalls,
    callOpened: () => counts.callOpened(),
    callOver: (status) => counts.callOver(status),
    gone(session) {
      if (!sessions.delete(session)) return;
      counts.connections--;
      if (sessions.size === 0) whenEmpty?.();
    },
  };
  let whenEmpty: (() => void) | undefined;
  let isClosing = false;
  let listener: GrpcListener;
  try {
    listener = await listenForGrpc(
      options.endpoint,
      {
        certificates: options.certificates,
        traffic: options.traffic,
        maxConnections: settings.maxConnections,
        handshakeTimeoutMs: settings.connectTimeoutMs,
        tcpKeepAliveAfterMs: limits.tcpKeepAliveAfterMs,
      },
      {
        connection(socket) {
          if (isClosing) {
            socket.destroy();
            return;
          }
          counts.connections++;
          sessions.add(openSession(parts, socket, settings));
        },
        problem: connectionProblems(options.metrics, options.log),
      },
    );
  } catch (error) {
    heartbeats.close();
    health.close();
    context.deadlines.close();
    throw error;
  }

  async function close(timeoutMs: number): Promise<void> {
    isClosing = true;
    listener.close();
    health.close();
    const empty = new Promise<void>((resolve) => {
      whenEmpty = resolve;
      if (sessions.size === 0) resolve();
    });
    for (const session of [...sessions]) session.close();
    heartbeats.close();
    if (!(await within(empty, timeoutMs))) {
      for (const session of [...sessions]) session.failCalls();
      if (!(await within(empty, LAST_WORD_MS))) for (const session of [...sessions]) session.destroy();
    }
    context.deadlines.close();
  }

  let closed: Promise<void> | undefined;
  return {
    url: listener.url,
    close(timeoutMs) {
      closed ??= close(timeoutMs);
      return closed;
    },
  };
}

const DEFAULTS: GrpcSettings = {
  maxMessageBytes: limits.maxGrpcMessageBytes,
  maxConnections: limits.maxClients,
  connectTimeoutMs: limits.connectTimeoutMs,
  keepAliveAfterMs: limits.grpcKeepAliveAfterMs,
  keepAliveTimeoutMs: limits.grpcKeepAliveTimeoutMs,
  minPingIntervalMs: limits.grpcMinPingIntervalMs,
  heartbeatAfterMs: limits.grpcHeartbeatAfterMs,
  heartbeatEveryMs: limits.grpcHeartbeatEveryMs,
  allowRemoteWrites: true,
};

/** How long the last status of a call may take to its client when the door closes. */
const LAST_WORD_MS = 1_000;

function contextOf(options: GrpcDoorOptions, settings: GrpcSettings): DoorContext {
  const { logs, metrics, log, guard, onAppended, isServing = () => true } = options;
  return {
    settings,
    logs,
    guard,
    onAppended,
    isServing,
    held: new Budget(Math.max(limits.grpcHeldBytes, 2 * settings.maxMessageBytes)),
    waiting: new Budget(limits.grpcWaitingBytes),
    bulk: new Budget(Math.max(limits.grpcBulkBytes, settings.maxMessageBytes)),
    unsent: new Unsent(),
    deadlines: new Deadlines(),
    received: metrics.counter('grpc_messages_received_total', 'Messages produced by the gRPC door.'),
    sent: metrics.counter('grpc_messages_sent_total', 'Messages consumed by the gRPC door.'),
    unexpected(error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error({ code: 'internal-error', error: why }, 'a call failed');
    },
  };
}

function openSession(parts: SessionParts, socket: Socket, settings: GrpcSettings): GrpcSession {
  const session = performServerHandshake(socket, {
    maxSessionMemory: limits.grpcSessionMemoryMiB,
    streamResetBurst: limits.grpcCancelledCallsBurst,
    streamResetRate: limits.grpcCancelledCallsPerSecond,
    settings: {
      enablePush: false,
      initialWindowSize: limits.grpcStreamWindowBytes,
      maxConcurrentStreams: limits.grpcCallsPerConnection,
      maxHeaderListSize: limits.grpcHeaderBytes,
    },
  });
  session.setLocalWindowSize(Math.min(limits.grpcConnectionWindowBytes, settings.maxMessageBytes + 65_536));
  return new GrpcSession(parts, socket, session);
}

/** Connections and calls of all doors of a broker: it may listen at several addresses. */
class Counts {
  connections = 0;
  calls = 0;
  readonly #metrics: Metrics;
  readonly #byStatus = new Map<StatusCode, { value: number }>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    metrics.gauge('grpc_connections', 'Open connections of the gRPC door.', () => this.connections);
    metrics.gauge('grpc_calls', 'Calls of the gRPC door that are open.', () => this.calls);
  }

  callOpened(): void {
    this.calls++;
  }

  callOver(status: StatusCode): void {
    this.calls--;
    let counter = this.#byStatus.get(status);
    if (counter === undefined) {
      counter = this.#metrics.counter('grpc_calls_total', 'Calls of the gRPC door, by their status.', {
        name: 'status',
        value: STATUS_NAMES.get(status) ?? String(status),
      });
      this.#byStatus.set(status, counter);
    }
    counter.value++;
  }
}

const countsByMetrics = new WeakMap<Metrics, Counts>();

function countsOf(metrics: Metrics): Counts {
  let found = countsByMetrics.get(metrics);
  if (found === undefined) {
    found = new Counts(metrics);
    countsByMetrics.set(metrics, found);
  }
  return found;
}

const STATUS_NAMES = new Map(Object.entries(Status).map(([name, code]) => [code, name]));

/** Whether something came within a time. */
async function within(what: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const came = await Promise.race([what.then(() => true as const), late]);
  clearTimeout(timer);
  return came;
}
