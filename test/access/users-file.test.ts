import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makePassword } from '../../internal/access/users/passwords.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type RunningBroker, startBroker, UnprotectedError } from '../../pkg/embed/index.ts';
import { connectMqtt, openMqtt, type RawMqtt } from '../mqtt/client.ts';
import { brokerProcess, program, REPORTING, start } from '../support/broker-process.ts';

const NOT_AUTHORIZED = 0x87;
const BAD_CREDENTIALS = 0x86;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-users-file-'));
const file = join(folder, 'users.yaml');
let hash = '';
let otherHash = '';
beforeAll(async () => {
  hash = (await makePassword('secret')).password;
  otherHash = (await makePassword('changed')).password;
  return () => rmSync(folder, { recursive: true });
});

const brokers: RunningBroker[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

interface Declared {
  password?: string;
  groups?: string[];
  enabled?: boolean;
}

const STAFF = { allow: ['publish', 'subscribe'], groups: ['staff'], topics: ['a/#', 'a'] };

function write(users: Record<string, Declared>, rules: object[] = [STAFF]): void {
  writeFileSync(file, JSON.stringify({ users, rules }));
}

async function started(users: Record<string, Declared>, rules?: object[]): Promise<RunningBroker> {
  write(users, rules);
  const broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], usersFile: file, sysIntervalMs: 0 });
  brokers.push(broker);
  return broker;
}

function login(url: string, user: string | undefined, password?: string): Promise<RawMqtt> {
  const credentials = password === undefined ? {} : { password: Buffer.from(password) };
  return connectMqtt(url, 5, { clientId: `c-${user}`, userName: user, ...credentials });
}

async function refusal(url: string, user: string | undefined, password?: string): Promise<number> {
  const client = await openMqtt(url, 5);
  const credentials = password === undefined ? {} : { password: Buffer.from(password) };
  return (await client.connect({ userName: user, ...credentials })).reasonCode;
}

describe('a broker with a file of users', () => {
  it('lets in who is named there, and nobody else', async () => {
    const { url } = await started({ anna: { password: hash }, ben: { password: hash, enabled: false } });
    await login(url, 'anna', 'secret');
    expect(await refusal(url, 'anna', 'wrong')).toBe(BAD_CREDENTIALS);
    expect(await refusal(url, 'ben', 'secret')).toBe(BAD_CREDENTIALS);
    expect(await refusal(url, 'nobody', 'secret')).toBe(BAD_CREDENTIALS);
    expect(await refusal(url, undefined)).toBe(NOT_AUTHORIZED);
  });

  it.each<[string, Record<string, Declared>, object[] | undefined]>([
    ['is removed', { ben: {} }, undefined],
    ['is disabled', { anna: { enabled: false, groups: ['staff'] } }, undefined],
    ['gets another password', { anna: { groups: ['staff'] } }, undefined],
    ['loses its group', { anna: {} }, undefined],
    ['loses its rule', { anna: { groups: ['staff'] } }, [{ ...STAFF, topics: ['b'] }]],
    ['may no longer connect', { anna: { groups: ['staff'] } }, [{ deny: 'connect', users: 'anna' }, STAFF]],
  ])('ends who is connected and %s, within a second', async (what, users, rules) => {
    const { url } = await started({ anna: { password: hash, groups: ['staff'] } });
    const anna = await login(url, 'anna', 'secret');
    expect((await anna.subscribe('a/#', 1)).reasonCodes).toEqual([1]);
    const password = what === 'gets another password' ? otherHash : hash;
    const declared = Object.entries(users).map(([name, user]) => [name, { password, ...user }]);
    const before = performance.now();
    write(Object.fromEntries(declared), rules);
    expect((await anna.next(PacketType.disconnect)).reasonCode).toBe(NOT_AUTHORIZED);
    // Two looks at the file, and what a busy machine adds.
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it('keeps who stays, without a message lost, and lets in who comes to it', async () => {
    const anna = { password: hash, groups: ['staff'] };
    const { url, reloadUsers } = await started({ anna });
    const publisher = await login(url, 'anna', 'secret');
    const subscriber = await connectMqtt(url, 5, {
      ...{ clientId: 'sub', userName: 'anna', password: Buffer.from('secret') },
    });
    await subscriber.subscribe('a/#', 1);
    for (let count = 0; count < 50; count++) {
      if (count % 10 === 5) {
        write({ anna, [`more${count}`]: anna }, [STAFF, { deny: 'all', users: `more${count}`, topics: 'x' }]);
        await reloadUsers();
        await login(url, `more${count}`, 'secret');
      }
      expect(await publisher.publishSafely(`a/${count}`, 'x')).toBe(0);
    }
    for (let count = 0; count < 50; count++) expect((await subscriber.message()).topic).toBe(`a/${count}`);
  });

  it('goes on with what was there when the file is broken, and says so', async () => {
    const lines: { error?: string }[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => void lines.push(fields) };
    write({ anna: { password: hash, groups: ['staff'] } });
    const broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], usersFile: file, logger });
    brokers.push(broker);
    for (const content of ['', 'users: [', '{"users": {}}', '{"users": {"anna": {"password": "secret"}}}']) {
      writeFileSync(file, content);
      await broker.reloadUsers();
    }
    rmSync(file);
    await broker.reloadUsers();
    mkdirSync(file);
    await broker.reloadUsers();
    rmSync(file, { recursive: true });
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(lines)).not.toContain('secret');
    await login(broker.url, 'anna', 'secret');
    expect(await refusal(broker.url, undefined)).toBe(NOT_AUTHORIZED);
  });

  it.each<[string, () => void, string]>([
    ['names nobody', () => writeFileSync(file, 'users:\n'), 'is not used: it names neither users nor rules'],
    ['is empty', () => writeFileSync(file, ''), 'is not used: it is empty'],
    ['has white space only', () => writeFileSync(file, ' \n'), 'is not used: it'],
    ['is not there', () => {}, 'no such file'],
    ['cannot be read', () => mkdirSync(file), 'it is a folder'],
  ])('does not start with one that %s', async (_, make, problem) => {
    rmSync(file, { force: true });
    make();
    const start = startBroker({ listen: ['tcp://127.0.0.1:0'], usersFile: file, allowAnonymous: true });
    await expect(start).rejects.toThrow(problem);
    rmSync(file, { recursive: true, force: true });
  });

  it('may be reached from elsewhere, which one without users may not', async () => {
    const listen = ['tcp://0.0.0.0:0'];
    await expect(startBroker({ listen })).rejects.toThrow(UnprotectedError);
    write({ anna: { password: hash } });
    brokers.push(await startBroker({ listen, usersFile: file }));
    const open = await startBroker({ listen, allowAnonymous: true });
    brokers.push(open);
    expect([brokers[0]!.openToAll, open.openToAll]).toEqual([[], [open.url]]);
  });
});

describe.runIf(existsSync('/proc/self/limits'))('a broker that is out of file descriptors', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it('goes on with the users and rules that it has, and takes the new ones when there are descriptors', async () => {
    write({ anna: { password: hash, groups: ['staff'] } });
    const line = 'ulimit -n 64; exec "$0" "$@"';
    const flags = ['-address', 'localhost:0', '-connect-timeout', '1h', '-max-clients', '20', '-memory'];
    const args = [...flags, '-users', file, ...REPORTING];
    const running = start('sh', ['-c', line, program('broker'), ...args]);
    const broker = await brokerProcess(running);
    try {
      const anna = await login(broker.url, 'anna', 'secret');
      expect(await anna.publishSafely('a', 'x')).toBeLessThan(NOT_AUTHORIZED);
      for (let count = 0; count < 64; count++) {
        const socket = connect({ host: '127.0.0.1', port: Number(new URL(broker.url).port) });
        sockets.push(socket.on('error', () => {}));
      }
      await broker.logged({ msg: 'out of file descriptors: new connections are closed' });
      write({ anna: { password: hash }, ben: { password: otherHash, groups: ['staff'] } });
      process.kill(broker.pid, 'SIGHUP');
      const refused = await broker.logged({ event: 'users-file', level: 'error' });
      expect(refused.error).toContain('too many files open');
      expect(await anna.publishSafely('a', 'x')).toBeLessThan(NOT_AUTHORIZED);
      expect(await anna.publishSafely('b', 'x')).toBe(NOT_AUTHORIZED);
      for (const socket of sockets.splice(0)) socket.destroy();
      // Nobody has to ask again.
      await broker.logged({ event: 'users-file', level: 'info' });
      await login(broker.url, 'ben', 'changed');
      expect(await anna.publishSafely('a', 'x')).toBe(NOT_AUTHORIZED);
    } finally {
      await broker.stop('SIGKILL');
    }
  });
});
