import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fullDiskBytes } from '../../internal/limits/server.ts';
import { offsetCommit } from '../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import {
  makeAuthority,
  makeServerCertificate,
  pemOf,
} from '../../internal/transport/development-certificates.ts';
import { chromium } from '../interop/support/toolchains.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { startOnDisk, textOf } from '../mqtt/full-disk.ts';
import { canMountSmallDisk, mountSmallDisk } from '../mqtt/small-disk.ts';
import { openPage, useBrowser } from '../page/browser.ts';
import {
  type BrokerProcess,
  brokerProcess,
  program,
  REPORTING,
  run,
  start,
} from '../support/broker-process.ts';
import { getJson } from '../support/http-door.ts';
import { commitOf, KafkaWire } from '../support/kafka-wire.ts';
import { connectRaw } from '../support/raw-client.ts';
import { runTinymq } from '../support/tinymq-program.ts';
import { Told } from './told.ts';

const PATIENCE = { timeout: 40_000, interval: 100 };
const folder = mkdtempSync(join(tmpdir(), 'tinymq-day-'));
const [data, certs] = [join(folder, 'data'), join(folder, 'certs')];
let broker: BrokerProcess;
const browser = chromium();
if ('there' in browser) useBrowser(browser.there);

beforeAll(async () => {
  expect((await runTinymq(['certs', '-out', certs, '-days', '3'])).code).toBe(0);
  const tls = ['-tls-cert', join(certs, 'server.crt'), '-tls-key', join(certs, 'server.key')];
  broker = await brokerProcess(
    start(program('broker'), [
      ...[
        '-listen',
        'tcp://localhost:0',
        '-listen',
        'tls://localhost:0',
        '-http',
        'http://localhost:0',
        '-kafka',
        'tcp://localhost:0',
        '-keep',
        'orders',
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

const listening = () => JSON.parse(broker.stdout()) as Record<'listeners' | 'http' | 'kafka', string[]>;
const tcp = () => listening().listeners.find((url) => url.startsWith('tcp:'))!;
const http = () => listening().http[0]!;
const kafka = () => listening().kafka[0]!;

const told = () => new Told(http(), data);
const why = (name: string) => told().why(name);
const metric = (line: string) => told().metric(line);

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
  expect(await told().ready()).toBe(200);
  expect((await told().health()).checks.certificate).toMatchObject({ status: 'warn' });
  const endsIn = (await metric('certificate_expiry_timestamp_seconds')) - Date.now() / 1_000;
  expect(endsIn).toBeGreaterThan(0);
  expect(endsIn).toBeLessThan(4 * 86_400);
}, 60_000);

it('a group lags: metrics and groups say by how much, and the broker is ready all the same', async () => {
  const publisher = await connectMqtt(tcp(), 5);
  for (let n = 0; n < 7; n++) await publisher.publishSafely('orders', `${n}`);
  const wire = await KafkaWire.open(kafka());
  await wire.ask(offsetCommit, 7, commitOf('billing', 'orders', 2));
  expect(await metric('group_lag{statistic="max"}')).toBe(5);
  expect(await getJson(`${http()}/groups/billing`)).toMatchObject({ lag: 5 });
  expect(await told().ready()).toBe(200);
  await wire.ask(offsetCommit, 7, commitOf('billing', 'orders', 7));
  expect(await metric('group_lag{statistic="max"}')).toBe(0);
  wire.socket.destroy();
  publisher.drop();
}, 60_000);

it('a certificate has expired: why, health, readiness, metrics and the page say so', async () => {
  const { ca, flags } = await expiredCertificate(join(folder, 'expired'));
  const ownData = join(folder, 'expired-data');
  await using process = await startOnDisk(ownData, [...flags, '-listen', 'tls://localhost:0', ...HTTP]);
  const day = new Told(httpOf(process), ownData);
  expect(await day.ready()).toBe(503);
  const problem = expect.stringMatching(/^the certificate expired at \d{4}-/);
  expect(await day.health()).toMatchObject({
    status: 'fail',
    checks: { certificate: { status: 'fail', problem } },
  });
  expect(await day.metric('certificate_expiry_timestamp_seconds')).toBeLessThan(Date.now() / 1_000);
  const at = process.urls.find((url) => url.startsWith('tls:'))!.replace('tls://', '');
  await run('openssl', ['s_client', '-connect', at, '-CAfile', ca, '-verify_return_error'], { input: '' });
  const reason = 'the client says that the certificate of the broker has expired; replace its file';
  await vi.waitFor(
    async () =>
      expect(await day.why('-code', 'tls-handshake-failed')).toMatchObject([
        { outcome: 'unopened', message: reason, remedy: expect.stringContaining('trusts the CA') },
      ]),
    PATIENCE,
  );
  await pageSays(day, 'the certificate expired at');
}, 120_000);

describe.skipIf(!canMountSmallDisk())('the disk fills (where a small one can be mounted)', () => {
  it('why, health, readiness, metrics and the page say so, until there is room', async () => {
    using disk = mountSmallDisk(64)!;
    await using process = await startOnDisk(disk.dataDir, ['-keep', 'orders', ...HTTP]);
    const day = new Told(httpOf(process), disk.dataDir);
    expect(await day.ready()).toBe(200);
    const publisher = await connectMqtt(process.url, 5, { clientId: 'day-full' });
    for (let number = 0; await isKept(publisher, number); number++);
    expect(await day.ready()).toBe(503);
    expect(await day.health()).toMatchObject({
      status: 'fail',
      checks: { disk: { status: 'fail', problem: 'the disk is full' } },
    });
    expect(await day.metric('disk_free_bytes')).toBeLessThan(fullDiskBytes);
    expect(await day.metric('refusals_total{code="store-unavailable"}')).toBeGreaterThan(0);
    expect(await day.why('day-full')).toMatchObject([{ outcome: 'refused', code: 'store-unavailable' }]);
    await pageSays(day, 'the disk is full');

    disk.free();
    await vi.waitFor(async () => expect(await isKept(publisher, 0)).toBe(true), PATIENCE);
    await vi.waitFor(async () => expect(await day.ready()).toBe(200), PATIENCE);
    expect((await day.health()).checks.disk).toMatchObject({ status: 'pass' });
    publisher.drop();
  }, 170_000);
});

const HTTP = ['-http', 'http://localhost:0'];

function httpOf(process: BrokerProcess): string {
  return (JSON.parse(process.stdout()) as { http: string[] }).http[0]!;
}

/** Whether a message was taken for good. */
async function isKept(publisher: RawMqtt, number: number): Promise<boolean> {
  publisher.publish('orders', textOf(number), { qos: 1 });
  return (await publisher.next(PacketType.puback)).reasonCode === 0;
}

/** Flags with a certificate that ended half a day ago, and the authority that signed it. */
async function expiredCertificate(into: string): Promise<{ ca: string; flags: string[] }> {
  const authority = await makeAuthority();
  const pem = await pemOf(await makeServerCertificate(authority, [], -0.5));
  mkdirSync(into);
  const [ca, cert, key] = [join(into, 'ca.crt'), join(into, 'server.crt'), join(into, 'server.key')];
  writeFileSync(ca, (await pemOf(authority)).certificate);
  writeFileSync(cert, pem.certificate);
  writeFileSync(key, pem.key);
  return { ca, flags: ['-tls-cert', cert, '-tls-key', key] };
}

/** Somebody who looks at the page sees what is wrong; nothing to see where there is no browser. */
async function pageSays(day: Told, problem: string): Promise<void> {
  if ('missing' in browser) return;
  const { page } = await openPage(day.http);
  await page.getByRole('region', { name: 'Health' }).getByText(problem).waitFor();
  // The broker of the scene ends before the browser does: what the page still loads would fail.
  await page.close();
}
