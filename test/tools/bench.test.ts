import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { eventually } from '../support/eventually.ts';
import { urlOf } from '../support/listeners.ts';
import { runTinymq, startTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-bench-'));
const dataDir = join(folder, 'data');
const passwordFile = join(folder, 'anna.txt');
let broker: RunningBroker;

beforeAll(async () => {
  writeFileSync(passwordFile, 'open-sesame-77\n');
  const added = await runTinymq([
    ...['users', 'add', 'anna', '-admin', '-password-file', passwordFile, '-data-dir', dataDir],
  ]);
  expect(added.code, added.errors).toBe(0);
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], http: { listen: ['http://127.0.0.1:0'] } },
    kafka: { listen: ['tcp://127.0.0.1:0'] },
    ...{ dataDir, adminSocket: true, sysIntervalMs: 0 },
  });
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

/** The shares grow, and the histogram has all of them. */
function expectShares(
  shares: Record<string, number>,
  histogram: readonly { count: number }[],
  count: number,
): void {
  const growing = ['min', 'p50', 'p90', 'p99', 'p99.9', 'max'].map((name) => shares[name]!);
  expect(growing).toEqual(growing.toSorted((a, b) => a - b));
  expect(histogram.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(count);
}

const login = ['-user', 'anna', '-password-file', passwordFile];
const short = ['-duration', '300ms', '-warm-up', '50ms'];

describe('tinymq bench', () => {
  it.each([
    ['frames as fast as they arrive, by the socket of the owner', [], () => ['-data-dir', dataDir]],
    [
      'MQTT with QoS 1 at a rate, by the HTTP door',
      ['-protocol', 'mqtt', '-qos', '1', '-rate', '200'],
      () => ['-url', urlOf(broker, 'http')],
    ],
    [
      'Kafka with all acknowledgements and several partitions, by the socket of the owner',
      ['-protocol', 'kafka', '-partitions', '2', '-window', '20'],
      () => ['-data-dir', dataDir],
    ],
    [
      'Kafka at a rate, acknowledged by the leader, by the HTTP door',
      ['-protocol', 'kafka', '-acks', '1', '-rate', '200'],
      () => ['-url', urlOf(broker, 'http')],
    ],
    ['Kafka without acknowledgements', ['-protocol', 'kafka', '-acks', '0'], () => ['-data-dir', dataDir]],
  ])('measures %s', async (_, how, place) => {
    const args = ['bench', '-publishers', '3', '-subscribers', '2', '-json', ...short, ...how];
    const { code, out, errors } = await runTinymq([...args, ...place(), ...login]);
    expect(code, errors).toBe(0);
    expect(errors).toMatch(
      /^This loads the broker at tcp:\/\/127\.0\.0\.1:\d+: whoever uses it will notice\.\n$/,
    );
    const result = JSON.parse(out);
    const { published, received, lost } = result;
    expect(published).toBeGreaterThan(0);
    expect(received).toBe(published * 2);
    expect(lost).toBe(0);
    expectShares(result.latencyMs, result.histogram, received);
    const isAcknowledged = how.includes('-protocol') && !how.includes('0');
    expect(result.acknowledged).toBe(isAcknowledged ? published : undefined);
    if (isAcknowledged) expectShares(result.acknowledgedMs, result.acknowledgedHistogram, published);
    if (how.includes('-rate')) expect(published).toBe(60);
    // Nothing of it stays.
    const clients = await runTinymq(['clients', 'ls', '-json', '-search', 'bench', '-data-dir', dataDir]);
    expect(JSON.parse(clients.out)).toEqual([]);
    const logs = await runTinymq(['logs', 'ls', '-json', '-data-dir', dataDir]);
    expect(JSON.parse(logs.out)).toEqual([]);
  });

  it('takes its topic of Kafka away where it is stopped', async () => {
    using running = startTinymq(['bench', '-protocol', 'kafka', '-data-dir', dataDir, ...login]);
    await eventually(async () => {
      const logs = await runTinymq(['logs', 'ls', '-json', '-data-dir', dataDir]);
      return JSON.parse(logs.out).some(({ records }: { records: number }) => records > 0);
    }, 'records of the bench');
    running.child.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 0, out: '' });
    const logs = await runTinymq(['logs', 'ls', '-json', '-data-dir', dataDir]);
    expect(JSON.parse(logs.out)).toEqual([]);
  });

  it('shows in words what was acknowledged and what was received, with a histogram each', async () => {
    const args = ['bench', '-protocol', 'kafka', '-rate', '100', ...short, '-data-dir', dataDir, ...login];
    const { code, out, errors } = await runTinymq(args);
    expect(code, errors).toBe(0);
    expect(Buffer.from(out, 'latin1').toString()).toMatch(
      /^kafka with acks all at tcp:\/\/127\.0\.0\.1:\d+, 100 B, 1 to 1, 0\.3 s, 100\/s wanted\npublished .*\nreceived .*\nacknowledged after {2}p50 .*\n(≤ .*\n)+received after {6}p50 .*\n(≤ .*\n)+$/u,
    );
  });

  it('counts a message from when it was due, also where its publisher was held up', async () => {
    using running = startTinymq([
      ...[
        'bench',
        '-rate',
        '100',
        '-duration',
        '1',
        '-warm-up',
        '0',
        '-json',
        '-data-dir',
        dataDir,
        ...login,
      ],
    ]);
    // A stop of the whole program, in the middle of the second.
    await new Promise<void>((resolve) => running.child.stderr!.once('data', () => resolve()));
    const pause = setInterval(() => running.child.kill('SIGSTOP'), 400);
    const goOn = setInterval(() => running.child.kill('SIGCONT'), 700);
    const { out } = await running.ended;
    clearInterval(pause);
    clearInterval(goOn);
    const { published, latencyMs } = JSON.parse(out);
    expect(published).toBe(100);
    // A tenth of them and more were due while nobody could send them.
    expect(latencyMs.p90).toBeGreaterThan(20);
  });

  it('says in one line what is wrong', async () => {
    const refused = await runTinymq(['bench', ...short, '-quiet', '-data-dir', dataDir]);
    expect([refused.code, refused.errors.split('\n').length]).toEqual([1, 2]);
    const qos = await runTinymq(['bench', '-qos', '1', '-data-dir', dataDir]);
    expect([qos.code, qos.errors]).toEqual([
      2,
      'tinymq bench: -qos is for -protocol mqtt (see tinymq bench -help)\n',
    ]);
    const acks = await runTinymq(['bench', '-protocol', 'mqtt', '-acks', '1', '-data-dir', dataDir]);
    expect(acks.errors).toBe('tinymq bench: -acks is for -protocol kafka (see tinymq bench -help)\n');
  });
});
