import type { Clock, ClockTimer } from '../../lib/clock.ts';
import { DeadlineTimer } from '../../lib/deadline-timer.ts';
import * as doorsLimits from '../../limits/doors.ts';
import * as grpcLimits from '../../limits/grpc.ts';
import type { Logs } from '../../log/logs.ts';
import { Connections } from '../../observe/connections.ts';
import { type FateLog, Fates } from '../../observe/fates.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { Spans } from '../../observe/spans.ts';
import type { Connection } from '../../transport/connection.ts';
import { Admission } from '../clients/admission.ts';
import { ConnectionSet } from '../clients/connection-set.ts';
import { LostTime } from '../clients/lost-time.ts';
import type { Door } from '../door.ts';
import { ForeignProtocols } from '../foreign-protocol.ts';
import type { OpenAddresses } from '../open-addresses.ts';
import { Budget } from './budget.ts';
import type { DoorContext, GrpcSettings, Settled } from './context.ts';
import { Counts } from './counts.ts';
import { GrpcHealth } from './health.ts';
import { makeMethods } from './methods.ts';
import { GrpcPeer, type PeerParts } from './peer.ts';
import { Heartbeats } from './smq/heartbeats.ts';
import { Unsent } from './unsent.ts';

/** The parts of the door. */
export interface GrpcDoorParts {
  logs: Logs;
  metrics: Metrics;
  /** Where it tells what became of connections. Default: a place of its own. */
  fates?: Fates;
  /** The open connections of all doors. Default: of this one. */
  connections?: Connections;
  log: FateLog;
  /** Told of calls that belong to a trace. Default: nobody is. */
  spans?: Spans;
  settings?: Partial<GrpcSettings>;
  /** Admission and permissions. Default: every client may do everything. */
  admission?: Admission;
  /** The other addresses of the broker. Default: none. */
  addresses?: OpenAddresses;
  /** Given if logs are delivered live: answers wait for that. */
  settled?: Settled;
  /** Whether the broker can serve, for the health service. Default: always. */
  isServing?: () => boolean;
}

/** The gRPC door: the service of SMQ on the logs of the broker, with health and reflection (docs/grpc.md). */
export class GrpcDoor implements Door {
  readonly name = 'grpc';
  readonly #context: DoorContext;
  readonly #health: GrpcHealth;
  readonly #heartbeats: Heartbeats;
  readonly #counts: Counts;
  readonly #connections: Connections;
  readonly #parts: PeerParts;
  readonly #peers = new ConnectionSet<GrpcPeer>();
  readonly #clock: Clock;
  readonly #lostTime: LostTime;
  readonly #sweep: ClockTimer;
  readonly #admission: Admission;
  #isClosing = false;

  constructor(parts: GrpcDoorParts) {
    const settings: GrpcSettings = { ...DEFAULTS, ...parts.settings };
    this.#context = contextOf(parts, settings);
    this.#health = new GrpcHealth(this.#context);
    this.#heartbeats = new Heartbeats(settings, parts.logs.clock);
    this.#counts = new Counts(parts.metrics);
    this.#connections = parts.connections ?? new Connections(parts.metrics);
    parts.metrics.gauge('grpc_connections', () => this.#connections.countOf(this.name));
    this.#admission = parts.admission ?? new Admission();
    this.#parts = this.#peerParts(parts, settings);
    this.#clock = parts.logs.clock;
    this.#lostTime = new LostTime(this.#clock);
    this.#sweep = this.#clock.every(doorsLimits.deadlineSweepMs, () => this.#sweepPeers());
  }

  open(connection: Connection, first: Uint8Array): void {
    // Its handshake had begun before the listener closed.
    if (this.#isClosing) {
      connection.destroy();
      return;
    }
    const peer = new GrpcPeer(this.#parts, connection);
    this.#peers.add(peer);
    this.#connections.add(peer);
    if (first.length > 0) peer.bytes(first);
  }

  /** Answers what was accepted, for at most so long, and closes. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#health.close();
    for (const peer of [...this.#peers]) peer.close(LAST_WORD_MS);
    this.#heartbeats.close();
    await this.#peers.untilEmpty(performance.now() + timeoutMs);
    for (const peer of [...this.#peers]) peer.failCalls();
    await this.#peers.untilEmpty(performance.now() + LAST_WORD_MS);
    for (const peer of [...this.#peers]) peer.destroy();
    this.#sweep.cancel();
    this.#context.deadlines.close();
  }

  #peerParts(
    { metrics, log, fates = new Fates(metrics, log), addresses }: GrpcDoorParts,
    settings: GrpcSettings,
  ): PeerParts {
    const counts = this.#counts;
    return {
      door: this.#context,
      admission: this.#admission,
      http2: {
        ...settings,
        windowBytes: Math.min(
          grpcLimits.grpcConnectionWindowBytes,
          settings.maxMessageBytes + MESSAGE_SLACK_BYTES,
        ),
      },
      fates,
      foreign: new ForeignProtocols({ ...FOREIGN_WORDS, door: this.name, fates, addresses }),
      methodOf: makeMethods(this.#context, this.#health, this.#heartbeats),
      isFull: () => counts.calls > grpcLimits.grpcCalls,
      callOpened: () => counts.callOpened(),
      callOver: (status) => counts.callOver(status),
      gone: (peer) => {
        this.#peers.delete(peer);
        this.#connections.delete(peer);
      },
    };
  }

  #sweepPeers(): void {
    const now = this.#clock.elapsedMs();
    const lostMs = this.#lostTime.sinceLastSweep();
    const timeOfDayMs = this.#clock.now();
    for (const peer of this.#peers) peer.sweep(now, timeOfDayMs, lostMs);
  }
}

/** The name of what is spoken here, in answers to clients of other protocols. */
const FOREIGN_WORDS = {
  spoken: 'HTTP/2',
  explained: 'gRPC, which needs HTTP/2 from the first byte on',
  httpStatus: '505 HTTP Version Not Supported',
};

/** Others may be sent on a connection while one of the largest messages arrives. */
const MESSAGE_SLACK_BYTES = 65_536;
/** The time that the last status of a call may take to its client when the door closes. */
const LAST_WORD_MS = 1_000;

const DEFAULTS: GrpcSettings = {
  maxMessageBytes: grpcLimits.maxGrpcMessageBytes,
  callsPerConnection: grpcLimits.grpcCallsPerConnection,
  connectTimeoutMs: doorsLimits.connectTimeoutMs,
  keepAliveAfterMs: grpcLimits.grpcKeepAliveAfterMs,
  keepAliveTimeoutMs: grpcLimits.grpcKeepAliveTimeoutMs,
  minPingIntervalMs: grpcLimits.grpcMinPingIntervalMs,
  heartbeatAfterMs: grpcLimits.grpcHeartbeatAfterMs,
  heartbeatEveryMs: grpcLimits.grpcHeartbeatEveryMs,
  allowRemoteWrites: true,
};

function contextOf(parts: GrpcDoorParts, settings: GrpcSettings): DoorContext {
  const { logs, metrics, log, settled, isServing = () => true } = parts;
  return {
    settings,
    logs,
    settled,
    isServing,
    held: new Budget(Math.max(grpcLimits.grpcHeldBytes, 2 * settings.maxMessageBytes)),
    waiting: new Budget(grpcLimits.grpcWaitingBytes),
    bulk: new Budget(Math.max(grpcLimits.grpcBulkBytes, settings.maxMessageBytes)),
    unsent: new Unsent(),
    spans: parts.spans ?? new Spans(logs.clock),
    deadlines: new DeadlineTimer(logs.clock),
    received: metrics.counter('grpc_messages_received_total'),
    sent: metrics.counter('grpc_messages_sent_total'),
    unexpected(error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error({ code: 'internal-error', error: why }, 'a call failed');
    },
  };
}
