import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CertificateSet, makeCertificates } from '../certs/make.ts';
import { type Client, connect } from '../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../pkg/embed/index.ts';
import { program } from '../test/support/broker-process.ts';

/*
 * The programs as processes, as they were built, against brokers of this process.
 */

const VERSION = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  .version as string;

type Name = 'broker' | 'publisher' | 'subscriber';

interface Program {
  child: ChildProcess;
  /** What it wrote so far. */
  out(): string;
  errors(): string;
  ended: Promise<{ code: number | null; out: string; errors: string }>;
}

const running = new Set<ChildProcess>();

function start(name: Name, flags: string[], options: { env?: NodeJS.ProcessEnv } = {}): Program {
  const child = spawn(program(name), flags, { env: { PATH: process.env.PATH, ...options.env } });
  running.add(child);
  let out = '';
  let errors = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    return { code: code as number | null, out, errors };
  });
  return { child, out: () => out, errors: () => errors, ended };
}

/** Runs a program to its end; nothing comes from its standard input unless given. */
function run(name: Name, flags: string[], input = ''): Program['ended'] {
  const program = start(name, flags);
  program.child.stdin!.on('error', () => {}).end(input);
  return program.ended;
}

function until(condition: () => boolean | Promise<boolean>): Promise<true> {
  return vi.waitUntil(condition, { timeout: 50_000, interval: 5 }) as Promise<true>;
}

const folder = mkdtempSync(join(tmpdir(), 'tinymq-programs-'));
let certificates: CertificateSet;
let broker: RunningBroker;
let client: Client;
let at: string[];
let received: { topic: string; text: string; clientId: string }[];

beforeAll(async () => {
  certificates = await makeCertificates(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(async () => {
  broker = await startBroker({ listen: ['tcp://localhost:0'], channelSize: 1_000_000 });
  at = ['-address', broker.url.slice('tcp://'.length)];
  client = await connect(broker.url);
  received = [];
  await client.subscribe('#', (message) => {
    received.push({ topic: message.topic, text: message.text(), clientId: message.clientId });
  });
});

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await client.close();
  await broker.close();
});

/** Starts a subscriber and waits until the broker knows its filters. */
async function startSubscriber(flags: string[], filters = 1): Promise<Program> {
  const before = broker.stats().subscriptions;
  const program = start('subscriber', [...at, ...flags]);
  await until(() => broker.stats().subscriptions === before + filters);
  return program;
}

describe('every program', () => {
  it.each<Name>(['broker', 'publisher', 'subscriber'])(
    '%s has help, a version, and a code for wrong usage',
    async (name) => {
      const [help, version, wrong, file] = await Promise.all([
        run(name, ['-help']),
        run(name, ['-version']),
        run(name, ['-no-such-flag']),
        run(name, ['-config', '/nowhere.json']),
      ]);
      expect(help).toMatchObject({ code: 0, errors: '' });
      expect(help.out).toContain('-config FILE');
      expect(version).toEqual({ code: 0, out: `${name} ${VERSION}\n`, errors: '' });
      expect(wrong).toEqual({
        code: 2,
        out: '',
        errors: `${name}: unknown flag '-no-such-flag' (see ${name} -help)\n`,
      });
      expect(file).toMatchObject({
        code: 2,
        errors: `${name}: cannot read /nowhere.json: no such file or folder (see ${name} -help)\n`,
      });
    },
  );

  it.each<[Name, string[]]>([
    ['publisher', ['-topic', 'a', '-message', 'x']],
    ['publisher', ['-topic', 'a', '-message', 'x', '-interval', '1']],
    ['subscriber', ['-topic', 'a']],
  ])('%s %j says in one line that there is no broker', async (name, flags) => {
    const { port, close } = await takenPort();
    await close();
    expect(await run(name, ['-address', `localhost:${port}`, ...flags])).toEqual({
      code: 1,
      out: '',
      errors: `${name}: cannot connect to tcp://localhost:${port}: connection refused\n`,
    });
  });

  it.each<[Name, string[]]>([
    ['publisher', ['-topic', 'a', '-message', 'x']],
    ['subscriber', ['-topic', 'a']],
  ])('%s gives up after -connect-timeout', async (name, flags) => {
    const { port, close } = await takenPort();
    const ended = await run(name, ['-address', `localhost:${port}`, '-connect-timeout', '0.2', ...flags]);
    expect(ended).toMatchObject({
      code: 1,
      errors: `${name}: tcp://localhost:${port} did not let the client in within 200 ms\n`,
    });
    await close();
  });

  it.each<[Name, string[], string]>([
    ['publisher', ['-message', 'x'], '-topic is missing: where to publish'],
    [
      'publisher',
      ['-topic', 'a'],
      'say what to publish by one of -message, -file, -stdin, -stdin-lines and -null',
    ],
    ['publisher', ['-topic', 'a', '-message', 'x', '-id', ''], 'a client id is 1 to 65535 bytes without NUL'],
    [
      'publisher',
      ['-topic', 'a', '-message', 'x', '-address', 'a:b'],
      "'a:b' is not an address: an address is host:port",
    ],
    ['subscriber', [], '-topic is missing: what to subscribe to'],
    [
      'subscriber',
      ['-topic', 'a', '-raw', '-json'],
      '-format, -mosquitto-format, -verbose, -raw and -json do not go together',
    ],
    ['subscriber', ['-topic', 'a', '-tls-cert', 'x'], '-tls-cert and -tls-key belong together'],
    [
      'subscriber',
      ['-topic', 'a', '-tls-ca', '/nowhere'],
      '-tls-ca: cannot read /nowhere: no such file or folder',
    ],
    [
      'subscriber',
      ['-topic', 'a', '-tls-insecure', '-network', 'unix'],
      '-tls flags and a unix socket do not go together',
    ],
  ])('%s %j is wrong usage', async (name, flags, message) => {
    expect(await run(name, flags)).toEqual({
      code: 2,
      out: '',
      errors: `${name}: ${message} (see ${name} -help)\n`,
    });
  });

  it('takes options from the environment and from a file', async () => {
    const config = join(folder, 'publisher.json');
    writeFileSync(config, JSON.stringify({ message: 'from the file', topic: 'from/file', quiet: true }));
    const program = start('publisher', [...at, '-config', config], {
      env: { TINYMQ_TOPIC: 'from/variable' },
    });
    expect(await program.ended).toEqual({ code: 0, out: '', errors: '' });
    await until(() => received.length > 0);
    expect(received).toMatchObject([{ topic: 'from/variable', text: 'from the file' }]);
  });
});

describe('publisher', () => {
  it('publishes a message and ends', async () => {
    const ended = await run('publisher', [
      ...at,
      '-topic',
      'sensors/temp',
      '-message',
      '22.5',
      '-id',
      'kitchen',
    ]);
    expect(ended).toEqual({ code: 0, out: 'Published to sensors/temp: 22.5\n', errors: '' });
    await until(() => received.length > 0);
    expect(received).toEqual([{ topic: 'sensors/temp', text: '22.5', clientId: 'kitchen' }]);
  });

  it('publishes -count messages, all of which have arrived when it ends', async () => {
    const flags = ['-topic', 'a', '-message', '0123456789abcdef', '-count', '200000', '-quiet'];
    expect(await run('publisher', [...at, ...flags])).toEqual({ code: 0, out: '', errors: '' });
    expect(broker.stats().messages_received_total).toBe(200_000);
    await until(() => received.length === 200_000);
  });

  it('repeats a message with -interval until -count', async () => {
    const ended = await run('publisher', [
      ...at,
      '-topic',
      'a',
      '-message',
      'x',
      '-interval',
      '10ms',
      '-count',
      '3',
    ]);
    expect(ended.out).toBe('Published to a: x\n'.repeat(3));
  });

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])(
    'repeats a message until %s, which is a normal end',
    async (signal) => {
      const program = start('publisher', [...at, '-topic', 'a', '-message', 'x', '-interval', '0.01']);
      await until(() => received.length >= 2);
      program.child.kill(signal);
      expect(await program.ended).toMatchObject({ code: 0, errors: '' });
    },
  );

  it('publishes a file and the standard input as they are', async () => {
    const file = join(folder, 'payload');
    writeFileSync(file, 'a\nb\n');
    expect((await run('publisher', [...at, '-topic', 'a', '-file', file])).out).toBe(
      'Published to a: a\\nb\\n\n',
    );
    await run('publisher', [...at, '-topic', 'b', '-file', '-'], 'c\nd\n');
    await until(() => received.length === 2);
    expect(received).toMatchObject([{ text: 'a\nb\n' }, { text: 'c\nd\n' }]);
  });

  it('publishes the lines of an input as they come', async () => {
    const program = start('publisher', [...at, '-topic', 'a', '-stdin-lines']);
    program.child.stdin!.write('one\ntw');
    await until(() => received.length === 1);
    program.child.stdin!.end('o\n');
    expect(await program.ended).toMatchObject({ code: 0, out: 'Published to a: one\nPublished to a: two\n' });
    await until(() => received.length === 2);
  });

  it('ends on SIGINT while it waits for its input', async () => {
    const program = start('publisher', [...at, '-topic', 'a', '-stdin-lines']);
    await until(() => broker.stats().clients === 2);
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, out: '', errors: '' });
  });

  it('shows the beginning of a long payload', async () => {
    const { out } = await run('publisher', [...at, '-topic', 'a', '-message', 'ü'.repeat(500)]);
    expect(Buffer.from(out, 'latin1').toString()).toBe(`Published to a: ${'ü'.repeat(128)}… (1000 bytes)\n`);
  });

  it('prints objects with -json', async () => {
    const { out } = await run('publisher', [...at, '-topic', 'a', '-message', 'x', '-json']);
    expect(JSON.parse(out)).toEqual({ topic: 'a', payload: 'x', time: expect.any(String) });
  });

  it('prints rates instead of messages with -stats', async () => {
    const { out, errors } = await run('publisher', [
      ...at,
      '-topic',
      'a',
      '-message',
      'x',
      '-count',
      '5',
      '-stats',
    ]);
    expect(out).toBe('');
    expect(errors).toMatch(/^5 messages published in \d+\.\d s, [\d,]+ a second\n$/m);
  });

  it('fails with one line where the broker refuses a message', async () => {
    await using small = await startBroker({ listen: ['tcp://localhost:0'], maxMessageBytes: 10 });
    const address = small.url.slice('tcp://'.length);
    const flags = ['-address', address, '-topic', 'a', '-message', 'more than ten bytes', '-quiet'];
    expect(await run('publisher', flags)).toEqual({
      code: 1,
      out: '',
      errors: 'publisher: message-too-large: payload of 19 bytes; at most 10 are accepted\n',
    });
  });

  it('reconnects, says so, and goes on', async () => {
    const flags = [...at, '-topic', 'a', '-message', 'x', '-interval', '0.01'];
    const program = start('publisher', flags);
    await until(() => received.length > 0);
    const { url } = broker;
    await client.close();
    await broker.close();
    await until(() => program.errors().includes('; trying again in 0.'));
    broker = await startBroker({ listen: [url] });
    await until(() => program.errors().includes('publisher: connected again\n'));
    await until(() => broker.stats().messages_received_total > 0);
    program.child.kill('SIGINT');
    expect((await program.ended).code).toBe(0);
  });

  it('says what waits while the broker is away, and when that was sent', async () => {
    const flags = [...at, '-topic', 'a', '-message', 'x', '-interval', '0.01'];
    const program = start('publisher', flags);
    await until(() => received.length > 0);
    const { url } = broker;
    await client.close();
    await broker.close();
    await until(() => program.out().includes('Waiting to be published to a: x\n'));
    broker = await startBroker({ listen: [url] });
    await until(() => /^Published \d+ that waited$/m.test(program.out()));
    await until(() => /that waited\nPublished to a: x\n/.test(program.out()));
    program.child.kill('SIGINT');
    expect((await program.ended).code).toBe(0);
  });

  it('says that the other side speaks MQTT, which it does not', async () => {
    const server = createServer((socket) => {
      // As mosquitto does: CONNACK for an MQTT client, the end of the connection for anybody else.
      socket.on('error', () => {});
      socket.on('data', (bytes) => (bytes[0] === 0x10 ? socket.write('\x20\x02\0\0') : socket.destroy()));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, errors } = await run('publisher', [
      '-address',
      `127.0.0.1:${port}`,
      '-topic',
      'a',
      '-message',
      'x',
    ]);
    server.close();
    expect(code).toBe(1);
    expect(errors).toMatch(
      /^publisher: [^\n]+; an MQTT broker is there that does not speak [^\n]+mosquitto_pub[^\n]+\n$/,
    );
  });

  // A pipe waited for ever for a broker that did not come back, with -quiet without a word.
  it('gives up a pipe when the broker is away for longer than -timeout, and says what was not sent', async () => {
    const flags = ['-topic', 'a', '-stdin-lines', '-timeout', '0.5', '-quiet'];
    const program = start('publisher', [...at, ...flags]);
    program.child.stdin!.write('one\n');
    await until(() => received.length > 0);
    await client.close();
    await broker.close();
    program.child.stdin!.write('two\nthree\n');
    const { code, errors } = await program.ended;
    expect(errors).toMatch(/^publisher: the broker was away for 0\.5 s(: 2 messages were not sent)?\n$/);
    expect(code).toBe(1);
  });

  it('goes on where the broker is back before -timeout', async () => {
    const program = start('publisher', [...at, '-topic', 'a', '-stdin-lines', '-timeout', '30']);
    program.child.stdin!.write('one\n');
    await until(() => received.length > 0);
    const { url } = broker;
    await client.close();
    await broker.close();
    await until(() => program.errors().includes('; trying again '));
    broker = await startBroker({ listen: [url] });
    await until(() => program.errors().includes('publisher: connected again\n'));
    program.child.stdin!.write('two\n');
    await until(() => program.out().includes('Published to a: two\n'));
    program.child.kill('SIGINT');
    expect((await program.ended).code).toBe(0);
  });

  it('says what was not sent where it is stopped while the broker is away', async () => {
    const program = start('publisher', [...at, '-topic', 'a', '-message', 'x', '-interval', '0.01']);
    await until(() => received.length > 0);
    await client.close();
    await broker.close();
    await until(() => program.errors().includes('; trying again in '));
    const before = program.out().length;
    await until(() => program.out().length > before);
    program.child.kill('SIGINT');
    const { code, errors } = await program.ended;
    expect(errors).toMatch(
      /\npublisher: stopped while the broker was away: \d+ messages? w(as|ere) not sent\n$/,
    );
    expect(code).toBe(1);
  });

  it('ends with one line when nobody reads its output any more', async () => {
    const program = start('publisher', [...at, '-topic', 'a', '-message', 'x', '-interval', '1ms']);
    await until(() => program.out() !== '');
    program.child.stdout!.destroy();
    expect(await program.ended).toMatchObject({
      code: 1,
      errors: 'publisher: cannot write to the standard output: nobody reads it any more\n',
    });
  });
});

describe('subscriber', () => {
  it('prints messages and ends after -count', async () => {
    const program = await startSubscriber(['-topic', 'sensors/#', '-count', '2']);
    client.publish('sensors/temp', '22.5');
    client.publish('elsewhere', 'x');
    client.publish('sensors', '\u001b[2J\n');
    client.publish('sensors/temp', 'one too many');
    expect(await program.ended).toEqual({
      code: 0,
      out: 'Received on sensors/temp: 22.5\nReceived on sensors: \\x1b[2J\\n\n',
      errors: '',
    });
  });

  it('takes several filters and prints a message that matches two of them once', async () => {
    const program = await startSubscriber(
      ['-topic', 'a/#', '-topic', 'a/b', '-topic', 'c', '-count', '2'],
      3,
    );
    client.publish('a/b', '1');
    client.publish('c', '2');
    expect((await program.ended).out).toBe('Received on a/b: 1\nReceived on c: 2\n');
  });

  it('prints only topics that -match', async () => {
    const program = await startSubscriber(['-topic', '#', '-match', '**/temp-{1..3}', '-count', '2']);
    for (const topic of ['a/temp-4', 'a/temp-1', 'b/c/temp-3', 'temp']) client.publish(topic, 'x');
    expect((await program.ended).out).toBe('Received on a/temp-1: x\nReceived on b/c/temp-3: x\n');
  });

  it.each<[string[], string]>([
    [['-format', '%i %t %p %l %x'], 'me a x 1 78\n'],
    [['-raw'], '\xff\x00x'],
    [['-stats', '-quiet'], ''],
  ])('prints as %j says', async (flags, out) => {
    await using me = await connect(broker.url, { clientId: 'me' });
    const count = flags[0] === '-raw' ? '2' : '1';
    const program = await startSubscriber(['-topic', 'a', '-count', count, ...flags]);
    if (flags[0] === '-raw') me.publish('a', Uint8Array.of(0xff, 0));
    me.publish('a', 'x');
    const ended = await program.ended;
    expect(ended).toMatchObject({ code: 0, out });
    if (flags[0] === '-stats') expect(ended.errors).toMatch(/^1 messages received in /m);
  });

  it('prints objects with -json', async () => {
    const program = await startSubscriber(['-topic', 'a', '-json', '-count', '2']);
    client.publish('a', 'ü');
    client.publish('a', Uint8Array.of(0xff));
    const lines = Buffer.from((await program.ended).out, 'latin1')
      .toString()
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { topic: 'a', payload: 'ü', clientId: client.clientId, time: expect.any(String) },
      {
        topic: 'a',
        payload: '/w==',
        encoding: 'base64',
        clientId: client.clientId,
        time: expect.any(String),
      },
    ]);
  });

  it('ends after -timeout without a message: done without -count, failed with it', async () => {
    const [open, short] = await Promise.all([
      run('subscriber', [...at, '-topic', 'a', '-timeout', '0.2']),
      run('subscriber', [...at, '-topic', 'a', '-timeout', '200ms', '-count', '1']),
    ]);
    expect(open).toEqual({ code: 0, out: '', errors: '' });
    expect(short).toEqual({
      code: 1,
      out: '',
      errors: 'subscriber: 0 of 1 messages came before the -timeout\n',
    });
  });

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])('ends cleanly on %s', async (signal) => {
    const program = await startSubscriber(['-topic', 'a']);
    client.publish('a', 'x');
    await until(() => program.out() !== '');
    program.child.kill(signal);
    expect(await program.ended).toEqual({ code: 0, out: 'Received on a: x\n', errors: '' });
  });

  it('ends when another client takes its -id, and says so', async () => {
    const program = await startSubscriber(['-topic', 'a', '-id', 'me']);
    await using _me = await connect(broker.url, { clientId: 'me' });
    const { code, errors } = await program.ended;
    expect(errors).toMatch(/^subscriber: taken-over: [^\n]+\n$/);
    expect(code).toBe(1);
  });

  it('reconnects, says so unless -quiet, and is subscribed again', async () => {
    const loud = await startSubscriber(['-topic', 'a', '-count', '1']);
    const quiet = await startSubscriber(['-topic', 'a', '-count', '1', '-quiet']);
    const { url } = broker;
    await client.close();
    await broker.close();
    await until(() => loud.errors().includes('; trying again in 0.'));
    broker = await startBroker({ listen: [url] });
    await until(() => broker.stats().subscriptions === 2);
    client = await connect(broker.url);
    client.publish('a', 'x');
    expect(await quiet.ended).toEqual({ code: 0, out: 'Received on a: x\n', errors: '' });
    const { code, errors } = await loud.ended;
    expect(code).toBe(0);
    expect(errors).toContain('subscriber: connected again\n');
  });

  it('stops reading while nobody reads its output, and loses nothing', async () => {
    // The broker has room for all of it: what one subscriber may have is an eighth of the total.
    await using roomy = await startBroker({
      listen: ['tcp://localhost:0'],
      channelSize: 1_000_000,
      channelBytes: 1024 ** 3,
      channelTotalBytes: 8 * 1024 ** 3,
    });
    const address = roomy.url.slice('tcp://'.length);
    const program = start('subscriber', ['-address', address, '-topic', 'a', '-raw', '-count', '1000']);
    await until(() => roomy.stats().subscriptions === 1);
    program.child.stdout!.pause();
    const before = residentBytes(program);
    await using publisher = await connect(roomy.url);
    const payload = new Uint8Array(128 * 1024).fill(0x78);
    for (let sent = 0; sent < 1_000; sent++) await publisher.publish('a', payload);
    await publisher.ping();
    expect(residentBytes(program) - before).toBeLessThan(64 * 1024 ** 2);
    program.child.stdout!.resume();
    const { code, out } = await program.ended;
    expect(code).toBe(0);
    expect(out.length).toBe(1_000 * payload.length);
  });

  it('ends with one line when nobody reads its output any more', async () => {
    const program = await startSubscriber(['-topic', 'a']);
    program.child.stdout!.destroy();
    for (let sent = 0; sent < 10; sent++) client.publish('a', 'x');
    expect(await program.ended).toMatchObject({
      code: 1,
      errors: 'subscriber: cannot write to the standard output: nobody reads it any more\n',
    });
  });
});

describe('connections', () => {
  async function roundTrip(flags: string[]): Promise<void> {
    const subscriber = start('subscriber', [...flags, '-topic', 'a', '-count', '1']);
    const publish = () => run('publisher', [...flags, '-topic', 'a', '-message', 'x', '-quiet']);
    const isOver = subscriber.ended.then(() => true);
    // It does not say when it is subscribed, so a message may come too early.
    for (;;) {
      const { code, errors } = await publish();
      expect({ code, errors }).toEqual({ code: 0, errors: '' });
      if (await Promise.race([isOver, new Promise((resolve) => setImmediate(() => resolve(false)))])) break;
    }
    expect(await subscriber.ended).toEqual({ code: 0, out: 'Received on a: x\n', errors: '' });
  }

  function failed(flags: string[]): Promise<{ code: number | null; errors: string }> {
    return run('publisher', [...flags, '-topic', 'a', '-message', 'x', '-quiet']);
  }

  it('over a unix socket and over WebSocket', async () => {
    const path = join(folder, 'broker.sock');
    await using other = await startBroker({ listen: [`unix://${path}`, 'ws://localhost:0'] });
    await roundTrip(['-network', 'unix', '-address', path]);
    await roundTrip(['-network', 'ws', '-address', other.listeners[1].url.slice('ws://'.length)]);
  });

  it('over TLS, for which any -tls flag is enough', async () => {
    const { ca, serverCert, serverKey } = certificates;
    await using secure = await startBroker({
      listen: ['tls://localhost:0', 'wss://localhost:0'],
      tls: { certFile: serverCert, keyFile: serverKey },
    });
    const [tls, wss] = secure.listeners.map(({ url }) => url.replace(/^[a-z]+:\/\//, ''));
    await roundTrip(['-address', tls, '-tls-ca', ca]);
    await roundTrip(['-network', 'wss', '-address', wss, '-tls-ca', ca]);
    await roundTrip(['-address', tls, '-tls-insecure']);
    await roundTrip(['-address', tls, '-tls-ca', ca, '-tls-server-name', 'localhost']);
    const unknown = await failed(['-network', 'tls', '-address', tls]);
    expect(unknown).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^publisher: cannot connect to [^\n]+\n$/),
    });
    const misnamed = await failed(['-address', tls, '-tls-ca', ca, '-tls-server-name', 'elsewhere']);
    expect(misnamed).toMatchObject({ code: 1, errors: expect.stringContaining('elsewhere') });
  });

  it('over mutual TLS', async () => {
    const { ca, serverCert, serverKey, clientCert, clientKey } = certificates;
    await using secure = await startBroker({
      listen: ['tls://localhost:0'],
      tls: { certFile: serverCert, keyFile: serverKey, caFile: ca },
    });
    const flags = ['-address', secure.url.slice('tls://'.length), '-tls-ca', ca];
    await roundTrip([...flags, '-tls-cert', clientCert, '-tls-key', clientKey]);
    expect((await failed(flags)).code).toBe(1);
  });
});

describe('broker', () => {
  async function startReady(flags: string[]): Promise<Program & { urls: string[] }> {
    const program = start('broker', [...flags, '-json']);
    await Promise.race([until(() => program.out().includes('\n')), program.ended]);
    expect(program.out(), program.errors()).not.toBe('');
    return { ...program, urls: JSON.parse(program.out()).listeners };
  }

  it('says what listens and what to type next, and ends cleanly on SIGTERM', async () => {
    const program = start('broker', ['-address', 'localhost:0']);
    await until(() => program.out().includes('Ctrl-C'));
    const [, address] = /^ {2}tcp:\/\/(localhost:\d+)$/m.exec(program.out())!;
    expect(program.out()).toContain(`tinymq ${VERSION} is listening on`);
    expect(program.out()).toContain(`subscriber -address ${address} -topic 'sensors/#'`);
    await using there = await connect(`tcp://${address}`);
    await there.ping();
    program.child.kill('SIGTERM');
    expect((await program.ended).code).toBe(0);
  });

  it('opens several listeners, and a unix socket with its mode', async () => {
    const path = join(folder, 'with-mode.sock');
    const program = await startReady(['-listen', `unix://${path},ws://localhost:0`, '-socket-mode', '0600']);
    expect(program.urls).toEqual([`unix://${path}`, expect.stringMatching(/^ws:\/\/localhost:\d+$/)]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const url of program.urls) await (await connect(url)).close();
    program.child.kill('SIGINT');
    expect((await program.ended).code).toBe(0);
  });

  it('fails with one line where a named port is taken', async () => {
    const { port, close } = await takenPort();
    expect(await run('broker', ['-address', `localhost:${port}`])).toEqual({
      code: 1,
      out: '',
      errors: `broker: cannot listen on tcp://localhost:${port}: the port is taken by another program\n`,
    });
    await close();
  });

  it('fails with one line where the certificate cannot be read', async () => {
    const { code, out, errors } = await run('broker', [
      '-address',
      ':0',
      '-tls-cert',
      '/nowhere',
      '-tls-key',
      '/nowhere',
    ]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(errors).toMatch(/^broker: [^\n]*\/nowhere[^\n]*\n$/);
  });

  it('prints nothing with -quiet', async () => {
    const path = join(folder, 'quiet.sock');
    const program = start('broker', ['-network', 'unix', '-address', path, '-quiet', '-log-level', 'error']);
    // The file is there a moment before somebody listens.
    await until(async () => {
      const client = await connect(`unix://${path}`).catch(() => undefined);
      await client?.close();
      return client !== undefined;
    });
    program.child.kill('SIGTERM');
    expect(await program.ended).toEqual({ code: 0, out: '', errors: '' });
  });

  it('logs what -log-level and -log-format say, and the rates with -stats', async () => {
    const [json, pretty] = await Promise.all([
      startReady(['-address', 'localhost:0', '-log-level', 'debug', '-stats', '0.1']),
      startReady(['-address', 'localhost:0', '-log-format', 'pretty', '-stats', '0.1']),
    ]);
    const there = await connect(json.urls[0], { clientId: 'me' });
    there.publish('a', 'x');
    await until(() => json.errors().includes('"received":1'));
    await until(() => / info {2}rates {2}clients=0/.test(pretty.errors()));
    await there.close();
    for (const program of [json, pretty]) program.child.kill('SIGTERM');
    await Promise.all([json.ended, pretty.ended]);
    const lines = json
      .errors()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    // Debug tells who comes and goes.
    expect(lines.some(({ level, client }) => level === 'debug' && client === 'me')).toBe(true);
    expect(pretty.errors()).not.toContain('{');
    expect(pretty.errors()).not.toContain('\u001b');
  });

  it('goes on when nobody reads its log any more', async () => {
    const program = await startReady(['-address', 'localhost:0', '-log-level', 'debug']);
    program.child.stderr!.destroy();
    // Each of them is logged when it comes and when it goes.
    for (let clients = 0; clients < 5; clients++) await (await connect(program.urls[0])).close();
    program.child.kill('SIGTERM');
    expect((await program.ended).code).toBe(0);
  });

  it('ends at once on a second signal', async () => {
    const flags = ['-address', 'localhost:0', '-shutdown-timeout', '1h', '-channel-bytes', '1GiB'];
    const program = await startReady(flags);
    const url = program.urls[0];
    await using reader = await connect(url, { reconnect: false });
    await reader.subscribe('a', () => {});
    reader.pause();
    await using writer = await connect(url, { reconnect: false });
    // More than the sockets take, so that the stop has something to wait for.
    for (let sent = 0; sent < 32; sent++) await writer.publish('a', new Uint8Array(1024 * 1024));
    await writer.ping();
    program.child.kill('SIGTERM');
    await until(() => program.errors().includes('stopping'));
    program.child.kill('SIGTERM');
    expect((await program.ended).code).toBe(1);
  });
});

/** What a program holds in memory; a system without /proc does not tell. */
function residentBytes({ child }: Program): number {
  const file = `/proc/${child.pid}/status`;
  if (!existsSync(file)) return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, 'utf8'))![1]) * 1024;
}

async function takenPort(): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
