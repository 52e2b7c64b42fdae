import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { connect } from '../../pkg/client/index.ts';
import { type BrokerProcess, program, start, startBrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import type { DoorSession, Login, Places, Refused } from './doors/door.ts';
import { frames } from './doors/frames.ts';
import { authorizationOf, grpc } from './doors/grpc.ts';
import { http } from './doors/http.ts';
import { kafka } from './doors/kafka.ts';
import { mqtt } from './doors/mqtt.ts';

/*
 * One run of everything, at the log level debug: broker, tools, SDK and clients of every door, with secrets that are right,
 * wrong, and in the wrong field. Whatever is written anywhere has none of them, in no usual form.
 */

const DOORS = [frames(true), mqtt(4), mqtt(5), kafka, grpc, http];

const PASSWORDS = {
  right: 'right-7f3a9c-x',
  wrong: 'wrong-51be02-x',
  next: 'next-c04d77-x',
  root: 'root-9d20aa-x',
};

let folder: string;
let broker: BrokerProcess;
let places: Places;
/** What secrets are known by: a part of each that nothing else has. */
const secrets: string[] = [...Object.values(PASSWORDS)];
const tokens = { good: '', over: '', foreign: '' };
let clientKey = '';
const relays: Server[] = [];
/** Everything that anybody has written, by who it was. */
const written: [by: string, text: string][] = [];

const file = (name: string) => join(folder, name);
function write(name: string, content: string): string {
  writeFileSync(file(name), content, { mode: 0o600 });
  return file(name);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-secrets-'));
  mkdirSync(file('data'));
  await makeTokens();
  const set = await makeCertificates(file('certs'));
  clientKey = readFileSync(set.clientKey, 'utf8');
  for (const key of [clientKey, readFileSync(set.serverKey, 'utf8')]) secrets.push(partOf(key));
  const users: Record<string, object> = {};
  for (const [name, password] of [
    ['anna', PASSWORDS.right],
    ['root', PASSWORDS.root],
  ] as const)
    users[name] = { password: (await makePassword(password)).password };
  const rules = [
    { allow: 'all', users: ['root'] },
    { allow: ['publish', 'subscribe', 'create', 'describe'], users: ['anna', 'tom'], topics: 'a/#' },
  ];
  broker = await startBrokerProcess([
    ...['-address', '127.0.0.1:0', '-kafka', '127.0.0.1:0', '-grpc', '127.0.0.1:0', '-http', '127.0.0.1:0'],
    ...['-users', write('users.json', JSON.stringify({ users, rules })), '-jwt-keys', file('keys.pem')],
    ...['-data-dir', file('data'), '-keep', 'a/#', '-log-level', 'debug'],
  ]);
  places = { plain: await relayed(), secured: {} };
}, 120_000);
afterAll(async () => {
  for (const relay of relays) relay.close();
  await broker?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function makeTokens(): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const foreign = generateKeyPairSync('ed25519').privateKey;
  write('keys.pem', publicKey.export({ type: 'spki', format: 'pem' }).toString());
  secrets.push(partOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()));
  const nowS = Math.floor(Date.now() / 1_000);
  const sign = (endS: number, key = privateKey) =>
    new SignJWT({ sub: 'tom', exp: endS }).setProtectedHeader({ alg: 'EdDSA' }).sign(key);
  tokens.good = await sign(nowS + 3_600);
  tokens.over = await sign(nowS - 3_600);
  tokens.foreign = await sign(nowS + 3_600, foreign);
  for (const token of Object.values(tokens)) secrets.push(token.slice(token.lastIndexOf('.') + 1));
}

/** A line of a key that no other has. */
function partOf(pem: string): string {
  return pem.split('\n')[1]!.slice(-32);
}

/** The doors, each behind a relay that notes what the broker says. */
async function relayed(): Promise<Record<string, string>> {
  const {
    kafka: kafkaUrls,
    grpc: grpcUrls,
    http: httpUrls,
  } = JSON.parse(broker.stdout()) as Record<string, string[]>;
  const urls = { frames: broker.url, kafka: kafkaUrls![0]!, grpc: grpcUrls![0]!, http: httpUrls![0]! };
  const found: Record<string, string> = {};
  for (const [door, url] of Object.entries(urls)) {
    const { port } = new URL(url.replace(/^\w+/, 'http'));
    const relay = createServer((client) => {
      const onward = connectTcp(Number(port), '127.0.0.1');
      for (const each of [client, onward]) each.on('error', () => {});
      client.pipe(onward).pipe(client);
      onward.on('data', (chunk) =>
        written.push([`the broker to a client of ${door}`, chunk.toString('latin1')]),
      );
    });
    relays.push(relay.listen(0, '127.0.0.1'));
    await eventually(() => relay.listening, 'a relay');
    found[door] = url.replace(/\d+$/, String((relay.address() as AddressInfo).port));
  }
  return found;
}

it('no secret is in anything that was written', { timeout: 240_000 }, async () => {
  for (const door of DOORS) for (const login of logins()) await comeAndGo(door, login);
  await useTools();
  await useSdk();
  await lookAround();
  await changeOverHttp();
  await checkBrokenConfigs();
  const ended = await broker.stop();
  written.push(['the broker', ended.stdout + ended.stderr]);
  for (const path of filesBelow(file('data'))) written.push([path, readFileSync(path, 'latin1')]);

  const all = written.map(([, text]) => text).join('');
  // It has the names of users, rules and clients, so it is all there.
  for (const known of ['anna', 'a/#', 'login-refused', 'scrypt$', 'tinymq_', 'not-authorized'])
    expect(all).toContain(known);
  const found = written.flatMap(([by, text]) =>
    secrets.flatMap(formsOf).flatMap((form) => {
      const at = text.indexOf(form);
      return at < 0 ? [] : [[by, text.slice(Math.max(0, at - 100), at + 100)]];
    }),
  );
  expect(found).toEqual([]);
});

/** Secrets that are right, wrong, over, and where they do not belong. */
function logins(): Login[] {
  const { right, wrong, next } = PASSWORDS;
  return [
    { user: 'anna', password: right },
    { user: 'anna', password: wrong },
    { user: right, password: '' },
    { user: next, password: right },
    { user: tokens.good, password: tokens.good },
    { user: 'anna', password: tokens.good },
    { user: 'anna', password: clientKey },
    { token: tokens.good },
    { token: tokens.over },
    { token: tokens.foreign },
    { token: right },
    { token: partOf(clientKey) },
  ];
}

/** Logs in, does what is allowed and what is not, and goes. */
async function comeAndGo(door: (typeof DOORS)[number], login: Login): Promise<void> {
  let session: DoorSession;
  try {
    session = await door.open(places, login);
  } catch (error) {
    written.push([`an error of ${door.name}`, String((error as Refused).message)]);
    return;
  }
  const names = { fresh: 'b', freshLog: 'b', group: 'g', treasure: '' };
  const [action] = door.actions;
  for (const topic of ['a/b', 'secret'])
    await session.perform(action!.name, { ...names, topic, log: topic.replace('/', '.') });
  session.close();
}

async function useTools(): Promise<void> {
  const passwords = {
    right: write('right', `${PASSWORDS.right}\n`),
    wrong: write('wrong', `${PASSWORDS.wrong}\n`),
    key: write('key', clientKey),
  };
  const addressOf = (door: string) => places.plain[door]!.replace(/^\w+:\/\//, '');
  const shown = (name: keyof typeof passwords) => ['-user', 'anna', '-password-file', passwords[name]];
  for (const name of ['right', 'wrong', 'key'] as const) {
    await ran('publisher', [
      '-topic',
      'a/b',
      '-message',
      'x',
      '-address',
      places.plain.frames!,
      ...shown(name),
    ]);
    const where = ['-request-timeout', '5', ...shown(name)];
    await ran('tinymq', ['produce', 'a.b', '-address', addressOf('kafka'), ...where]);
    await ran('tinymq', ['smq', 'produce', 'a/b', '-address', addressOf('grpc'), ...where]);
  }
  const token = { TINYMQ_TOKEN: tokens.foreign };
  await ran('publisher', ['-topic', 'a', '-message', 'x', '-address', places.plain.frames!], token);
  // Where it does not belong.
  await ran('publisher', ['-topic', 'a', '-message', 'x', '-user', 'anna', '-token-file', passwords.right]);
  const onData = ['-data-dir', file('data')];
  for (const [args, input] of [
    [['users', 'add', 'ben', '-password-file', '-'], PASSWORDS.next],
    [['users', 'passwd', 'ben', '-password-file', '-'], PASSWORDS.wrong],
    [['users', 'passwd', 'anna', '-password-file', '-'], PASSWORDS.next],
    [['users', 'list', '-json'], ''],
    [['users', 'hash', 'ben', '-password-file', '-'], PASSWORDS.next],
    [['acl', 'list', '-json'], ''],
    [['acl', 'test', 'anna', 'publish', 'a/b'], ''],
  ] as const) {
    await ran('tinymq', [...args, ...onData], {}, input);
  }
}

/** A program of ours, and the process list while it runs. */
async function ran(
  name: Parameters<typeof program>[0],
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = 'one\n',
): Promise<void> {
  const running = start(program(name), args, { env, input });
  written.push(['the process list', commandLines()]);
  const { stdout, stderr } = await running.ended;
  written.push([name, stdout + stderr]);
}

function commandLines(): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(commandLine).join('\n');
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

async function useSdk(): Promise<void> {
  const url = places.plain.frames!;
  for (const { user, password, token } of logins()) {
    const shown = token === undefined ? { user: user!, password } : { token };
    await connect(url, shown).then(
      (client) => client.close(),
      (error: Error) => written.push(['an error of the SDK', `${error.stack}${JSON.stringify(error)}`]),
    );
  }
}

/** Whatever the broker tells its root: metrics, the description of the API, and each operation that only shows. */
async function lookAround(): Promise<void> {
  const headers = authorizationOf({ user: 'root', password: PASSWORDS.root });
  const get = async (path: string) => {
    const text = await (await fetch(`${places.plain.http}${path}`, { headers })).text();
    written.push([path, text]);
    return text;
  };
  const { paths } = JSON.parse(await get('/openapi.json')) as { paths: Record<string, { get?: object }> };
  for (const [path, { get: shows }] of Object.entries(paths))
    if (shows !== undefined && !/[{*]/.test(path)) await get(path);
  const session = await mqtt(5).open(places, { user: 'root', password: PASSWORDS.root });
  await session.perform('subscribe', {
    ...{ topic: '$SYS/broker/version', log: '', fresh: '', freshLog: '', group: '', treasure: '' },
  });
  await session.settle();
  written.push(['$SYS', session.received]);
  session.close();
}

/** Passwords that the page sends, and what the broker answers. */
async function changeOverHttp(): Promise<void> {
  const { root, next, wrong } = PASSWORDS;
  const type = { 'content-type': 'application/json' };
  const headers = { ...authorizationOf({ user: 'root', password: root }), ...type };
  for (const [method, path, body] of [
    ['POST', '/users', JSON.stringify({ name: 'carl', newPassword: next })],
    ['POST', '/users', JSON.stringify({ name: 'anna', newPassword: next })],
    ['POST', '/users', JSON.stringify({ name: 'dora', newPassword: next, password: wrong })],
    ['POST', '/users', `{"name": "dora", "newPassword": ${next}}`],
    ['PATCH', '/users/carl', JSON.stringify({ newPassword: wrong })],
    ['PATCH', '/users/carl', JSON.stringify({ password: wrong, newPasword: next })],
    ['GET', '/users', undefined],
  ] as const) {
    const answer = await fetch(`${places.plain.http}${path}`, { method, headers, body });
    written.push([`${method} ${path}`, await answer.text()]);
  }
}

/** Secrets in the wrong places of a configuration. */
async function checkBrokenConfigs(): Promise<void> {
  const { right } = PASSWORDS;
  const files = {
    plain: write('plain.yaml', `users:\n  anna:\n    password: ${right}\n`),
    word: write('word.yaml', right),
    key: write('key.yaml', clientKey),
    scram: write('scram.yaml', `users:\n  anna:\n    scram: [${right}]\n`),
    list: write('list.yaml', `users:\n  anna: ${right}\n`),
    open: write('open.yaml', `users:\n  anna:\n    password: "${right}\n`),
  };
  for (const path of Object.values(files)) await ran('broker', ['-check-config', '-users', path]);
  for (const flags of [
    ['-jwt-keys', files.word],
    ['-jwt-keys', files.key],
    ['-tls-cert', files.word, '-tls-key', files.word],
    ['-tls-cert', files.key, '-tls-key', files.key],
  ])
    await ran('broker', ['-check-config', ...flags]);
}

/** How a secret looks in texts of several kinds. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((shift) =>
    // Whatever stands before it: the characters that only it decides.
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : shift + 1)
      .replace(/..?=*$/, ''),
  );
  return [secret, bytes.toString('hex'), encodeURIComponent(secret), ...base64];
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
