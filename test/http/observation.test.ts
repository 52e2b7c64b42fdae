import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OPERATIONS, STREAMS } from '../../internal/admin/all.ts';
import { METRICS } from '../../internal/observe/metric-table.ts';
import { HealthCheckRequest, HealthCheckResponse } from '../../internal/protocol/grpc/health.ts';
import { encodeEnveloped } from '../../internal/protocol/grpc/write-message.ts';
import { connect } from '../../pkg/client/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { post, startHttp } from '../support/http-door.ts';
import { urlOf } from '../support/listeners.ts';

describe('the metrics page', () => {
  it('has each metric of the broker with its help, its type and its values', async () => {
    const { broker, frames, http } = await startHttp();
    await using _client = await connect(frames);
    await post(http, 'a', 'x');
    const answer = await fetch(`${http}/metrics`);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = familiesOf(await answer.text());
    const known = new Set(Object.keys(broker.stats()).map((name) => name.replace(/\{.*/s, '')));
    for (const name of known)
      expect(families.get(`tinymq_${name}`)?.type).toBe(METRICS[name as 'clients'].type);
    expect(families.get('tinymq_clients')?.samples).toEqual(['tinymq_clients 1']);
    expect(families.get('tinymq_messages_received_total')?.samples).toEqual([
      'tinymq_messages_received_total 1',
    ]);
  });

  it('is OpenMetrics for whoever asks for it', async () => {
    const { http } = await startHttp();
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
    const answer = await fetch(`${http}/metrics`, { headers: { accept } });
    expect(answer.headers.get('content-type')).toContain('application/openmetrics-text');
    const text = await answer.text();
    expect(text.endsWith('# EOF\n')).toBe(true);
    const families = familiesOf(text);
    expect(families.get('tinymq_messages_received')?.type).toBe('counter');
    expect(families.get('tinymq_messages_received')?.samples[0]).toMatch(
      /^tinymq_messages_received_total \d+$/,
    );
  });
});

interface Family {
  type: string;
  samples: string[];
}

/** Reads the text as the formats define it, and fails on a line that is none. */
function familiesOf(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let last: Family | undefined;
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF') continue;
    const described = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (described !== null) {
      if (described[1] === 'HELP') continue;
      last = { type: described[3]!, samples: [] };
      expect(families.has(described[2]!)).toBe(false);
      families.set(described[2]!, last);
      continue;
    }
    expect(line).toMatch(
      /^[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? (\d+(\.\d+)?(e[+-]?\d+)?|\+Inf|NaN)$/,
    );
    last!.samples.push(line);
  }
  return families;
}

describe('how the broker is', () => {
  it('is told without a password, and without a name of anybody', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { http } = await startHttp({ memory: false, dataDir: folder, keep: [{ filter: '#' }] });
    expect([await (await fetch(`${http}/livez`)).text(), (await fetch(`${http}/readyz`)).status]).toEqual([
      'ok\n',
      200,
    ]);
    const report = await (await fetch(`${http}/healthz`)).json();
    expect(report).toMatchObject({
      status: 'pass',
      checks: { store: { status: 'pass' }, disk: { status: 'pass' } },
    });
  });
});

const SERVING = 1;
const NOT_SERVING = 2;

it('a store that is gone is told by HTTP and by gRPC, until it is there again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  const { broker, http } = await startHttp({
    ...{ memory: false, dataDir, keep: [{ filter: '#' }] },
    grpc: { listen: ['grpc://127.0.0.1:0'] },
  });
  const grpc = new TestClient(urlOf(broker, 'grpc'));
  onTestFinished(() => grpc.close());
  const statuses = async () => {
    const call = grpc.openPath('/grpc.health.v1.Health/Check', HealthCheckResponse);
    call.stream.end(encodeEnveloped(HealthCheckRequest, { service: '' }));
    const [response] = await call.received(1);
    return [
      (await fetch(`${http}/readyz`)).status,
      (await fetch(`${http}/healthz`)).status,
      response!.status,
    ];
  };
  expect(await statuses()).toEqual([200, 200, SERVING]);
  renameSync(dataDir, join(folder, 'elsewhere'));
  expect(await statuses()).toEqual([503, 503, NOT_SERVING]);
  expect(await (await fetch(`${http}/readyz`)).text()).toMatch(/^disk: the folder cannot be looked at/);
  renameSync(join(folder, 'elsewhere'), dataDir);
  expect(await statuses()).toEqual([200, 200, SERVING]);
});

it('a listener that could not open is told, and the broker is ready without it', async () => {
  const taken = await startHttp();
  const { http } = await startHttp({ kafka: { listen: [taken.frames] }, onListenError: () => {} });
  const report = await (await fetch(`${http}/healthz`)).json();
  expect(report).toMatchObject({ status: 'warn', checks: { listeners: { status: 'warn', open: 2 } } });
  expect(JSON.stringify(report)).toContain(taken.frames);
  expect((await fetch(`${http}/readyz`)).status).toBe(200);
});

describe('the description of the API', () => {
  it('names every route, with its parameters and what it answers', async () => {
    const { http } = await startHttp();
    const { openapi, paths } = (await (await fetch(`${http}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string; responses: object }>>;
    };
    expect(openapi).toMatch(/^3\.1/);
    const served = Object.values(paths).flatMap((path) => Object.values(path));
    const files = readdirSync('internal/doors/http/routes').map((file) =>
      readFileSync(join('internal/doors/http/routes', file), 'utf8'),
    );
    const written = files.flatMap((text) =>
      [...text.matchAll(/operationId: '([\w-]+)'/g)].map(([, id]) => id),
    );
    const ofTable = [...OPERATIONS, ...STREAMS].map(({ name }) => name.replaceAll(' ', '-'));
    expect(served.map(({ operationId }) => operationId).sort()).toEqual([...written, ...ofTable].sort());
  });
});

it.each([
  ['GET', '/ui/none.js', 404, 'no-such-route', null],
  ['GET', '/overview/', 404, 'no-such-route', null],
  ['GET', '/topic/a', 404, 'no-such-route', null],
  ['DELETE', '/topics/a', 405, 'method-not-allowed', 'GET, HEAD, POST'],
  ['POST', '/clients/1', 405, 'method-not-allowed', 'DELETE, GET, HEAD'],
  ['POST', '/metrics', 405, 'method-not-allowed', 'GET, HEAD'],
] as const)('%s %s is answered by nobody: %i %s', async (method, path, status, code, allow) => {
  const { http } = await startHttp();
  const answer = await fetch(`${http}${path}`, { method });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code]);
  expect(answer.headers.get('allow')?.split(', ').sort().join(', ') ?? null).toBe(allow);
});
