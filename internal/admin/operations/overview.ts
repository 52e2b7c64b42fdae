import { THE_BROKER } from '../../access/policy.ts';
import { addFacts, type DoorTotals } from '../../observe/connections.ts';
import {
  type BrokerParts,
  defineOperation,
  listOf,
  number,
  objectOf,
  recordOf,
  text,
  texts,
  time,
} from '../operation.ts';
import { eachInSlices } from '../pages.ts';

const STATUS = { type: 'string', enum: ['pass', 'warn', 'fail'] };

/** A door with what went through it since the start. */
export interface DoorFacts {
  readonly name: string;
  readonly connections: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export const showOverview = defineOperation({
  ...{ name: 'overview', summary: 'Shows what the broker does, as a whole.' },
  ...{ method: 'GET', path: '/overview', needs: { action: 'describe', resource: THE_BROKER } },
  answer: objectOf({
    ...{ version: text, startedAt: time },
    listeners: listOf(objectOf({ door: text, url: text })),
    store: objectOf(
      {
        kind: { type: 'string', enum: ['memory', 'sqlite', 'kafka-directory'] },
        ...{ folders: texts, bytes: number, freeBytes: number },
      },
      ['kind', 'folders'],
    ),
    health: STATUS,
    checks: recordOf({ type: 'object', properties: { status: STATUS, problem: text }, required: ['status'] }),
    counters: { ...recordOf(number), description: 'As docs/metrics.md names them, with their labels.' },
    doors: listOf(
      objectOf({
        ...{ name: text, connections: number, messagesIn: number, messagesOut: number },
        ...{ bytesIn: number, bytesOut: number },
      }),
    ),
    ...{ sessions: number, retained: number, subscriptions: number, logs: number },
    droppedByCode: { ...recordOf(number), description: 'Messages that subscribers did not get.' },
  }),
  async run(parts: BrokerParts, _input: object) {
    const { version, startedAtMs, store, health, metrics, sessions, broker, logs } = parts;
    const counters = metrics.snapshot();
    const { status, checks } = health.read();
    return {
      version,
      startedAt: new Date(startedAtMs).toISOString(),
      listeners: parts.listeners(),
      store: { ...store, bytes: counters.store_bytes, freeBytes: counters.disk_free_bytes },
      health: status,
      ...{ checks, counters, doors: await doorFacts(parts) },
      ...{ sessions: sessions.count, retained: broker.retained.count },
      subscriptions: metrics.sum('subscriptions'),
      logs: logs === undefined ? 0 : [...logs.topics()].length,
      droppedByCode: byCode(counters, 'messages_dropped_total'),
    };
  },
});

/** What went through each door since the start, its open connections included. */
export async function doorFacts({ connections }: Pick<BrokerParts, 'connections'>): Promise<DoorFacts[]> {
  const totals = new Map<string, DoorTotals>();
  for (const door of connections.doors) totals.set(door, { ...connections.totalsBefore(door) });
  await eachInSlices(connections, (connection) => {
    const sum = totals.get(connection.door);
    if (sum !== undefined) addFacts(sum, connection.facts());
  });
  return Array.from(totals, ([name, { received, sent, receivedBytes, sentBytes }]) => ({
    ...{ name, connections: connections.countOf(name), messagesIn: received, messagesOut: sent },
    ...{ bytesIn: receivedBytes, bytesOut: sentBytes },
  }));
}

function byCode(counters: Readonly<Record<string, number>>, metric: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(counters)) {
    const [, of, code] = /^(\w+)\{code="([\w-]+)"\}$/.exec(name) ?? [];
    if (of === metric && value > 0) found[code!] = value;
  }
  return found;
}
