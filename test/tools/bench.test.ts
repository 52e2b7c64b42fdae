import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
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
    ...{ dataDir, adminSocket: true, sysIntervalMs: 0 },
  });
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

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
  ])('measures %s', async (_, how, place) => {
    const args = ['bench', '-publishers', '3', '-subscribers', '2', '-json', ...short, ...how];
    const { code, out, errors } = await runTinymq([...args, ...place(), ...login]);
    expect(code, errors).toBe(0);
    expect(errors).toMatch(
      /^This loads the broker at tcp:\/\/127\.0\.0\.1:\d+: whoever uses it will notice\.\n$/,
    );
    const { published, received, lost, latencyMs, histogram } = JSON.parse(out);
    expect(published).toBeGreaterThan(0);
    expect(received).toBe(published * 2);
    expect(lost).toBe(0);
    for (const [less, more] of [
      ['min', 'p50'],
      ['p50', 'p90'],
      ['p90', 'p99'],
      ['p99', 'p99.9'],
      ['p99.9', 'max'],
    ])
      expect(latencyMs[less!], less).toBeLessThanOrEqual(latencyMs[more!]);
    expect(histogram.reduce((sum: number, { count }: { count: number }) => sum + count, 0)).toBe(received);
    if (how.includes('-rate')) expect(published).toBe(60);
    // Nothing of it stays.
    const clients = await runTinymq(['clients', 'ls', '-json', '-search', 'bench', '-data-dir', dataDir]);
    expect(JSON.parse(clients.out)).toEqual([]);
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
      'tinymq bench: -qos 1 is for -protocol mqtt (see tinymq bench -help)\n',
    ]);
  });
});
