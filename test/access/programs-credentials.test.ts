import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identityOf } from '../../internal/access/identity.ts';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { scramText } from '../../internal/access/users/scram-text.ts';
import { SCRAM_MECHANISMS } from '../../internal/access/users/user.ts';
import { type Authenticator, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { type ProgramName, program } from '../support/broker-process.ts';
import { urlOf } from '../support/listeners.ts';

const PASSWORD = 'open-sesame-77';
const DOORS = ['frames', 'kafka', 'grpc'] as const;

let folder: string;
let broker: RunningBroker;
/** Names of files, by what is in them. */
const files = { users: '', keys: '', password: '', wrong: '', token: '', empty: '' };
const lines: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-programs-'));
  for (const name of Object.keys(files) as (keyof typeof files)[]) files[name] = join(folder, name);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { password, scram } = await makePassword(PASSWORD);
  const fred = { password, scram: SCRAM_MECHANISMS.map((name) => scramText(name, scram[name]!)) };
  const rules = [{ allow: ['publish', 'subscribe', 'create', 'describe'], users: '*', topics: '#' }];
  writeFileSync(files.users, JSON.stringify({ users: { fred }, rules }));
  writeFileSync(files.keys, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(files.password, `${PASSWORD}\n`);
  writeFileSync(files.wrong, 'guess-55\n');
  writeFileSync(files.empty, '\n');
  const token = new SignJWT({ sub: 'tom', exp: Math.floor(Date.now() / 1000) + 3600 });
  writeFileSync(files.token, await token.setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey));
  const listen = ['tcp://127.0.0.1:0'];
  const note = (fields: object, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
  broker = await startBroker({
    ...{ listen, kafka: { listen }, grpc: { listen }, memory: true },
    ...{ usersFile: files.users, tokens: { keys: files.keys } },
    logger: { debug: note, info: note, warn: note, error: note },
  });
});

afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

interface End {
  code: number | null;
  text: string;
}

function run(
  name: ProgramName,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = 'one\n',
): Promise<End> {
  const child = spawn(program(name), args, { env: { PATH: process.env.PATH, ...env } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })));
}

/** A message, sent through a door by the program that is for it. */
function send(
  door: (typeof DOORS)[number],
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
  to = broker,
): Promise<End> {
  const url = urlOf(to, door);
  const address = url.slice(url.indexOf('://') + 3);
  const where = ['-address', address, '-request-timeout', '5', ...args];
  if (door === 'kafka') return run('tinymq', ['produce', 'orders', ...where], env);
  if (door === 'grpc') return run('tinymq', ['smq', 'produce', 'orders', ...where], env);
  return run('publisher', ['-topic', 'orders', '-message', 'one', '-address', url, ...args], env);
}

describe.each(DOORS)('a program at the door %s', (door) => {
  it('shows a user with the password of a file or of the environment, or a token', async () => {
    if (door === 'grpc')
      await run('tinymq', [
        'topics',
        'create',
        'orders',
        '-user',
        'fred',
        '-password-file',
        files.password,
        '-address',
        broker.listeners[1]!.url,
      ]);
    const ends = await Promise.all([
      send(door, ['-user', 'fred', '-password-file', files.password]),
      send(door, [], { TINYMQ_USER: 'fred', TINYMQ_PASSWORD: PASSWORD }),
      send(door, ['-token-file', files.token]),
    ]);
    expect(ends.map(({ code, text }) => [code, code === 0 ? '' : text])).toEqual([
      [0, ''],
      [0, ''],
      [0, ''],
    ]);
  });

  it('is told what is wrong, and tells nothing secret', async () => {
    const ends = await Promise.all([
      send(door, ['-user', 'fred', '-password-file', files.wrong]),
      send(door, []),
      send(door, [], { TINYMQ_TOKEN: 'guess.55.x' }),
    ]);
    for (const { code, text } of ends) {
      expect(code).toBe(1);
      expect(text).not.toMatch(/guess|Z3Vlc3M|at .*\.ts:/);
      expect(text.trim().split('\n')).toHaveLength(1);
    }
    expect(ends[0]!.text).toMatch(/bad-credentials|login failed|password/i);
  });
});

it.each<[string, string[], NodeJS.ProcessEnv]>([
  ['-user needs a password', ['-user', 'fred'], {}],
  ['-password-file needs -user', ['-password-file', 'x'], {}],
  ['-token-file comes in place of -user', ['-token-file', 'x', '-user', 'fred'], {}],
  ['cannot read /no/such/file', ['-user', 'fred', '-password-file', '/no/such/file'], {}],
  ['TINYMQ_TOKEN comes in place of TINYMQ_USER', [], { TINYMQ_TOKEN: 'a', TINYMQ_USER: 'b' }],
  ['-password needs -user', ['-password', 'x'], {}],
])('who uses it wrongly is told that %s', async (problem, args, env) => {
  const { code, text } = await send('frames', args, env);
  expect([code, text]).toEqual([2, expect.stringContaining(problem)]);
});

it('an empty file is no password', async () => {
  const { code, text } = await send('kafka', ['-user', 'fred', '-password-file', files.empty]);
  expect([code, text]).toEqual([2, expect.stringContaining('is empty')]);
});

it('a client of Kafka shows its password in clear only to a broker of its own machine that asks for that', async () => {
  const shown: string[] = [];
  const authenticator: Authenticator = {
    authenticate(peer, credentials) {
      if (credentials.kind !== 'password') return { reason: 'log in' };
      shown.push(Buffer.from(credentials.password ?? []).toString());
      return identityOf(peer, { user: credentials.user });
    },
    mechanisms: ['PLAIN'],
  };
  const listen = ['tcp://127.0.0.1:0'];
  await using plain = await startBroker({ kafka: { listen }, memory: true, authenticator });
  expect((await send('kafka', ['-user', 'fred', '-password-file', files.password], {}, plain)).code).toBe(0);
  expect(new Set(shown)).toEqual(new Set([PASSWORD]));
});

it('nothing that the broker wrote has a secret in it', () => {
  expect(lines.length).toBeGreaterThan(0);
  const all = lines.join('\n');
  for (const secret of [PASSWORD, Buffer.from(PASSWORD).toString('base64').slice(0, 16), 'guess-55']) {
    expect(all).not.toContain(secret);
  }
});
