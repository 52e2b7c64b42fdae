import type { Identity } from '../../access/identity.ts';
import type { DeadlineTimer } from '../../lib/deadline-timer.ts';
import type { Logs } from '../../log/logs.ts';
import type { PartitionLog } from '../../log/partition-log.ts';
import type { Counter } from '../../observe/metrics.ts';
import type { Spans } from '../../observe/spans.ts';
import type { StatusCode } from '../../protocol/grpc/status.ts';
import type { Budget } from './budget.ts';
import type { Unsent } from './unsent.ts';

/** Settings of the door. Times in milliseconds, sizes in bytes. */
export interface GrpcSettings {
  /** The largest message, in both directions. */
  maxMessageBytes: number;
  /** Calls at once on one connection. */
  callsPerConnection: number;
  /** The time that a connection has for its HTTP/2 preface, and for each header block. */
  connectTimeoutMs: number;
  /** A connection on which nothing came for so long is asked whether its peer is still there; 0: never. */
  keepAliveAfterMs: number;
  /** The time that the answer may take. */
  keepAliveTimeoutMs: number;
  /** Clients ping no more often than this while nothing is sent to them; 0: as they like. */
  minPingIntervalMs: number;
  /** The quiet time of a followed topic before its readers get a heartbeat. */
  heartbeatAfterMs: number;
  /** The interval of heartbeats from then on. */
  heartbeatEveryMs: number;
  /** False refuses all that would change a topic. */
  allowRemoteWrites: boolean;
}

/** The services that the door's parts share. */
export interface DoorContext {
  readonly settings: GrpcSettings;
  readonly logs: Logs;
  readonly settled: Settled | undefined;
  /** Messages that are arriving or on their way to the disk. */
  readonly held: Budget;
  /** Of these, what streams sent that is on its way to the disk. */
  readonly waiting: Budget;
  /** Answers of BulkRetrieve. */
  readonly bulk: Budget;
  readonly unsent: Unsent;
  /** Told of calls that belong to a trace. */
  readonly spans: Spans;
  readonly deadlines: DeadlineTimer;
  readonly received: Counter;
  readonly sent: Counter;
  /** Whether the broker can serve now. */
  isServing(): boolean;
  /** Something threw that nobody foresaw. */
  unexpected(error: unknown): void;
}

/**
 * Resolves when what is in a partition is with its live subscribers, and they have room for more; undefined where that is so
 * already.
 */
export type Settled = (partition: PartitionLog) => Promise<void> | undefined;

/** The client of a call. */
export interface CallPeer {
  readonly context: DoorContext;
  /** Counts a message that the client has produced. */
  tookMessage(): void;
  /** Counts messages that are sent to the client next. */
  sendsMessages(count: number): void;
  /** Takes note of a call that fails, whoever sent it where that is known. */
  refused(identity: Identity | undefined, error: unknown): void;
  callOver(call: object, status: StatusCode): void;
}
