import { hostname } from 'node:os';
import { History } from '../admin/history.ts';
import type { OtherNode } from '../admin/nodes-view.ts';
import type { BrokerParts, StoreFacts } from '../admin/operation.ts';
import type { Broker } from '../broker/broker.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import type { KeptTopics } from '../doors/door.ts';
import type { OpenAddresses } from '../doors/open-addresses.ts';
import { packageVersion } from '../lib/package-version.ts';
import type { Connections } from '../observe/connections.ts';
import type { Health } from '../observe/health.ts';
import type { Metrics } from '../observe/metrics.ts';
import { STORE_FORMAT } from '../store/sqlite/store-file.ts';
import type { OpenAccess } from './access.ts';
import type { Opened } from './opened.ts';
import type { BrokerOptions } from './options.ts';

export interface AdminPartsOf {
  options: BrokerOptions;
  access: OpenAccess;
  broker: Broker;
  sessions: Sessions;
  kept: KeptTopics | undefined;
  metrics: Metrics;
  connections: Connections;
  health: Health;
  addresses: OpenAddresses;
  opened: Opened;
  /** The other nodes of its cluster, once it is one. */
  otherNodes: () => OthersView | undefined;
}

/** What a node knows of the others. */
export interface OthersView {
  readonly self: number;
  readonly coordinator: number | undefined;
  /** How many shards of the logs this node owns. */
  readonly shards: number;
  readonly others: readonly OtherNode[];
}

/** What operations work on, from the parts of a broker. */
export function adminParts(parts: AdminPartsOf): BrokerParts {
  const { options, access, broker, sessions, kept, metrics, connections, health, addresses } = parts;
  const isLookedAt = options.http !== undefined || options.adminSocket === true;
  const history = isLookedAt ? new History({ broker, connections, metrics }) : undefined;
  parts.opened.add(() => history?.close());
  const version = options.version ?? packageVersion;
  const startedAtMs = broker.clock.now();
  const listeners = () => addresses.all;
  return {
    ...{ directory: access.directory, rules: access.rules, makePassword: access.makePassword },
    ...{ broker, sessions, metrics, connections, health, history },
    ...{ version, startedAtMs, listeners },
    ...{ logs: kept?.logs, groups: kept?.groups },
    store: storeFacts(options),
    takeSnapshot: kept?.store.snapshot?.bind(kept.store),
    settings: options.settings ?? (() => []),
    nodes() {
      const { self, coordinator, shards, others } = parts.otherNodes() ?? ALONE;
      const now = { listeners: listeners(), clients: broker.clientCount, shards };
      const status = { version, host: hostname(), startedAtMs, ...now };
      return { self, coordinator, status, others };
    },
  };
}

/** A broker on its own, as Kafka's clients know it. */
const ALONE: OthersView = { self: 1, coordinator: 1, shards: 0, others: [] };

function storeFacts({ memory, kafkaLogDirs, dataDir, cluster }: BrokerOptions): StoreFacts {
  const folders = memory || dataDir === undefined ? [] : [dataDir];
  if (cluster !== undefined) {
    return { kind: 'cluster', servers: cluster.servers.map(withoutPassword), folders };
  }
  if (memory) return { kind: 'memory', folders };
  if (kafkaLogDirs !== undefined) return { kind: 'kafka-directory', folders: kafkaLogDirs.directories };
  return dataDir === undefined
    ? { kind: 'memory', folders }
    : { kind: 'data-folder', format: STORE_FORMAT, folders };
}

/** A URL of NATS may have credentials in it. */
function withoutPassword(server: string): string {
  return server.replace(/\/\/[^/@]*@/, '//');
}
