import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { program, type Running, run, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tinymq-config-'));
const started: Running[] = [];
afterAll(() => {
  for (const { child } of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Starts a broker, and waits until it listens. */
async function startBroker(...args: string[]): Promise<Running> {
  const running = start(program('broker'), [...args], { cwd: folder });
  started.push(running);
  await eventually(() => {
    if (running.child.exitCode !== null) throw new Error(running.stderr());
    return running.stdout().includes('Ctrl-C');
  }, 'the banner');
  return running;
}

async function stopped({ child, ended }: Running): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}

describe('docs/configuration.md', () => {
  const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
  const example = /```yaml\n(.*?)```/s.exec(page)![1];

  it('has an example that a broker starts with', async () => {
    const { serverCert, serverKey } = await makeCertificates(folder);
    writeFileSync(
      join(folder, 'users.yaml'),
      'rules:\n  - {allow: [publish, subscribe], users: "*", topics: "#"}\n',
    );
    const content = example
      .replaceAll(/:(1883|8883|8083|9092|8080)\b/g, ':0')
      .replaceAll('//:', '//localhost:')
      .replace('server.crt', serverCert)
      .replace('server.key', serverKey);
    writeFileSync(join(folder, 'example.yaml'), content);
    const broker = await startBroker('-config', 'example.yaml');
    for (const url of ['tcp://localhost:', 'tls://localhost:', 'ws://localhost:', 'https://localhost:'])
      expect(broker.stdout()).toContain(url);
    const { out } = await runTinymq([
      'config',
      'show',
      '-only-given',
      '-json',
      '-data-dir',
      join(folder, 'data'),
    ]);
    const { settings } = JSON.parse(out);
    expect(settings).toContainEqual({
      ...{ name: 'keep.topics', flag: 'keep', value: ['sensors/#', 'alarms/#=ALARMS'] },
      ...{ from: 'file', at: 'example.yaml:18:3', isLive: false },
    });
    expect(settings).toContainEqual(
      expect.objectContaining({ name: 'log.level', value: 'warn', isLive: true }),
    );
    await stopped(broker);
  });

  it('has faults as the broker tells them', async () => {
    writeFileSync(
      join(folder, 'tinymq.yaml'),
      '# a\n\nmax-mesage: 1\nkafka:\n  partitons: 1\n\n\nkeep:\n  for: soon\n',
    );
    const { stderr, code } = await run(program('broker'), ['-config', 'tinymq.yaml'], { cwd: folder });
    expect(page).toContain(`\`\`\`\n${stderr}\`\`\``);
    expect(code).toBe(2);
  });
});

describe('tinymq config', () => {
  it('shows of a file what would hold, by flag, environment, file and default, without secrets', async () => {
    const file = join(folder, 'show.yaml');
    writeFileSync(
      file,
      'max-clients: 5\nkeep-for: 1h\njwt: {keys: "https://me:secret@example.com/?token=secret"}\n',
    );
    const { code, out } = await runTinymq(['config', 'show', file], '', { TINYMQ_MAX_CLIENTS: '7' });
    expect(code).toBe(0);
    const rows = Object.fromEntries(
      out.split('\n').map((line) => [line.split(/ +/)[0], line.split(/ +/).slice(1)]),
    );
    expect(rows['max-clients']).toEqual(['7', 'TINYMQ_MAX_CLIENTS']);
    expect(rows['keep.for']).toEqual(['1h', `${file}:2:1`]);
    expect(rows['keep.bytes']).toEqual(['0', 'default']);
    expect(rows['kafka.listen']).toEqual(['-', 'default']);
    expect(out).not.toContain('secret');
  });

  it('checks a file with 0, 1 and 2, as broker config check does', async () => {
    const file = join(folder, 'check.yaml');
    writeFileSync(file, 'listen: mqtt://localhost:0\nmemory: true\n');
    expect(await runTinymq(['config', 'check', file])).toMatchObject({ code: 0, errors: '' });
    writeFileSync(file, 'lissen: mqtt://localhost:0\nmemori: true\n');
    const { code, errors } = await runTinymq(['config', 'check', file]);
    expect([code, errors.split('\n').length]).toEqual([1, 3]);
    expect((await runTinymq(['config', 'check', join(folder, 'none.yaml')])).code).toBe(2);
    expect((await runTinymq(['config', 'check'])).code).toBe(2);
    const asBroker = await run(program('broker'), ['config', 'check', file, '-json']);
    expect([asBroker.code, JSON.parse(asBroker.stdout).problems.length]).toEqual([1, 2]);
  });

  it('prints the schema that is in the package', async () => {
    const { out } = await runTinymq(['config', 'schema']);
    expect(out).toBe(readFileSync(join(ROOT, 'docs/tinymq.schema.json'), 'utf8'));
  });
});

/** Debian's package mosquitto. */
const hasMosquitto = spawnSync('mosquitto', ['-h']).error === undefined;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.runIf(hasMosquitto)('a mosquitto.conf, and what is made of it', () => {
  it('are the same to clients of mosquitto', async () => {
    const home = join(folder, 'migrated');
    mkdirSync(join(home, 'conf.d'), { recursive: true });
    const { serverCert, serverKey, ca } = await makeCertificates(join(home, 'certs'));
    const [plain, secure] = [await freePort(), await freePort()];
    const socket = join(home, 'mq.sock');
    const passwords = join(home, 'passwd');
    writeFileSync(passwords, '', { mode: 0o600 });
    for (const user of ['anna', 'ben']) spawnSync('mosquitto_passwd', ['-b', passwords, user, `of ${user}`]);
    writeFileSync(
      join(home, 'acl'),
      'topic read news/#\nuser anna\ntopic readwrite house/#\ntopic write news/#\npattern readwrite own/%u/#\n',
      { mode: 0o600 },
    );
    writeFileSync(join(home, 'conf.d/size.conf'), 'message_size_limit 2000\n');
    const conf = join(home, 'mosquitto.conf');
    writeFileSync(
      conf,
      `listener ${plain} 127.0.0.1
listener 0 ${socket}
listener ${secure} 127.0.0.1
certfile ${serverCert}
keyfile ${serverKey}
password_file ${passwords}
acl_file ${join(home, 'acl')}
allow_anonymous true
user root
include_dir ${join(home, 'conf.d')}
`,
    );
    const at = ['-h', '127.0.0.1', '-p', String(plain)];
    const login = (user: string, password = `of ${user}`) => ['-u', user, '-P', password];
    /** What clients are told and get. */
    const probe = async (): Promise<unknown[]> => {
      const pub = (...args: string[]) => run('mosquitto_pub', ['-q', '1', '-V', '5', ...args]);
      const sub = (...args: string[]) => run('mosquitto_sub', ['-W', '2', '-F', '%t %p', ...args]);
      const found: unknown[] = [];
      found.push((await pub(...at, ...login('anna', 'wrong'), '-t', 'house/a', '-m', 'x')).code === 0);
      found.push((await pub(...at, ...login('nobody', 'x'), '-t', 'house/a', '-m', 'x')).code === 0);
      await pub(...at, ...login('anna'), '-t', 'house/a', '-m', 'on', '-r');
      await pub(...at, ...login('anna'), '-t', 'news/a', '-m', 'new', '-r');
      await pub(...at, ...login('anna'), '-t', 'own/anna/a', '-m', 'hers', '-r');
      await pub(...at, ...login('ben'), '-t', 'house/b', '-m', 'not allowed', '-r');
      await pub(...at, ...login('ben'), '-t', 'own/anna/b', '-m', 'not allowed', '-r');
      await pub(...at, '-t', 'news/b', '-m', 'not allowed', '-r');
      await pub(...at, ...login('anna'), '-t', 'house/large', '-m', 'x'.repeat(3_000), '-r');
      await pub('--unix', socket, ...login('anna'), '-t', 'house/unix', '-m', 'by a socket', '-r');
      const tls = ['-h', 'localhost', '-p', String(secure), '--cafile', ca];
      await pub(...tls, ...login('anna'), '-t', 'house/tls', '-m', 'by TLS', '-r');
      for (const user of ['anna', 'ben']) {
        const { stdout } = await sub(...at, ...login(user), '-t', '#');
        found.push([user, stdout.split('\n').sort()]);
      }
      const { stdout } = await sub(...at, '-t', 'news/#', '-t', 'house/#');
      found.push(['anonymous', stdout.split('\n').sort()]);
      return found;
    };
    const original = start('mosquitto', ['-c', conf]);
    started.push(original);
    await eventually(
      async () =>
        (await run('mosquitto_pub', [...at, ...login('anna'), '-t', 'house/z', '-m', 'x'])).code === 0,
      'mosquitto',
    );
    const wanted = await probe();
    await stopped(original);
    const output = join(home, 'tinymq.yaml');
    const migrated = await runTinymq(['config', 'migrate', conf, '-output', output]);
    expect(migrated).toMatchObject({
      code: 0,
      errors: expect.stringContaining('user: the broker does not change its user'),
    });
    const broker = await startBroker('-config', output);
    const found = await probe();
    await stopped(broker);
    expect(found).toEqual(wanted);
    expect(found).toEqual([
      ...[false, false],
      ['anna', ['', 'house/a on', 'house/tls by TLS', 'house/unix by a socket', 'own/anna/a hers']],
      ['ben', ['']],
      ['anonymous', ['', 'news/a new']],
    ]);
  });
});
