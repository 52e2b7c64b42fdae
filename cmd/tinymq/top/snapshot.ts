import { listClients, type ShownClient } from '../../../internal/admin/operations/clients.ts';
import { listLogs } from '../../../internal/admin/operations/logs.ts';
import { showOverview } from '../../../internal/admin/operations/overview.ts';
import { listBusiest } from '../../../internal/admin/operations/tree.ts';
import type { Overview } from '../broker/status.ts';
import type { RunningBroker } from '../reach/reach.ts';

/**
 * Clients, topics and logs that are looked at; of more those with the most traffic since they connected, or at the moment, or the
 * first by name.
 */
const MOST_LOOKED_AT = 500;

type LiveTopic = Awaited<ReturnType<typeof listBusiest.run>>['topics'][number];
type Log = Awaited<ReturnType<typeof listLogs.run>>['logs'][number];

/** What a broker says of itself at one moment. */
export interface Snapshot {
  /** By a clock that only goes forward. */
  readonly atMs: number;
  readonly overview: Overview;
  readonly clients: readonly ShownClient[];
  readonly topics: readonly LiveTopic[];
  readonly logs: readonly Log[];
}

export async function takeSnapshot(broker: RunningBroker): Promise<Snapshot> {
  const overview = await broker.call(showOverview, {});
  const atMs = performance.now();
  const clients = new Map<number, ShownClient>();
  for (const sort of ['receivedBytes', 'sentBytes'] as const) {
    const page = await broker.call(listClients, { sort, limit: MOST_LOOKED_AT });
    for (const client of page.clients) clients.set(client.id, client);
    // The other order would give the same ones.
    if (page.next === undefined) break;
  }
  const { topics } = await broker.call(listBusiest, { limit: MOST_LOOKED_AT });
  const { logs } = await broker.call(listLogs, { limit: MOST_LOOKED_AT });
  return { atMs, overview, clients: [...clients.values()], topics, logs };
}

/** What went through something, each second. */
export interface Rates {
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What happened between two snapshots. */
export interface Sample {
  readonly at: string;
  readonly seconds: number;
  readonly version: string;
  readonly startedAt: string;
  readonly health: string;
  readonly problems: readonly string[];
  readonly perSecond: Rates & { readonly dropped: number };
  readonly connections: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly retained: number;
  readonly waiting: { readonly messages: number; readonly bytes: number; readonly changes: number };
  readonly dropped: number;
  readonly store: Overview['store'];
  readonly heapBytes: number | undefined;
  readonly eventLoopDelayMs: number | undefined;
  readonly doors: readonly ({ readonly door: string; readonly connections: number } & Rates)[];
  readonly clients: readonly ClientRates[];
  readonly topics: readonly TopicRates[];
}

export interface ClientRates extends Rates {
  readonly id: number;
  readonly client: string;
  readonly user: string | undefined;
  readonly door: string;
  readonly remote: string;
  readonly waiting: number;
}

export interface TopicRates {
  readonly topic: string;
  /** Live ones, by the doors of frames, MQTT, gRPC and HTTP. */
  readonly messagesPerSecond: number;
  /** What goes into the log of that name, where there is one. */
  readonly log?: { readonly recordsPerSecond: number; readonly records: number; readonly bytes: number };
}

const MS_PER_SECOND = 1_000;

/** What happened between two snapshots of one run of a broker. */
export function sampleOf(before: Snapshot, now: Snapshot): Sample {
  const seconds = (now.atMs - before.atMs) / MS_PER_SECOND;
  const { overview } = now;
  const { counters } = overview;
  const doors = doorRates(before.overview, overview, seconds);
  const dropped = sumOf(overview.droppedByCode);
  const delaySeconds = counters['event_loop_delay_seconds{statistic="p99"}'];
  return {
    ...{ at: new Date().toISOString(), seconds, version: overview.version, startedAt: overview.startedAt },
    ...{ health: overview.health, problems: problemsOf(overview) },
    perSecond: {
      ...{ messagesIn: total(doors, 'messagesIn'), messagesOut: total(doors, 'messagesOut') },
      ...{ bytesIn: total(doors, 'bytesIn'), bytesOut: total(doors, 'bytesOut') },
      dropped: grown(sumOf(before.overview.droppedByCode), dropped, seconds),
    },
    connections: total(doors, 'connections'),
    ...{ sessions: overview.sessions, subscriptions: overview.subscriptions, retained: overview.retained },
    waiting: {
      messages: counters.session_messages_waiting ?? 0,
      bytes: counters.channel_bytes_waiting ?? 0,
      changes: counters.store_changes_waiting ?? 0,
    },
    ...{ dropped, store: overview.store, heapBytes: counters.process_heap_bytes },
    eventLoopDelayMs: delaySeconds === undefined ? undefined : delaySeconds * MS_PER_SECOND,
    doors,
    clients: clientRates(before.clients, now.clients, seconds),
    topics: topicRates(before, now, seconds),
  };
}

function doorRates(before: Overview, now: Overview, seconds: number): Sample['doors'] {
  const earlier = new Map(before.doors.map((door) => [door.name, door]));
  return now.doors.map((door) => {
    const of = (field: keyof Rates) => grown(earlier.get(door.name)?.[field], door[field], seconds);
    return {
      ...{ door: door.name, connections: door.connections },
      ...{ messagesIn: of('messagesIn'), messagesOut: of('messagesOut') },
      ...{ bytesIn: of('bytesIn'), bytesOut: of('bytesOut') },
    };
  });
}

function clientRates(
  before: readonly ShownClient[],
  now: readonly ShownClient[],
  seconds: number,
): ClientRates[] {
  const earlier = new Map(before.map((client) => [client.id, client]));
  return now.map((client) => {
    const { id, clientId, user, door, remote, waiting } = client;
    // One that is new has done all of it since.
    const of = (field: 'received' | 'sent' | 'receivedBytes' | 'sentBytes') =>
      grown(earlier.get(id)?.[field] ?? 0, client[field], seconds);
    return {
      ...{ id, client: clientId, user, door, remote, waiting },
      ...{ messagesIn: of('received'), messagesOut: of('sent') },
      ...{ bytesIn: of('receivedBytes'), bytesOut: of('sentBytes') },
    };
  });
}

function topicRates(before: Snapshot, now: Snapshot, seconds: number): TopicRates[] {
  const messagesPerSecond = liveRates(before.topics, now.topics, seconds);
  const logs = logRates(before.logs, now.logs, seconds);
  const topics = new Set([...messagesPerSecond.keys(), ...logs.keys()]);
  const rates = [...topics].map((topic) => ({
    ...{ topic, messagesPerSecond: messagesPerSecond.get(topic) ?? 0, log: logs.get(topic) },
  }));
  const busy = ({ messagesPerSecond, log }: TopicRates) =>
    Math.max(messagesPerSecond, log?.recordsPerSecond ?? 0);
  return rates.sort((a, b) => busy(b) - busy(a) || (b.log?.records ?? 0) - (a.log?.records ?? 0));
}

function liveRates(
  before: readonly LiveTopic[],
  now: readonly LiveTopic[],
  seconds: number,
): Map<string, number> {
  const earlier = new Map(before.map(({ topic, published }) => [topic, published]));
  return new Map(
    now.map(({ topic, published = 0, perSecond = 0 }) => {
      const known = earlier.get(topic);
      // One that was not among the busiest before, or was forgotten meanwhile, is what the broker says of it.
      const isComparable = known !== undefined && known <= published;
      return [topic, isComparable ? (published - known) / seconds : perSecond];
    }),
  );
}

function logRates(
  before: readonly Log[],
  now: readonly Log[],
  seconds: number,
): Map<string, NonNullable<TopicRates['log']>> {
  const earlier = new Map(before.map((log) => [log.name, log]));
  return new Map(
    now.map(({ name, topic, records, bytes }) => [
      topic,
      { recordsPerSecond: grown(earlier.get(name)?.records, records, seconds), records, bytes },
    ]),
  );
}

/** By how much a counter grew each second; nothing where it was not there before, or began anew. */
function grown(before: number | undefined, now: number, seconds: number): number {
  return before === undefined || now < before ? 0 : (now - before) / seconds;
}

function problemsOf({ checks }: Overview): string[] {
  return Object.entries(checks)
    .filter(([, { status }]) => status !== 'pass')
    .map(([name, { status, problem }]) => `${name}: ${problem ?? status}`);
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function total<Field extends string>(
  items: readonly Readonly<Record<Field, number>>[],
  field: Field,
): number {
  return items.reduce((sum, item) => sum + item[field], 0);
}
