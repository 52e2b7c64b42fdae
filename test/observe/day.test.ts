import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ShownFate } from '../../internal/admin/operations/why.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { type BrokerProcess, brokerProcess, REPORTING, start } from '../support/broker-process.ts';
import { connectRaw } from '../support/raw-client.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const MAIN = fileURLToPath(new URL('../../cmd/broker/main.ts', import.meta.url));
const PATIENCE = { timeout: 40_000, interval: 100 };
const folder = mkdtempSync(join(tmpdir(), 'tinymq-day-'));
const [data, certs] = [join(folder, 'data'), join(folder, 'certs')];
let broker: BrokerProcess;

beforeAll(async () => {
  expect((await runTinymq(['certs', '-out', certs, '-days', '3'])).code).toBe(0);
  const tls = ['-tls-cert', join(certs, 'server.crt'), '-tls-key', join(certs, 'server.key')];
  broker = await brokerProcess(
    start(process.execPath, [
      ...[
        MAIN,
        '-listen',
        'tcp://localhost:0',
        '-listen',
        'tls://localhost:0',
        '-http',
        'http://localhost:0',
        ...tls,
      ],
      ...['-data-dir', data, '-refuse-filter', 'secret/#', '-slow-consumer-wait', '100ms'],
      ...['-channel-size', '10', '-channel-bytes', '64KiB', ...REPORTING],
    ]),
  );
}, 60_000);
afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true });
});

const listening = () => JSON.parse(broker.stdout()) as { listeners: string[]; http: string[] };
const tcp = () => listening().listeners.find((url) => url.startsWith('tcp:'))!;
const http = () => listening().http[0]!;

/** What `tinymq why` says of a name. */
async function why(name: string): Promise<ShownFate[]> {
  const { out, errors } = await runTinymq(['why', name, '-json', '-data-dir', data]);
  expect(errors).toBe('');
  return JSON.parse(out) as ShownFate[];
}

async function metric(line: string): Promise<number> {
  const text = await (await fetch(`${http()}/metrics`)).text();
  const found = text.split('\n').find((each) => each.startsWith(`tinymq_${line} `));
  return Number(found?.split(' ').at(-1) ?? 0);
}

it('a client is refused: why and metrics say so', async () => {
  const client = await connectMqtt(tcp(), 5, { clientId: 'day-refused' });
  await client.subscribe('secret/plans').catch(() => {});
  await vi.waitFor(
    async () => expect(await metric('refusals_total{code="not-authorized"}')).toBe(1),
    PATIENCE,
  );
  expect(await why('day-refused')).toMatchObject([
    { code: 'not-authorized', topic: 'secret/plans', count: 1 },
  ]);
  client.drop();
}, 60_000);

it('one is slow: why and metrics agree about what it lost', async () => {
  const slow = await connectRaw(tcp(), 'day-slow');
  await slow.subscribe('flood');
  slow.stream.pause();
  const publisher = await connectRaw(tcp(), 'day-quick');
  const lost = () => metric('messages_dropped_total{code="slow-consumer"}');
  await vi.waitFor(async () => {
    for (let n = 0; n < 100; n++) publisher.publish('flood', 'x'.repeat(20_000));
    expect(await lost()).toBeGreaterThan(0);
  }, PATIENCE);
  await publisher.ping();
  const [fate] = await why('day-slow');
  expect(fate).toMatchObject({ outcome: 'dropped', code: 'slow-consumer', topic: 'flood' });
  expect(fate!.count).toBe(await lost());
  slow.stream.destroy();
}, 90_000);

it('one loses a message by expiry: why of the client and of the topic say so', async () => {
  const session = { clientId: 'day-away', cleanStart: false, properties: { sessionExpiryIntervalS: 1_000 } };
  const away = await connectMqtt(tcp(), 5, session);
  await away.subscribe('news', 1);
  away.disconnect();
  await away.ended();
  const publisher = await connectMqtt(tcp(), 5);
  await publisher.publishSafely('news', 'x', { properties: { messageExpiryIntervalS: 1 } });
  const expired = () => metric('messages_expired_total{code="message-expired"}');
  await vi.waitFor(async () => expect(await expired()).toBe(1), PATIENCE);
  expect(await why('news')).toMatchObject([{ outcome: 'expired', client: 'day-away' }]);
  publisher.send({ type: PacketType.pingreq });
}, 60_000);

it('a certificate is about to end: health and metrics say so, and the broker is still ready', async () => {
  expect((await fetch(`${http()}/readyz`)).status).toBe(200);
  const { checks } = (await (await fetch(`${http()}/healthz`)).json()) as {
    checks: Record<string, { status: string }>;
  };
  expect(checks.certificate).toMatchObject({ status: 'warn' });
  const endsIn = (await metric('certificate_expiry_timestamp_seconds')) - Date.now() / 1_000;
  expect(endsIn).toBeGreaterThan(0);
  expect(endsIn).toBeLessThan(4 * 86_400);
}, 60_000);
