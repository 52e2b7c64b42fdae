import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { usersFileInThreadBytes } from '../../internal/limits/access.ts';
import {
  type BrokerProcess,
  brokerProcess,
  type Ended,
  program,
  REPORTING,
  run,
  start,
} from '../support/broker-process.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tinymq-single-'));
const built = join(folder, 'built');
/** A folder with nothing of the repository above it or in it but the file and its links. */
const programs = join(folder, 'programs');

beforeAll(async () => {
  program('broker');
  const made = await run(process.execPath, ['cmd/release/single-file.ts', built], { cwd: checkout });
  expect(made).toMatchObject({ code: 0 });
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

const tool = (name: string, ...args: string[]): Promise<Ended> =>
  run(join(built, name), args, { cwd: folder });

const DOORS = ['frames', 'kafka', 'grpc', 'http'] as const;

/** A broker with every door, on ports of its own. */
function startBroker(...flags: string[]): Promise<BrokerProcess> {
  const doors = ['-address', '-kafka', '-grpc', '-http'].flatMap((door) => [door, 'localhost:0']);
  const data = ['-data-dir', join(folder, 'data'), '-keep', 'kept/#'];
  return brokerProcess(
    start(join(built, 'broker'), [...doors, ...data, ...flags, ...REPORTING], { cwd: folder }),
  );
}

/** Where a door of a broker is. */
async function addressOf(broker: BrokerProcess, door: string): Promise<string> {
  const { url } = await broker.logged({ event: 'listening', door });
  return new URL(String(url)).host;
}

/** Of each door, in the order of the flags. */
async function addressesOf(broker: BrokerProcess): Promise<[string, string, string, string]> {
  const [frames, kafka, grpc, http] = await Promise.all(DOORS.map((door) => addressOf(broker, door)));
  return [frames!, kafka!, grpc!, http!];
}

// The name of the folder in which it was made was in it, and that is another one each time.
it('is the same bytes when it is made again', async () => {
  const again = join(folder, 'again');
  await run(process.execPath, ['cmd/release/single-file.ts', again], { cwd: checkout });
  for (const name of ['tinymq', 'THIRD-PARTY.txt'])
    expect(readFileSync(join(again, name)).equals(readFileSync(join(built, name)))).toBe(true);
}, 300_000);

it('is the file, links to it, and the licences of what is in it', () => {
  expect(readdirSync(built).sort()).toEqual(
    [
      ...['LICENSE', 'THIRD-PARTY.txt', 'tinymq'],
      ...['broker', 'dashmq', 'publisher', 'smq', 'subscriber'],
    ].sort(),
  );
  const notice = readFileSync(join(built, 'THIRD-PARTY.txt'), 'utf8');
  const { dependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), 'preact', 'uplot', 'Node.js'])
    expect(notice).toMatch(new RegExp(`^${name === 'Node.js' ? 'The file tinymq has Node.js' : name} `, 'm'));
});

it('is each program by its name', async () => {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  for (const name of ['broker', 'publisher', 'subscriber', 'tinymq', 'dashmq'])
    expect(await tool(name, '-version')).toMatchObject({
      code: 0,
      stdout: `${name} ${version}\n`,
      stderr: '',
    });
  expect(await tool('smq', '--help')).toMatchObject({ code: 0 });
  symlinkSync('tinymq', join(built, 'other'));
  expect(await tool('other', '-version')).toMatchObject({ code: 2, stdout: '' });
  rmSync(join(built, 'other'));
});

it('serves every door, and has after kill -9 what it acknowledged', async () => {
  let kept: string;
  {
    await using broker = await startBroker();
    const [frames, kafka, grpc, http] = await addressesOf(broker);
    const published = await tool(
      'publisher',
      '-address',
      frames,
      '-topic',
      'kept/a',
      '-message',
      'by frames',
      '-count',
      '3',
    );
    expect(published).toMatchObject({ code: 0, stderr: '' });
    const records = Array.from({ length: 500 }, (_, index) => `record ${index}`).join('\n');
    const produced = await run(
      join(built, 'tinymq'),
      ['produce', 'orders', '-address', kafka, '-compression', 'zstd'],
      {
        input: `${records}\n`,
        cwd: folder,
      },
    );
    expect(produced).toMatchObject({ code: 0 });
    kept = records;
    const posted = await fetch(`http://${http}/topics/b?retain`, { method: 'POST', body: 'by http' });
    expect(posted.ok).toBe(true);
    expect((await tool('tinymq', 'smq', 'topics', 'create', 'c', '-address', grpc)).code).toBe(0);
    await broker.stop('SIGKILL');
  }
  await using broker = await startBroker();
  const [frames, kafka, , http] = await addressesOf(broker);
  const consumed = await tool(
    'tinymq',
    'consume',
    'orders',
    '-address',
    kafka,
    '-from',
    'beginning',
    '-exit',
  );
  expect(consumed).toMatchObject({ code: 0, stdout: `${kept}\n` });
  const replayed = await tool(
    'subscriber',
    '-address',
    frames,
    '-topic',
    'kept/#',
    '-from',
    'earliest',
    '-count',
    '3',
  );
  expect(replayed).toMatchObject({ code: 0, stdout: 'Received on kept/a: by frames\n'.repeat(3) });
  expect(await (await fetch(`http://${http}/topics/b`)).text()).toBe('by http');
  expect(await tool('tinymq', 'check', '-data-dir', join(folder, 'data'))).toMatchObject({ code: 0 });
  expect((await broker.stop()).code).toBe(0);
  expect((await tool('tinymq', 'verify', '-data-dir', join(folder, 'data'))).code).toBe(0);
});

it('has the page in itself', async () => {
  await using broker = await startBroker();
  const http = `http://${await addressOf(broker, 'http')}`;
  const html = await (await fetch(http)).text();
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  expect(loaded).toHaveLength(3);
  for (const path of loaded) {
    for (const encoding of ['identity', 'br', 'gzip']) {
      const answer = await fetch(`${http}/${path}`, { headers: { 'accept-encoding': encoding } });
      expect(answer.status).toBe(200);
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(0);
    }
  }
  expect((await fetch(`${http}/ui/none.js`)).status).toBe(404);
});

// Each of them needs a module that other builds find beside their files: a thread for a long file, and the library for globs.
it('reads a long file of users, and rules with globs', async () => {
  const rules = [{ allow: 'all', users: 'anonymous', topics: '#', consumerGroups: 'g-*', broker: true }];
  const users = Object.fromEntries(
    Array.from({ length: 400 }, (_, index) => [`user-${index}`, { groups: ['staff-of-the-house'] }]),
  );
  const file = join(folder, 'users.json');
  writeFileSync(file, JSON.stringify({ users, rules }));
  expect(readFileSync(file).byteLength).toBeGreaterThan(usersFileInThreadBytes);
  await using broker = await startBroker('-users', file, '-ws-origin', 'https://*.example.com');
  const frames = await addressOf(broker, 'frames');
  const kafka = await addressOf(broker, 'kafka');
  const published = await tool('publisher', '-address', frames, '-topic', 'a', '-message', 'b');
  expect(published).toMatchObject({ code: 0, stderr: '' });
  const consumed = await tool('tinymq', 'consume', 'orders', '-address', kafka, '-group', 'g-1', '-exit');
  expect(consumed).toMatchObject({ code: 0 });
});

it('runs where nothing else is', async () => {
  mkdirSync(programs);
  copyFileSync(join(built, 'tinymq'), join(programs, 'tinymq'));
  symlinkSync('tinymq', join(programs, 'broker'));
  const running = start(
    'env',
    ['-i', join(programs, 'broker'), '-address', 'localhost:0', '-memory', ...REPORTING],
    {
      cwd: programs,
    },
  );
  await using broker = await brokerProcess(running);
  expect((await broker.stop()).code).toBe(0);
});
