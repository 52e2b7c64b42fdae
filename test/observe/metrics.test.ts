import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../internal/observe/metric-table.ts';
import { METRIC_PREFIX } from '../../internal/observe/metrics-text.ts';
import { OBJECT_METRICS } from '../../internal/observe/object-metrics.ts';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { getJson, post, startHttp } from '../support/http-door.ts';
import { KafkaWire } from '../support/kafka-wire.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;

/** A sample of a text, by the rules of the text format of Prometheus; the text itself says what is wrong. */
interface Parsed {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Reads the text format, and checks that each family comes once, with its help, its type and no sample twice. */
function parse(text: string): Parsed[] {
  const samples: Parsed[] = [];
  const seen = new Set<string>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, kind, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
    if (kind === 'HELP') {
      expect(seen, line).not.toContain(name);
      seen.add(name!);
      family = name!;
    }
    if (kind !== undefined) {
      expect(name).toBe(family);
      continue;
    }
    const [, sample, labels = '', value] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    expect(sample?.replace(/_(bucket|sum|count)$/, '') === family || sample === family, line).toBe(true);
    expect(seen, line).not.toContain(`${sample}{${labels}}`);
    seen.add(`${sample}{${labels}}`);
    const pairs = [...labels.matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)",?/g)].map(([, name, text]) => [
      name!,
      text!,
    ]);
    samples.push({ name: sample!, labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return samples;
}

/** What promtool has to say about a text; nothing where it is not installed. */
async function promtool(text: string, ...args: string[]): Promise<string> {
  if (!hasPromtool) return '';
  const child = spawn('promtool', args);
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  child.stderr.on('data', (chunk) => (said += chunk));
  child.stdin.end(text);
  const [code] = await once(child, 'close');
  return code === 0 ? '' : said;
}

describe('metrics', () => {
  let broker: RunningBroker;
  let http: string;
  afterAll(() => broker.close());
  let all: Parsed[];
  let objects: Parsed[];
  beforeAll(async () => {
    broker = await startBroker({
      ...{ listen: ['tcp://127.0.0.1:0'], memory: true, sysIntervalMs: 0 },
      ...{ http: { listen: ['http://127.0.0.1:0'] }, kafka: { listen: ['tcp://127.0.0.1:0'] } },
    });
    http = urlOf(broker, 'http');
    const subscriber = await connectRaw(urlOf(broker, 'frames'), 'a "quoted"\\ client');
    await subscriber.subscribe('t');
    const kafka = await KafkaWire.open(urlOf(broker, 'kafka'));
    await kafka.ask(createTopics, 2, {
      ...{ timeoutMs: 1_000, validateOnly: false },
      topics: [{ name: 'orders', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }],
    } as never);
    await post(http, 't', 'hello');
    await subscriber.message();
    all = parse(await text('/metrics'));
    objects = parse(await text('/metrics/per-object'));
  });
  const text = async (path: string) => (await fetch(`${http}${path}`)).text();
  const value = (samples: Parsed[], name: string, labels: object = {}) =>
    samples.find((each) => {
      const isIt = each.name === `${METRIC_PREFIX}${name}`;
      return isIt && Object.entries(labels).every(([label, wanted]) => each.labels[label] === wanted);
    })?.value;

  it('are what promtool takes without a complaint', async () => {
    expect(await promtool(await text('/metrics'), 'check', 'metrics')).toBe('');
    expect(await promtool(await text('/metrics/per-object'), 'check', 'metrics')).toBe('');
  });

  it('say what went through each door', () => {
    expect(value(all, 'door_messages_received_total', { door: 'http' })).toBe(1);
    expect(value(all, 'door_messages_sent_total', { door: 'frames' })).toBe(1);
    expect(value(all, 'door_bytes_received_total', { door: 'frames' })).toBeGreaterThan(10);
    expect(value(all, 'door_messages_received_total', { door: 'kafka' })).toBe(0);
    expect(value(all, 'door_requests_total', { door: 'kafka' })).toBe(1);
    expect(value(all, 'connections', { door: 'kafka' })).toBe(1);
  });

  it('are all in the table, and the table has nothing that nobody counts', () => {
    const known = new Set(Object.keys({ ...METRICS, ...OBJECT_METRICS }).map((name) => METRIC_PREFIX + name));
    for (const { name } of [...all, ...objects])
      expect(known.has(name) || known.has(name.replace(/_(bucket|sum|count)$/, '')), name).toBe(true);
    const sources = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    for (const name of known) expect(sources).toContain(`\`${name.slice(METRIC_PREFIX.length)}\``);
  });

  it('tell of single clients, topics and groups, at most so many', async () => {
    expect(
      value(objects, 'client_messages_sent_total', { client: 'a \\"quoted\\"\\\\ client', door: 'frames' }),
    ).toBe(1);
    expect(value(objects, 'topic_partitions', { topic: 'orders' })).toBe(2);
    const few = parse(await text('/metrics/per-object?limit=1'));
    expect(few.filter(({ name }) => name === 'tinymq_client_messages_waiting')).toHaveLength(1);
    expect(value(few, 'objects_left_out', { kind: 'client' })).toBeGreaterThanOrEqual(2);
    expect((await fetch(`${http}/metrics/per-object?limit=0`)).status).toBe(400);
  });

  it('tell of objects only to whoever may see them', async () => {
    const guarded = await startHttp({
      kafka: { listen: ['tcp://127.0.0.1:0'] },
      policy: {
        ...{ epoch: 0, isOpen: false, onChange: () => () => {} },
        may: (_, action, { kind }) => (action === 'describe' && kind !== 'topic' ? 'no' : undefined),
      },
    });
    const seen = parse(await (await fetch(`${guarded.http}/metrics/per-object`)).text());
    expect(seen.filter(({ name }) => name.startsWith('tinymq_client'))).toEqual([]);
    expect((await fetch(`${guarded.http}/metrics`)).status).toBe(401);
  });

  it('are in the overview as well', async () => {
    const { doors } = await getJson<{ doors: { name: string; messagesOut: number }[] }>(`${http}/overview`);
    expect(doors.find(({ name }) => name === 'frames')?.messagesOut).toBe(1);
  });
});
