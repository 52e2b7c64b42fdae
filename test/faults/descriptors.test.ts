import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { connectMqtt } from '../mqtt/client.ts';
import { type BrokerProcess, brokerProcess, program, REPORTING, start } from '../support/broker-process.ts';

/*
 * Out of file descriptors the runtime closes whoever connects, and nobody is told: the log of a broker stayed empty,
 * also at debug, while every third client failed.
 */

const LIMIT = 64;
const NOT_AUTHORIZED = 0x87;
const sockets: Socket[] = [];
let broker: BrokerProcess | undefined;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await broker?.stop('SIGKILL');
});

describe.runIf(existsSync('/proc/self/limits'))('a broker with few descriptors', () => {
  it('says at the start that there are fewer than -max-clients', async () => {
    broker = await limitedBroker('-max-clients', '1000');
    expect(await broker.logged({ code: 'too-many-files', level: 'warn' })).toMatchObject({
      maxClients: 1000,
      limit: LIMIT,
      remedy: expect.stringContaining('ulimit -n'),
    });
  });

  it('says when there are none left, once, and when there are some again', async () => {
    broker = await limitedBroker('-max-clients', '20');
    for (let count = 0; count < LIMIT; count++) dial(broker);
    const msg = 'out of file descriptors: new connections are closed';
    expect(await broker.logged({ msg })).toMatchObject({ level: 'error', limit: LIMIT });
    for (const socket of sockets.splice(0)) socket.destroy();
    await broker.logged({ msg: 'there are file descriptors again' });
    expect(broker.log().filter((line) => line.msg === msg)).toHaveLength(1);
    expect(broker.log().filter((line) => line.code === 'too-many-files' && line.level === 'warn')).toEqual(
      [],
    );
  });

  it('keeps the users that it has where it cannot read their file again, and reads it when it can', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-descriptors-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'users.json');
    const write = (topic: string) =>
      writeFileSync(
        file,
        JSON.stringify({ rules: [{ allow: 'publish', users: 'anonymous', topics: topic }] }),
      );
    write('before');
    broker = await limitedBroker('-max-clients', '20', '-users', file);
    const client = await connectMqtt(`tcp://127.0.0.1:${new URL(broker.url).port}`, 5);
    for (let count = 0; count < LIMIT; count++) dial(broker);
    await broker.logged({ msg: 'out of file descriptors: new connections are closed' });
    write('after');
    await broker.logged({ event: 'users-file', level: 'error' });
    expect(await client.publishSafely('before', 'x')).toBeLessThan(0x80);
    expect(await client.publishSafely('after', 'x')).toBe(NOT_AUTHORIZED);
    for (const socket of sockets.splice(0)) socket.destroy();
    await broker.logged({ event: 'users-file', level: 'info' });
    expect(await client.publishSafely('after', 'x')).toBeLessThan(0x80);
    expect(await client.publishSafely('before', 'x')).toBe(NOT_AUTHORIZED);
    client.drop();
  });
});

async function limitedBroker(...flags: string[]): Promise<BrokerProcess> {
  const line = `ulimit -n ${LIMIT}; exec "$0" "$@"`;
  const args = ['-address', 'localhost:0', '-connect-timeout', '1h', ...REPORTING, ...flags];
  return brokerProcess(start('sh', ['-c', line, program('broker'), ...args]));
}

function dial({ url }: BrokerProcess): void {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  socket.on('error', () => {});
  sockets.push(socket);
}
