import { History } from '../admin/history.ts';
import type { BrokerParts, StoreFacts } from '../admin/operation.ts';
import type { Broker } from '../broker/broker.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import type { KeptTopics } from '../doors/door.ts';
import type { OpenAddresses } from '../doors/open-addresses.ts';
import { packageVersion } from '../lib/package-version.ts';
import type { Connections } from '../observe/connections.ts';
import type { Health } from '../observe/health.ts';
import type { Metrics } from '../observe/metrics.ts';
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
}

/** What operations work on, from the parts of a broker. */
export function adminParts(parts: AdminPartsOf): BrokerParts {
  const { options, access, broker, sessions, kept, metrics, connections, health, addresses } = parts;
  const isLookedAt = options.http !== undefined || options.adminSocket === true;
  const history = isLookedAt ? new History({ broker, connections, metrics }) : undefined;
  parts.opened.add(() => history?.close());
  return {
    ...{ directory: access.directory, rules: access.rules, makePassword: access.makePassword },
    ...{ broker, sessions, metrics, connections, health, history },
    version: options.version ?? packageVersion,
    startedAtMs: broker.clock.now(),
    ...{ logs: kept?.logs, groups: kept?.groups },
    store: storeFacts(options),
    settings: options.settings ?? (() => []),
    listeners: () => addresses.all,
  };
}

function storeFacts({ memory, kafkaLogDirs, dataDir }: BrokerOptions): StoreFacts {
  if (memory) return { kind: 'memory', folders: [] };
  if (kafkaLogDirs !== undefined) return { kind: 'kafka-directory', folders: kafkaLogDirs.directories };
  return dataDir === undefined ? { kind: 'memory', folders: [] } : { kind: 'sqlite', folders: [dataDir] };
}
