import { getHeapStatistics } from 'node:v8';
import type { Identity } from '../access/identity.ts';
import type { Policy } from '../access/policy.ts';
import type { Broker, Logger } from '../broker/broker.ts';
import { Sessions } from '../broker/sessions/sessions.ts';
import { SysTopics } from '../doors/sys/sys-topics.ts';
import { packageVersion } from '../lib/package-version.ts';
import * as brokerLimits from '../limits/broker.ts';
import * as doorsLimits from '../limits/doors.ts';
import type { Metrics } from '../observe/metrics.ts';
import { restoreSessions } from '../persistence/restore-sessions.ts';
import { SessionKeeper } from '../persistence/session-keeper.ts';
import type { SharedWills } from '../persistence/shared-wills.ts';
import type { OpenEntries } from './session-store.ts';
import type { LogsOptions } from './storage.ts';

/** What is kept for clients that are away, and what is told of the broker itself. */
export interface SessionsOptions {
  /** Messages that wait in one session, while its client is away or takes no more. Default: 100,000. */
  sessionQueue?: number;
  /** Bytes of such messages. Default: 64 MiB. */
  sessionQueueBytes?: number;
  /**
   * How long sessions of versions before 5, which cannot say it themselves, outlast their connections. Default: 0, for ever.
   */
  sessionExpiryMs?: number;
  /** How often the topics under `$SYS` are published. Default: 10,000; 0: never. */
  sysIntervalMs?: number;
  /** The version that it says it has, in `$SYS/broker/version` and elsewhere. Default: that of this package. */
  version?: string;
}

/** The sessions of all clients, with what tells of them. */
export interface OpenSessions {
  sessions: Sessions;
  /** Lets what was acknowledged reach the store. */
  close(): Promise<void>;
}

export interface SessionsParts {
  options: SessionsOptions & LogsOptions & { slowConsumerWaitMs?: number };
  broker: Broker;
  policy: Policy;
  /** How many bytes may wait for somebody. */
  mostQueuedBytes: (owner: Identity) => number;
  /** Undefined where all is in memory. */
  entries: OpenEntries | undefined;
  /** What keeps them there. */
  keeper: SessionKeeper | undefined;
  /** Where wills are that the nodes of a cluster share. */
  sharedWills: SharedWills | undefined;
  metrics: Metrics;
  logger: Logger;
}

/** What keeps sessions and retained messages; undefined where all is in memory. */
export function openKeeper(entries: OpenEntries | undefined, logger: Logger): SessionKeeper | undefined {
  return entries && new SessionKeeper(entries.store, logger);
}

/**
 * Takes up the sessions and the retained messages that the store has, and publishes the topics under `$SYS`.
 *
 * @throws StoreError where the store cannot be read.
 */
export async function openSessions(parts: SessionsParts): Promise<OpenSessions> {
  const { options, broker, policy, entries, keeper, sharedWills, metrics, logger } = parts;
  const sessions = new Sessions({
    broker,
    policy,
    mostQueuedBytes: parts.mostQueuedBytes,
    metrics,
    logger,
    limits: {
      queueMessages: options.sessionQueue ?? brokerLimits.sessionQueueMessages,
      queueBytes: options.sessionQueueBytes ?? brokerLimits.sessionQueueBytes,
    },
    defaultExpiryMs: options.sessionExpiryMs || Number.POSITIVE_INFINITY,
    mostWaitingBytes: getHeapStatistics().heap_size_limit * brokerLimits.sessionsShareOfHeap,
    slowConsumerWaitMs: options.slowConsumerWaitMs ?? brokerLimits.slowConsumerWaitMs,
    store: keeper,
    wills: sharedWills,
  });
  await sharedWills?.open(sessions.willHost);
  if (entries?.hasEntries && keeper !== undefined) {
    await restoreSessions({ store: entries.store, keeper, sessions, broker, logger, sharedWills });
  }
  const everyMs = options.sysIntervalMs ?? doorsLimits.sysTopicsEveryMs;
  const version = `tinymq version ${options.version ?? packageVersion}`;
  const sys = everyMs > 0 ? new SysTopics({ broker, sessions, metrics, version, everyMs }) : undefined;

  async function close(): Promise<void> {
    sys?.close();
    sessions.close();
    await Promise.all([keeper?.flush(), sharedWills?.flush()]);
  }

  return { sessions, close };
}
