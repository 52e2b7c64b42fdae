import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { saslHandshake } from '../../internal/protocol/kafka/apis/17-sasl-handshake.ts';
import { saslAuthenticate } from '../../internal/protocol/kafka/apis/36-sasl-authenticate.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { KafkaWire } from '../support/kafka-wire.ts';

/** Never written anywhere, right or wrong, whole or in base64. */
const SECRETS = ['right-7f3a9c', 'wrong-51be02', 'other-c04d77'];
const RIGHT = SECRETS[0]!;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('no password is in what a run of the broker has written', { timeout: 120_000 }, async () => {
  const users = join(folder, 'users.json');
  const rules = [{ allow: ['publish', 'subscribe', 'describe'], users: ['anna'], topics: ['a/#'] }];
  writeFileSync(users, JSON.stringify({ users: { anna: await makePassword(RIGHT).then(declared) }, rules }));
  const written: string[] = [];
  await using broker = await startBrokerProcess([
    ...['-address', '127.0.0.1:0', '-kafka', '127.0.0.1:0', '-log-level', 'debug'],
    ...['-users', users, '-data-dir', join(folder, 'data'), '-keep', 'a/#'],
  ]);
  const kafka = String((await broker.logged({ event: 'listening', door: 'kafka' })).url);

  for (const password of SECRETS) {
    written.push(await byMqtt(broker.url, password), await byKafka(kafka, password), processList());
  }
  written.push(JSON.stringify(await broker.stats()));
  const ended = await broker.stop();
  written.push(ended.stdout, ended.stderr);
  for (const file of filesBelow(join(folder, 'data'))) written.push(readFileSync(file, 'latin1'));

  expect(written.join('').length).toBeGreaterThan(10_000);
  for (const secret of SECRETS) {
    for (const form of [
      secret,
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('hex'),
    ]) {
      expect(
        written.filter((text) => text.includes(form)),
        form,
      ).toEqual([]);
    }
  }
});

function declared({ password }: { password: string }) {
  return { password };
}

/** What a client is told that logs in, publishes what it may and what it may not, or is refused. */
async function byMqtt(url: string, password: string): Promise<string> {
  const credentials = { userName: 'anna', password: Buffer.from(password) };
  const answer = await (await openMqtt(url, 5)).connect(credentials);
  if (password !== RIGHT) return JSON.stringify(answer);
  const client = await connectMqtt(url, 5, credentials);
  const codes = [await client.publishSafely('a/b', 'x'), await client.publishSafely('secret', 'x')];
  const suback = await client.subscribe('#');
  client.drop();
  return JSON.stringify([answer, codes, suback]);
}

async function byKafka(url: string, password: string): Promise<string> {
  const wire = await KafkaWire.open(url);
  const handshake = await wire.ask(saslHandshake, 1, { mechanism: 'PLAIN' });
  const authBytes = Buffer.from(`\0anna\0${password}`);
  const answer = await wire.ask(saslAuthenticate, 2, { authBytes }).catch((error: Error) => error.message);
  wire.close();
  return JSON.stringify([handshake, answer], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

function processList(): string {
  return spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout;
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
