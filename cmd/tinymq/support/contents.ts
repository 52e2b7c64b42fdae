import { readFileSync } from 'node:fs';
import { arch, availableParallelism, platform, release, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { listClients } from '../../../internal/admin/operations/clients.ts';
import { showConfiguration } from '../../../internal/admin/operations/configuration.ts';
import { showHistory, showOverview } from '../../../internal/admin/operations/overview.ts';
import { showFates } from '../../../internal/admin/operations/why.ts';
import { entryName } from '../../../internal/persistence/entry-keys.ts';
import type { RunningBroker } from '../reach/reach.ts';
import { logsSnapshotByBroker } from '../store/snapshots.ts';

/** What one file of the archive holds, and how it comes about. */
export interface Content {
  readonly name: string;
  /** For people, before anything is written. */
  readonly what: string;
  gather(from: Sources): Promise<unknown>;
}

/** Where it comes from. */
export interface Sources {
  readonly version: string;
  /** Undefined where none runs. */
  readonly broker: RunningBroker | undefined;
  /** Undefined where the broker is elsewhere. */
  readonly folder: string | undefined;
  readonly stop: AbortSignal;
}

/** Fates that are asked for: the last ones, which mostly are what a report is about. */
const FATES = 1_000;

export const CONTENTS: readonly Content[] = [
  {
    name: 'about.json',
    what: 'versions of tinymq, Node.js and the system of this machine',
    gather: async ({ version }) => ({
      ...{ tinymq: version, node: process.version, versions: process.versions },
      ...{ platform: platform(), arch: arch(), release: release() },
      ...{ cores: availableParallelism(), memoryBytes: totalmem(), upSeconds: Math.floor(uptime()) },
      at: new Date().toISOString(),
    }),
  },
  {
    name: 'limits.txt',
    what: 'limits of the system for the broker, or else this program',
    gather: async ({ folder }) => limitsOf(folder),
  },
  {
    name: 'overview.json',
    what: 'listeners, store, health with its checks, metrics, doors',
    gather: async ({ broker }) => demand(broker).call(showOverview, {}),
  },
  {
    name: 'config.json',
    what: 'what the broker was told; secrets in it are hidden',
    gather: async ({ broker }) => demand(broker).call(showConfiguration, {}),
  },
  {
    name: 'history.json',
    what: 'rates and sizes of the last hour',
    gather: async ({ broker }) => demand(broker).call(showHistory, {}),
  },
  {
    name: 'fates.json',
    what: 'what was refused or lost lately; names clients, users, topics',
    gather: async ({ broker }) => demand(broker).call(showFates, { limit: FATES }),
  },
  {
    name: 'clients.json',
    what: 'how many clients each door has; none of them by name',
    gather: async ({ broker }) => {
      const { total } = await demand(broker).call(listClients, { limit: 1 });
      const { doors } = await demand(broker).call(showOverview, {});
      return { total, doors: Object.fromEntries(doors.map(({ name, connections }) => [name, connections])) };
    },
  },
];

export const VERIFICATION: Content = {
  name: 'verify.json',
  what: 'whether the store is whole, and how much is in it; no messages',
  async gather({ folder, stop }) {
    if (folder === undefined) return NOT_HERE;
    const { verifyDataFolder } = await import('../../../internal/store/data-folder/verify.ts');
    const verifying = verifyDataFolder(folder, entryName, () => logsSnapshotByBroker(folder));
    for (;;) {
      const { done, value } = await verifying.next();
      if (done) return value;
      stop.throwIfAborted();
    }
  },
};

const NOT_HERE = { problem: 'the broker is on another machine' };

function demand(broker: RunningBroker | undefined): RunningBroker {
  if (broker === undefined) throw new Error('no broker runs');
  return broker;
}

/** The file of the system that says it of a process. */
function limitsOf(folder: string | undefined): string {
  const pid = folder === undefined ? 'self' : pidIn(folder);
  try {
    return `process ${pid}\n${readFileSync(`/proc/${pid}/limits`, 'utf8')}`;
  } catch {
    return 'this system does not say them\n';
  }
}

function pidIn(folder: string): string {
  try {
    return readFileSync(join(folder, 'lock.pid'), 'utf8').trim();
  } catch {
    return 'self';
  }
}
