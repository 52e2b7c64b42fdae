import { describe, expect, it } from 'vitest';
import { METRICS, type MetricEntry, type MetricName } from './metric-table.ts';
import { Metrics } from './metrics.ts';
import { OBJECT_METRICS } from './object-metrics.ts';

const entries = Object.entries(METRICS) as [MetricName, MetricEntry][];

describe('the table of metrics', () => {
  it('is docs/metrics.md, which is written from it (npx vitest -u writes it anew)', async () => {
    await expect(metricsPage()).toMatchFileSnapshot('../../docs/metrics.md');
  });

  it.each(entries)('names %s as Prometheus does', (name, { type, help }) => {
    expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    expect(name.endsWith('_total'), 'what only grows ends with _total').toBe(type === 'counter');
    expect(name, 'base units').not.toMatch(/_(ms|millis|kb|mb|kib|mib|minutes)(_|$)/);
    expect(help).toMatch(/^[A-Z].*\.$/);
  });
});

describe('metrics', () => {
  it('are read with their type, their help and their labels', () => {
    const metrics = new Metrics();
    let clients = 1;
    metrics.gauge('clients', () => clients);
    metrics.counter('disconnects_total', { code: 'taken-over' }).value += 2;
    metrics.counter('disconnects_total', { code: 'slow-consumer' }).value++;
    metrics.countedElsewhere('bytes_sent_total', () => 7);
    clients = 3;
    expect([...metrics.read()]).toEqual([
      {
        name: 'bytes_sent_total',
        type: 'counter',
        help: METRICS.bytes_sent_total.help,
        samples: [{ labels: {}, value: 7 }],
      },
      { name: 'clients', type: 'gauge', help: METRICS.clients.help, samples: [{ labels: {}, value: 3 }] },
      {
        name: 'disconnects_total',
        type: 'counter',
        help: METRICS.disconnects_total.help,
        samples: [
          { labels: { code: 'taken-over' }, value: 2 },
          { labels: { code: 'slow-consumer' }, value: 1 },
        ],
      },
    ]);
    expect(metrics.snapshot()).toEqual({
      clients: 3,
      'disconnects_total{code="taken-over"}': 2,
      'disconnects_total{code="slow-consumer"}': 1,
      bytes_sent_total: 7,
    });
  });

  it('have one counter for everybody who counts the same', () => {
    const metrics = new Metrics();
    expect(metrics.counter('messages_delivered_total')).toBe(metrics.counter('messages_delivered_total'));
    const labelled = metrics.counter('refusals_total', { code: 'not-authorized' });
    expect(metrics.counter('refusals_total', { code: 'not-authorized' })).toBe(labelled);
    expect(metrics.counter('refusals_total', { code: 'no-log' })).not.toBe(labelled);
  });

  it('have one source for what is computed', () => {
    const metrics = new Metrics();
    metrics.gauge('clients', () => 1);
    expect(() => metrics.gauge('clients', () => 2)).toThrow('clients is registered already');
    metrics.countedElsewhere('bytes_sent_total', () => 1);
    expect(() => metrics.counter('bytes_sent_total')).toThrow('bytes_sent_total is counted elsewhere');
  });
});

type Row = Pick<MetricEntry, 'type' | 'help' | 'labels'>;

function rowsOf(table: Readonly<Record<string, Row>>): string[] {
  return Object.entries(table).map(([name, { type, labels = [], help }]) => {
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`;
  });
}

function metricsPage(): string {
  const rows = rowsOf(METRICS);
  return `# Metrics

What the broker counts. An app that embeds it reads them with \`stats()\` ([sdk.md](sdk.md)), and \`broker -stats SECONDS\` logs
some of them. \`stats()\` names a value with labels like \`disconnects_total{code="taken-over"}\`. A counter only
grows, from 0 at the start of the broker; a gauge goes up and down. The codes are those of [errors.md](errors.md).

| name | type | labels | what |
|---|---|---|---|
${rows.join('\n')}

## Per object

The HTTP door has these at \`/metrics/per-object\`, with the prefix \`tinymq_\` as the others at \`/metrics\`: clients for whoever may
\`describe\` the broker, topics and groups as far as the caller may see them. \`limit\` says how many of each kind, 1,000 unless given.

| name | type | labels | what |
|---|---|---|---|
${rowsOf(OBJECT_METRICS).join('\n')}
`;
}

describe('a histogram', () => {
  it('counts values by their size, and is read with buckets that include the smaller ones', () => {
    const metrics = new Metrics();
    const histogram = metrics.histogram('log_append_seconds');
    expect(metrics.histogram('log_append_seconds')).toBe(histogram);
    for (const seconds of [0.0001, 0.0005, 0.0007, 100]) histogram.observe(seconds);
    const [{ samples }] = [...metrics.read()];
    const bucket = (le: string) => samples.find(({ labels }) => labels.le === le)?.value;
    expect([bucket('0.0005'), bucket('0.001'), bucket('10'), bucket('+Inf')]).toEqual([2, 3, 3, 4]);
    expect(samples.at(-1)).toEqual({ suffix: '_count', labels: {}, value: 4 });
    expect(samples.at(-2)?.value).toBeCloseTo(100.0013);
    expect(metrics.snapshot().log_append_seconds).toBe(4);
  });
});
