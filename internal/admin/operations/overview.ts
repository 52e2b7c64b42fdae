import { THE_BROKER } from '../../access/policy.ts';
import { historyStepMs } from '../../limits/admin.ts';
import { doorTotals } from '../door-totals.ts';
import {
  type BrokerParts,
  defineOperation,
  listOf,
  number,
  objectOf,
  recordOf,
  STORE_KINDS,
  text,
  texts,
  time,
} from '../operation.ts';

const STATUS = { type: 'string', enum: ['pass', 'warn', 'fail'] };

export const showOverview = defineOperation({
  ...{ name: 'overview', summary: 'Shows what the broker does, as a whole.' },
  ...{ method: 'GET', path: '/overview', needs: { action: 'describe', resource: THE_BROKER } },
  answer: objectOf({
    ...{ version: text, startedAt: time },
    listeners: listOf(objectOf({ door: text, url: text })),
    store: objectOf(
      {
        kind: { type: 'string', enum: STORE_KINDS },
        folders: { ...texts, description: 'Those of a node of a cluster have its sessions only.' },
        format: { ...number, description: 'Of a data folder.' },
        servers: { ...texts, description: 'The NATS servers that a cluster keeps its logs on.' },
        ...{ bytes: number, freeBytes: number },
      },
      ['kind', 'folders'],
    ),
    health: STATUS,
    checks: recordOf({ type: 'object', properties: { status: STATUS, problem: text }, required: ['status'] }),
    counters: { ...recordOf(number), description: 'As docs/metrics.md names them, with their labels.' },
    doors: {
      ...listOf(
        objectOf({
          ...{ name: text, connections: number, messagesIn: number, messagesOut: number },
          ...{ requests: number, bytesIn: number, bytesOut: number },
        }),
      ),
      description:
        'What went through each since the start. Requests are those of Kafka and HTTP, and calls of gRPC.',
    },
    ...{ sessions: number, subscriptions: number, logs: number },
    retained: { ...number, description: 'Retained messages, but for those of the broker itself.' },
    droppedByCode: { ...recordOf(number), description: 'Messages that subscribers did not get.' },
  }),
  async run(parts: BrokerParts, _input: object) {
    const { version, startedAtMs, store, health, metrics, sessions, broker, logs } = parts;
    const counters = known(metrics.snapshot());
    const { status, checks } = health.read();
    return {
      version,
      startedAt: new Date(startedAtMs).toISOString(),
      listeners: parts.listeners(),
      store: { ...store, bytes: counters.store_bytes, freeBytes: counters.disk_free_bytes },
      health: status,
      ...{ checks, counters, doors: await doorTotals(parts.connections) },
      ...{ sessions: sessions.count, retained: broker.retained.countOfClients },
      subscriptions: metrics.sum('subscriptions'),
      logs: logs === undefined ? 0 : [...logs.topics()].length,
      droppedByCode: byCode(counters, 'messages_dropped_total'),
    };
  },
});

export const showHistory = defineOperation({
  ...{ name: 'history', summary: 'Shows what the broker did in the last hour, a sample each ten seconds.' },
  ...{ method: 'GET', path: '/history', needs: { action: 'describe', resource: THE_BROKER } },
  answer: objectOf({
    ...{ stepMs: number, times: listOf(number) },
    series: { ...recordOf(listOf({ type: ['number', 'null'] })), description: 'A value for each time.' },
  }),
  async run({ history }: BrokerParts, _input: object) {
    return history?.read() ?? { stepMs: historyStepMs, times: [], series: {} };
  },
});

/** What is not known yet is left out. */
function known(counters: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => Number.isFinite(value)));
}

function byCode(counters: Readonly<Record<string, number>>, metric: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(counters)) {
    const [, of, code] = /^(\w+)\{code="([\w-]+)"\}$/.exec(name) ?? [];
    if (of === metric && value > 0) found[code!] = value;
  }
  return found;
}
