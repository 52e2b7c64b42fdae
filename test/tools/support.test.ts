import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-support-'));
afterAll(() => rmSync(folder, { recursive: true }));
const place = (name: string) => join(folder, name);

/** All files of an archive, by their names. */
function unpacked(archive: string): Record<string, string> {
  const list = spawnSync('tar', ['-tzf', archive]);
  expect(list.stderr.toString()).toBe('');
  const names = list.stdout.toString().trim().split('\n');
  return Object.fromEntries(
    names.map((name) => [
      name,
      spawnSync('tar', ['-xzOf', archive, name], { maxBuffer: 1e8 }).stdout.toString(),
    ]),
  );
}

const SECRETS = {
  password: 'open-sesame-77',
  another: 'wrong-sesame-88',
  retained: 'payload-of-the-retained-one',
  kept: 'payload-of-the-log',
};

it('has all that a report needs, and no secret that the broker was given', async () => {
  const dataDir = place('data');
  const passwordFile = place('anna.txt');
  writeFileSync(passwordFile, `${SECRETS.password}\n`);
  for (const args of [
    ['users', 'add', 'anna', '-admin', '-password-file', passwordFile],
    ['acl', 'add', '-allow', 'all', '-users', 'anna', '-topics', '#'],
  ]) {
    const { code, errors } = await runTinymq([...args, '-data-dir', dataDir]);
    expect(code, errors).toBe(0);
  }
  await using broker = await startBrokerProcess([
    ...['-listen', 'tcp://127.0.0.1:0', '-data-dir', dataDir, '-keep', 'kept/#', '-log-level', 'warn'],
  ]);
  const login = { userName: 'anna', password: Buffer.from(SECRETS.password) };
  const client = await connectMqtt(broker.url, 5, { ...login, clientId: 'sensor-7' });
  await client.publishSafely('kept/a', SECRETS.kept);
  await client.publishSafely('house', SECRETS.retained, { retain: true });
  const refused = await openMqtt(broker.url, 5);
  await refused.connect({ userName: 'anna', password: Buffer.from(SECRETS.another) });
  refused.drop();

  const archive = place('support.tar.gz');
  const { code, out, errors } = await runTinymq(['support', archive, '-data-dir', dataDir]);
  expect(code, errors).toBe(0);
  expect(errors).toMatch(/^What goes into .*:\nabout\.json +versions of /);
  expect(out).toMatch(/^Wrote .*support\.tar\.gz \([\d.]+ .?B\)\. Look through it /);
  expect(statSync(archive).mode & 0o777).toBe(0o600);
  const files = unpacked(archive);
  expect(Object.keys(files).map((name) => name.replace('tinymq-support/', ''))).toEqual([
    ...['about.json', 'limits.txt', 'overview.json', 'config.json', 'history.json', 'fates.json'],
    ...['clients.json', 'verify.json'],
  ]);
  const json = (name: string) => JSON.parse(files[`tinymq-support/${name}`]!);
  expect(json('about.json')).toMatchObject({ node: process.version });
  expect(json('overview.json')).toMatchObject({ health: 'pass', store: { kind: 'data-folder', format: 5 } });
  expect(JSON.stringify(json('config.json'))).toContain('log-level');
  expect(json('clients.json')).toMatchObject({ total: 1, doors: { mqtt: 1 } });
  expect(json('verify.json')).toMatchObject({ topics: 1, problems: [] });
  expect(JSON.stringify(json('fates.json'))).toContain('bad-credentials');
  expect(files['tinymq-support/limits.txt']).toMatch(/Max open files/);
  const hash = JSON.parse((await runTinymq(['users', 'list', '-json', '-data-dir', dataDir])).out);
  expect(hash).toHaveLength(1);
  const all = Object.values(files).join('\n');
  for (const [name, secret] of Object.entries(SECRETS)) {
    expect(all, name).not.toContain(secret);
    expect(all, name).not.toContain(Buffer.from(secret).toString('base64'));
  }
  expect(all).not.toMatch(/scram|\$argon|\$scrypt|storedKey/i);
  client.drop();
});

it('only says what would be in it, and is made of a folder whose broker does not run', async () => {
  const dataDir = place('data');
  const dry = await runTinymq(['support', place('never.tar.gz'), '-dry-run', '-data-dir', dataDir]);
  expect(dry.out).toMatch(/^about\.json .*\n.*\nverify\.json /s);
  expect(statSync(place('never.tar.gz'), { throwIfNoEntry: false })).toBeUndefined();
  const archive = place('stopped.tar.gz');
  const { code, errors } = await runTinymq(['support', archive, '-data-dir', dataDir]);
  expect(code, errors).toBe(0);
  expect(errors).toContain('no broker runs with ');
  const files = unpacked(archive);
  expect(JSON.parse(files['tinymq-support/overview.json']!)).toEqual({ problem: 'no broker runs' });
  expect(JSON.parse(files['tinymq-support/verify.json']!)).toMatchObject({ topics: 1, problems: [] });
  const before = readFileSync(archive);
  const again = await runTinymq(['support', archive, '-quiet', '-data-dir', dataDir]);
  expect(again.code).toBe(1);
  expect(readFileSync(archive).equals(before)).toBe(true);
});
