import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { AdminClient, socketTransport } from '../../internal/admin/client.ts';
import { listUsers } from '../../internal/admin/operations/users.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type BrokerOptions, type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { program, run, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { runTinymq, startTinymq } from '../support/tinymq-program.ts';

const NOT_AUTHORIZED = 0x87;
const QUOTA_EXCEEDED = 0x97;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-tools-'));
afterAll(() => rmSync(folder, { recursive: true }));
let used = 0;
const newFolder = () => join(folder, String(++used));

const brokers: RunningBroker[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
});

async function started(dataDir: string, options: BrokerOptions = {}): Promise<RunningBroker> {
  const broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], dataDir, adminSocket: true, sysIntervalMs: 0 },
    ...options,
  });
  brokers.push(broker);
  return broker;
}

/** Runs `tinymq` on a folder, and expects that it succeeds. */
async function tinymq(dataDir: string, args: string[], input = ''): Promise<string> {
  const { code, out, errors } = await runTinymq([...args, '-data-dir', dataDir], input);
  expect(code, errors).toBe(0);
  return out;
}

async function failing(dataDir: string, args: string[], input = ''): Promise<string> {
  const { code, errors } = await runTinymq([...args, '-data-dir', dataDir], input);
  expect(code, errors).toBe(1);
  return errors;
}

const addUser = (dataDir: string, name: string, ...more: string[]) =>
  tinymq(dataDir, ['users', 'add', name, '-password-file', '-', '-quiet', ...more], `${name}-secret\n`);

function login(url: string, name: string, password = `${name}-secret`) {
  return connectMqtt(url, 5, { clientId: `c-${name}`, userName: name, password: Buffer.from(password) });
}

/** What the broker answers a second client of a user. */
async function connackReason(url: string, name: string): Promise<number> {
  const client = await openMqtt(url, 5);
  const password = Buffer.from(`${name}-secret`);
  const { reasonCode } = await client.connect({ clientId: `d-${name}`, userName: name, password });
  client.stream.destroy();
  return reasonCode;
}

describe.each(['a broker that runs', 'a broker that is stopped'])('the tools and %s', (kind) => {
  const runs = kind === 'a broker that runs';

  it('make users, groups, passwords and rules, and show them', async () => {
    const dataDir = newFolder();
    if (runs) await started(dataDir);
    await addUser(dataDir, 'anna', '-admin', '-groups', 'staff');
    await addUser(dataDir, 'ben');
    expect(await failing(dataDir, ['users', 'add', 'ben', '-password-file', '-'], 'x')).toBe(
      "tinymq users add: there is a user 'ben' already\n",
    );
    await tinymq(dataDir, ['users', 'groups', 'ben', '-groups', 'devices,plant']);
    await tinymq(dataDir, ['users', 'disable', 'ben']);
    const rule = ['acl', 'add', '-allow', 'publish', '-groups', 'devices', '-topics', 'devices/%u/#'];
    await tinymq(dataDir, [...rule, '-id', 'devices']);
    await tinymq(dataDir, [
      'acl',
      'add',
      '-deny',
      'all',
      '-users',
      'ben',
      '-topics',
      'x',
      '-before',
      'devices',
    ]);
    expect(JSON.parse(await tinymq(dataDir, ['users', 'list', '-json']))).toMatchObject([
      { name: 'anna', enabled: true, groups: ['staff', 'admin'], hasPassword: true, origin: 'store' },
      { name: 'ben', enabled: false, groups: ['devices', 'plant'] },
    ]);
    const shown = JSON.parse(await tinymq(dataDir, ['acl', 'list', '-json'])) as {
      id: string;
      text: string;
    }[];
    expect(shown.map(({ id }) => id)).toEqual(['admin', expect.stringMatching(/^rule-/), 'devices']);
    expect(shown[2]!.text).toBe('allow publish on topics devices/%u/# for groups devices');
    expect(await tinymq(dataDir, ['acl', 'test', 'anna', 'publish', 'a'])).toMatch(
      /^allowed: rule 1, admin: /,
    );
    // An administrator may do everything; a list of filters had left out the topics of `$` that came later.
    expect(await tinymq(dataDir, ['acl', 'test', 'anna', 'subscribe', '$dlq/#'])).toMatch(/^allowed: /);
    expect((await runTinymq(['acl', 'test', 'ben', 'publish', 'a', '-data-dir', dataDir])).out).toBe(
      'denied: the user was disabled\n',
    );
    await tinymq(dataDir, ['acl', 'remove', 'devices']);
    await tinymq(dataDir, ['users', 'remove', 'ben']);
    expect(await failing(dataDir, ['users', 'passwd', 'ben', '-password-file', '-'], 'y')).toContain(
      "there is no user 'ben'",
    );
    expect(await failing(dataDir, ['acl', 'remove', 'devices'])).toContain("there is no rule 'devices'");
    await tinymq(dataDir, ['users', 'passwd', 'anna', '-password-file', '-'], 'another');
    const { url } = brokers[0] ?? (await started(dataDir));
    await login(url, 'anna', 'another');
  });

  it('make limits, which hold at once, and show them', async () => {
    const dataDir = newFolder();
    if (runs) await started(dataDir);
    await addUser(dataDir, 'anna', '-groups', 'staff');
    expect(
      await tinymq(dataDir, ['limits', 'add', 'connections=1', 'inflight=5', '-user', 'anna', '-id', 'a']),
    ).toBe('Added limit a: connections 1, inflight 5 for user anna\n');
    expect(await tinymq(dataDir, ['limits', 'add', 'inflight=3', '-group', 'staff'])).toMatch(
      /^Added limit limit-\w{8}: inflight 3 for group staff\n$/,
    );
    await tinymq(dataDir, ['limits', 'add', 'connections=2', 'sessions=7', '-id', 'rest']);
    const shown = JSON.parse(await tinymq(dataDir, ['limits', 'list', '-json'])) as { id: string }[];
    expect(shown).toHaveLength(3);
    expect(shown.find(({ id }) => id === 'rest')).toEqual({
      ...{ id: 'rest', origin: 'store', text: 'connections 2, sessions 7 for everybody else, each' },
      limit: { connections: 2, sessions: 7 },
    });
    expect(JSON.parse(await tinymq(dataDir, ['limits', 'test', 'anna', '-json'])).holds).toEqual(
      expect.arrayContaining([
        { name: 'connections', value: 1, limit: 'a' },
        { name: 'inflight', value: 3, limit: expect.stringMatching(/^limit-/) },
        { name: 'sessions', value: 7, limit: 'rest' },
      ]),
    );
    expect(await tinymq(dataDir, ['limits', 'test', 'anonymous'])).toMatch(
      /^WHAT +AT MOST +BY LIMIT\nconnections +2 +rest\n/,
    );
    if (runs) {
      const { url } = brokers[0]!;
      const first = await login(url, 'anna');
      expect(await connackReason(url, 'anna')).toBe(QUOTA_EXCEEDED);
      await tinymq(dataDir, ['limits', 'remove', 'a']);
      expect(await connackReason(url, 'anna')).toBe(0);
      first.stream.destroy();
    } else {
      await tinymq(dataDir, ['limits', 'remove', 'a']);
    }
    expect(await failing(dataDir, ['limits', 'remove', 'a'])).toContain("there is no limit 'a'");
    for (const [args, code, said] of [
      [['inflght=3'], 2, "there is no limit of 'inflght'; did you mean inflight?"],
      [['inflight=three'], 2, "'inflight=three' is not NAME=VALUE"],
      [['inflight=1', 'inflight=2'], 2, 'inflight is said twice'],
      [['inflight=0'], 1, 'inflight is a whole number from 1'],
      [['inflight=1', '-id', 'rest'], 1, "there is a limit 'rest' already"],
    ] as const) {
      const result = await runTinymq(['limits', 'add', ...args, '-data-dir', dataDir]);
      expect(result, args.join(' ')).toMatchObject({ code, errors: expect.stringContaining(said) });
    }
  });

  it('are told what is wrong with what they want', async () => {
    const dataDir = newFolder();
    if (runs) await started(dataDir);
    for (const [args, input, said] of [
      [['users', 'add', 'a\nb', '-password-file', '-'], 'x', 'a control character'],
      [['users', 'add', 'anonymous', '-password-file', '-'], 'x', 'has a meaning in rules'],
      [['users', 'add', 'anna', '-password-file', '-'], '', 'the password is empty'],
      [
        ['acl', 'add', '-allow', 'publish', '-users', 'a', '-topics', 'a/#/b'],
        '',
        '# must be the whole last level',
      ],
      [['acl', 'add', '-deny', 'all', '-users', 'a', '-topics', 'a', '-before', 'x'], '', "no rule 'x'"],
    ] as const)
      expect(await failing(dataDir, [...args], input)).toContain(said);
  });
});

describe('the socket of the tools', () => {
  it('is for the owner only, replaces one of a dead broker, and goes with the broker', async () => {
    const dataDir = newFolder();
    mkdirSync(dataDir, { mode: 0o755 });
    const dead = createServer().listen(join(dataDir, 'tinymq.sock'));
    await new Promise((resolve) => dead.once('listening', resolve));
    dead.close();
    const broker = await started(dataDir);
    const socket = join(dataDir, 'tinymq.sock');
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(await new AdminClient(socketTransport(socket)).call(listUsers, {})).toEqual([]);
    await broker.close();
    expect(existsSync(socket)).toBe(false);
  });

  it('leaves alone what is no socket, and a living program', async () => {
    for (const inTheWay of ['file', 'program'] as const) {
      const dataDir = newFolder();
      mkdirSync(dataDir);
      const path = join(dataDir, 'tinymq.sock');
      const server = createServer((connection) => connection.end());
      if (inTheWay === 'file') writeFileSync(path, 'a diary');
      else await new Promise<void>((resolve) => server.listen(path, resolve));
      const warnings: object[] = [];
      const logger = {
        debug() {},
        info() {},
        warn: (fields: object) => void warnings.push(fields),
        error() {},
      };
      await started(dataDir, { logger });
      expect(warnings).toEqual([expect.objectContaining({ event: 'admin-socket', path })]);
      server.close();
    }
  });

  it('may have a longer path than sockets can have', async () => {
    const dataDir = join(newFolder(), 'long'.repeat(30));
    await started(dataDir);
    await addUser(dataDir, 'anna');
    expect(await tinymq(dataDir, ['users', 'list'])).toContain('anna');
  });

  it('answers nonsense with an error, and goes on', async () => {
    const dataDir = newFolder();
    await started(dataDir);
    const client = new AdminClient(socketTransport(join(dataDir, 'tinymq.sock')));
    const nonsense = (path: string, method: 'GET' | 'POST', input: object) =>
      client.call({ ...listUsers, path, method, body: {} } as typeof listUsers, input);
    await expect(nonsense('/nothing', 'POST', {})).rejects.toThrow('/nothing');
    await expect(nonsense('/users', 'POST', { name: 1 })).rejects.toThrow('must be string');
    await expect(nonsense('/users', 'POST', { name: 'a', extra: 1 })).rejects.toThrow(
      'additional properties',
    );
    await expect(nonsense('/rules', 'POST', { rule: { allow: 'x' } })).rejects.toThrow('x');
    expect(await client.call(listUsers, {})).toEqual([]);
  });
});

it('without broker and store the tools say so', async () => {
  const { code, errors } = await runTinymq(['users', 'list'], '', { TINYMQ_DATA_DIR: newFolder() });
  expect([code, errors]).toEqual([0, '']);
  const nowhere = await run(program('tinymq'), ['users', 'list'], { cwd: folder });
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain('no broker runs with ./data, and there is no store in it');
});

it('a store that a broker without a socket has is not touched', async () => {
  const dataDir = newFolder();
  await started(dataDir, { adminSocket: false, keep: [{ filter: 'a' }] });
  expect(await failing(dataDir, ['users', 'list'])).toContain(`${dataDir} is in use by another broker`);
});

describe('a user who is changed while connected', () => {
  it('is cut off with the reason, and the first user closes an open broker', async () => {
    const dataDir = newFolder();
    const { url } = await started(dataDir);
    const anybody = await connectMqtt(url, 5);
    await addUser(dataDir, 'anna', '-admin');
    expect((await anybody.next(PacketType.disconnect)).reasonCode).toBe(NOT_AUTHORIZED);
    const anna = await login(url, 'anna');
    await tinymq(dataDir, ['users', 'disable', 'anna']);
    expect((await anna.next(PacketType.disconnect)).reasonCode).toBe(NOT_AUTHORIZED);
    await tinymq(dataDir, ['users', 'remove', 'anna']);
    const nobody = await openMqtt(url, 5);
    expect((await nobody.connect()).reasonCode, 'it stays closed').toBe(NOT_AUTHORIZED);
  });
});

describe('a broker that is killed between a change and its answer', () => {
  // Whatever was answered lasts; what was not answered is there as a whole or not at all.
  it('has every change that was answered', async () => {
    const dataDir = newFolder();
    const args = ['-network', 'tcp', '-address', '127.0.0.1:0', '-data-dir', dataDir, '-quiet'];
    for (let round = 0; round < 3; round++) {
      const broker = start(program('broker'), args);
      const socket = join(dataDir, 'tinymq.sock');
      const client = new AdminClient(socketTransport(socket));
      await eventually(
        async () => (await client.call(listUsers, {}).catch(() => undefined)) !== undefined,
        'the socket',
      );
      const answered: string[] = [];
      const adding = (async () => {
        for (let count = 0; ; count++) {
          const name = `u${round}-${count}`;
          await client.call({ ...listUsers, method: 'POST', body: {} } as never, { name } as never);
          answered.push(name);
        }
      })().catch(() => {});
      await eventually(() => answered.length > 5 + round, 'some answers');
      broker.child.kill('SIGKILL');
      await Promise.all([broker.ended, adding]);
      const kept = (JSON.parse(await tinymq(dataDir, ['users', 'list', '-json'])) as { name: string }[]).map(
        ({ name }) => name,
      );
      expect(kept).toEqual(expect.arrayContaining(answered));
      expect(
        kept.filter((name) => name.startsWith(`u${round}-`)).length - answered.length,
      ).toBeLessThanOrEqual(1);
    }
  });
});

describe('passwords', () => {
  it('come from a file or the standard input, and never from an argument', async () => {
    const dataDir = newFolder();
    const file = join(folder, 'password.txt');
    writeFileSync(file, 'first line\r\nsecond\n');
    await tinymq(dataDir, ['users', 'add', 'anna', '-password-file', file, '-quiet']);
    const { code, errors } = await runTinymq(['users', 'add', 'ben', 'secret', '-data-dir', dataDir]);
    expect([code, errors.split(' (')[0]]).toEqual([
      2,
      "tinymq users add: unexpected argument 'secret' after NAME",
    ]);
    const piped = await runTinymq(['users', 'add', 'ben', '-data-dir', dataDir], 'x');
    expect([piped.code, piped.errors]).toEqual([2, expect.stringContaining('there is no terminal to ask')]);
    chmodSync(file, 0o600);
    const { url } = await started(dataDir);
    await login(url, 'anna', 'first line');
  });

  it('are hashed for a file of users, which a broker then takes', async () => {
    const hashed = await runTinymq(['users', 'hash', 'anna', '-password-file', '-'], 'secret');
    expect(hashed.code).toBe(0);
    expect(hashed.out).not.toContain('secret');
    const usersFile = join(folder, 'users.yaml');
    writeFileSync(usersFile, `users:\n${hashed.out}`);
    const broker = await startBroker({ listen: ['tcp://127.0.0.1:0'], usersFile });
    brokers.push(broker);
    await login(broker.url, 'anna', 'secret');
  });

  it('of another attempt are asked for on a terminal only', async () => {
    using program = startTinymq(['users', 'hash']);
    expect((await program.ended).code).toBe(2);
  });
});
