import type { ServerResponse } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { METRICS } from '../../internal/observe/metric-table.ts';
import { type OtlpSettings, otlpSettings } from '../../internal/observe/otlp/settings.ts';
import { checkBroker } from '../../internal/server/check-broker.ts';
import { type BrokerOptions, type Logger, MovableClock, startBroker } from '../../pkg/embed/index.ts';
import { eventually } from '../support/eventually.ts';
import { startCollector } from '../support/otlp-collector.ts';
import { connectRaw } from '../support/raw-client.ts';

async function start(openTelemetry: Record<string, string>, options: BrokerOptions = {}) {
  const clock = new MovableClock();
  const lines: string[] = [];
  const note = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug() {}, info: note, warn: note, error: note };
  const broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], sysIntervalMs: 0, clock, logger, openTelemetry },
    ...options,
  });
  onTestFinished(() => broker.close());
  const ofExports = () => lines.filter((line) => line.includes('exported'));
  return { broker, clock, lines, ofExports };
}

it('the metrics of the registry are exported each interval, and once at the end', async () => {
  const { got, url } = await startCollector();
  const { broker, clock } = await start(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/otlp/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%2Cb',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=test%20one',
      OTEL_SERVICE_NAME: 'our-broker',
    },
    { keep: [{ filter: 'kept/#' }], memory: true },
  );
  await connectRaw(broker.url, 'meter-1');
  await clock.advance(5_000);
  const first = await eventually(() => got[0], 'an export');
  expect(first.path).toBe('/otlp/v1/metrics');
  expect(first.headers).toMatchObject({ 'content-type': 'application/x-protobuf', 'x-key': 'a,b' });
  expect(first.attributes).toEqual({
    'service.name': 'our-broker',
    'deployment.environment.name': 'test one',
  });

  const connected = first.metrics.get('tinymq_clients_connected_total')!;
  expect(connected.description).toBe(METRICS.clients_connected_total.help);
  expect(connected.sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true });
  const [point] = connected.sum!.dataPoints;
  expect(point!.asDouble).toBe(1);
  expect(BigInt(point!.timeUnixNano) - BigInt(point!.startTimeUnixNano!)).toBeGreaterThanOrEqual(
    4_900_000_000n,
  );
  expect(first.metrics.get('tinymq_bytes_received_total')!.unit).toBe('By');
  const doors = first.metrics.get('tinymq_connections')!.gauge!.dataPoints;
  expect(doors.find(({ attributes }) => attributes[0]!.value.stringValue === 'frames')).toMatchObject({
    attributes: [{ key: 'door' }],
    asDouble: 1,
  });
  const append = first.metrics.get('tinymq_log_append_seconds')!;
  expect(append.unit).toBe('s');
  const [histogram] = append.histogram!.dataPoints;
  expect(histogram!.bucketCounts).toHaveLength(histogram!.explicitBounds!.length + 1);
  expect(histogram!.bucketCounts!.reduce((sum, count) => sum + Number(count), 0)).toBe(
    Number(histogram!.count),
  );

  const before = got.length;
  await broker.close();
  expect(got).toHaveLength(before + 1);
  expect(got.at(-1)!.metrics.get('tinymq_clients')!.gauge!.dataPoints[0]!.asDouble).toBe(0);
});

it('what is said of metrics comes before what is said of all signals; gzip', async () => {
  const { got, url } = await startCollector();
  const { broker } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/mine`,
    OTEL_EXPORTER_OTLP_HEADERS: 'X-Key=all',
    OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'x-key=metrics',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  });
  await broker.close();
  expect(got[0]).toMatchObject({
    path: '/mine',
    headers: { 'x-key': 'metrics', 'content-encoding': 'gzip' },
  });
});

it('a collector that fails is logged once, without secrets, until it works again', async () => {
  const refusing = (response: ServerResponse) => void response.writeHead(401).end('no');
  const { got, state, url } = await startCollector(refusing);
  const { clock, ofExports } = await start({
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url.replace('//', '//user:pass-secret@')}/?key=url-secret`,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=header-secret',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
  });
  const untilMore = async () => {
    const before = got.length;
    await eventually(async () => {
      await clock.advance(1_000);
      return got.length >= before + 2;
    }, 'exports');
  };
  await untilMore();
  await eventually(() => ofExports().length > 0, 'the line of the failure');
  await untilMore();
  expect(ofExports()).toEqual([
    `metrics are not exported {"collector":"${url}","error":"it answered with HTTP status 401"}`,
  ]);
  state.answer = (response) => response.end('{}');
  await untilMore();
  await eventually(() => ofExports().length > 1, 'the line of the recovery');
  expect(ofExports().slice(1)).toEqual([`metrics are exported again {"collector":"${url}"}`]);
});

it.each([
  ['never answers', () => {}],
  ['never ends its answer', (response: ServerResponse) => void response.write('{')],
  ['breaks off', (response: ServerResponse) => void response.destroy()],
])('a collector that %s does not keep a broker from its work, nor from its end', async (_, answer) => {
  const { got, url } = await startCollector(answer);
  const { broker, clock, ofExports } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_TIMEOUT: '200',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
  });
  await clock.advance(1_000);
  await eventually(() => got.length === 1 && ofExports().length === 1, 'the failure');
  await connectRaw(broker.url, 'meter-1');
  await broker.close();
  expect(got).toHaveLength(2);
});

it.each(['protobuf', 'json'] as const)(
  'what a collector does not take is said once, and not sent again (%s)',
  async (format) => {
    // partial_success { rejected_data_points: 3, error_message: "too many" }
    const said =
      format === 'json'
        ? '{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too many"}}'
        : Buffer.from('0a0c0803120874 6f6f206d616e79'.replace(' ', ''), 'hex');
    const { got, url } = await startCollector((response) => void response.end(said));
    const { clock, lines } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: `http/${format}`,
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
    });
    await eventually(async () => {
      await clock.advance(1_000);
      return got.length >= 3;
    }, 'exports');
    expect(lines.filter((line) => line.includes('collector'))).toEqual([
      `the collector does not take all metrics ${JSON.stringify({ collector: url, rejected: 3, reason: 'too many' })}`,
    ]);
  },
);

it.each([429, 502, 503, 504])(
  'a collector that answers %i gets the same export again, when it says',
  async (status) => {
    let answers = 0;
    const { got, url } = await startCollector((response) => {
      if (answers++ === 0) response.writeHead(status, { 'retry-after': '0' });
      response.end();
    });
    const { clock, lines } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
    });
    await clock.advance(1_000);
    await eventually(() => got.length >= 2, 'the second try');
    expect(got[1]!.metrics.size).toBe(got[0]!.metrics.size);
    expect(lines.filter((line) => line.includes('exported'))).toEqual([]);
  },
);

it('a collector that asks for more time than an export has is left alone until the next one', async () => {
  const { got, url } = await startCollector((response) => {
    response.writeHead(503, { 'retry-after': '3600' });
    response.end();
  });
  const { clock, ofExports } = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_TIMEOUT: '100',
    OTEL_METRIC_EXPORT_INTERVAL: '1000',
  });
  await clock.advance(1_000);
  await eventually(() => ofExports().length === 1, 'the failure');
  expect(ofExports()[0]).toContain('it answered with HTTP status 503');
  expect(got).toHaveLength(1);
});

describe('nothing is exported', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' };
  it.each([
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' },
    { OTEL_SERVICE_NAME: 'x' },
    { ...endpoint, OTEL_SDK_DISABLED: 'TRUE' },
    { ...endpoint, OTEL_METRICS_EXPORTER: 'none', OTEL_TRACES_EXPORTER: 'none' },
    {
      ...endpoint,
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    },
  ])('with %j', (variables) => expect(otlpSettings(variables)).toBeUndefined());
});

it('an exporter that is named needs no endpoint', () =>
  expect(otlpSettings({ OTEL_METRICS_EXPORTER: 'otlp' })?.metrics?.url.href).toBe(
    'http://localhost:4318/v1/metrics',
  ));

describe('a broker does not start, and says which variable is wrong, never its value', () => {
  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4317?secret'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_METRICS_PROTOCOL', 'http'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=secret%0A'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/nowhere/secret'],
  ])('%s', async (name, value) => {
    const openTelemetry = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost', [name]: value };
    const error = await startBroker({ listen: ['tcp://127.0.0.1:0'], openTelemetry }).catch((error) => error);
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toContain(name);
    expect(error.message).not.toContain('secret');
    const { problems } = await checkBroker({ listen: ['tcp://127.0.0.1:0'], openTelemetry });
    expect(problems).toEqual([error.message]);
  });
});

/** Samplers are functions, and none is like another. */
function plain({ spans, ...settings }: OtlpSettings) {
  return { ...settings, spans: { ...spans, sampler: undefined } };
}

describe('what cannot be read has no effect, and that is noted', () => {
  it.each([
    ['OTEL_METRIC_EXPORT_INTERVAL', 'soon'],
    ['OTEL_METRIC_EXPORT_INTERVAL', '0'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '1e9'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'secret'],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zip'],
    ['OTEL_METRICS_EXPORTER', 'otlp,prometheus'],
    ['OTEL_TRACES_EXPORTER', 'otlp,zipkin'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
    ['OTEL_BSP_SCHEDULE_DELAY', 'soon'],
    ['OTEL_PROPAGATORS', 'b3,jaeger'],
    ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'delta'],
  ])('%s=%s', (name, value) => {
    const usual = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost' };
    const { notes, ...settings } = plain(otlpSettings({ ...usual, [name]: value })!);
    const { notes: none, ...others } = plain(otlpSettings(usual)!);
    expect(none).toEqual([]);
    expect(settings).toEqual(others);
    expect(notes).toEqual([expect.stringContaining(name)]);
    expect(notes[0]).not.toContain('secret');
  });
});
