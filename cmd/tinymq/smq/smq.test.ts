import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { makeCertificates } from '../../../certs/make.ts';
import { type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { runTinymq, startTinymq } from '../../../test/support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-smq-'));
let broker: RunningBroker;
let at: string[];

beforeAll(async () => {
  broker = await startBroker({ memory: true, grpc: { listen: ['tcp://127.0.0.1:0'] } });
  at = ['-address', new URL(broker.url).host];
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

function smq(args: string[], input: string | Uint8Array = '') {
  return runTinymq(['smq', ...args, ...at], input);
}

/** What a command prints that has to succeed. */
async function printed(args: string[], input: string | Uint8Array = '') {
  const { code, out, errors } = await smq(args, input);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return out;
}

async function topicWith(topic: string, ...messages: string[]): Promise<void> {
  await printed(['topics', 'create', topic]);
  if (messages.length > 0) await printed(['produce', topic], messages.join('\n'));
}

function until(condition: () => boolean): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 50_000 });
}

describe('tinymq smq topics', () => {
  it('creates topics, tells what they hold, and deletes of it', async () => {
    expect(await printed(['topics', 'create', 'held', 'empty', 'held'])).toBe(
      'Topic held is there.\nTopic empty is there.\n',
    );
    expect(await printed(['topics', 'create', 'held', '-quiet'])).toBe('');
    await printed(['produce', 'held'], 'a\nb\nc\n');
    expect(await printed(['topics', 'delete-until', 'held', '1'])).toBe(
      'Deleted the messages of held up to offset 1.\n',
    );
    expect(await printed(['topics', 'show', 'held', 'empty'])).toMatch(
      /^TOPIC +EARLIEST-OFFSET +LATEST-OFFSET\nheld +2 +3\nempty +- +-\n$/,
    );
    expect(await printed(['topics', 'show', 'held', 'empty', '-json'])).toBe(
      '{"topic":"held","earliestOffset":2,"latestOffset":3}\n' +
        '{"topic":"empty","earliestOffset":null,"latestOffset":null}\n',
    );
  });

  it('says of each topic what the server said', async () => {
    await topicWith('fine');
    const shown = await smq(['topics', 'show', 'nowhere', 'fine', '-json']);
    expect(shown).toEqual({
      code: 1,
      out: '{"topic":"fine","earliestOffset":null,"latestOffset":null}\n',
      errors: 'tinymq smq topics show: UNKNOWN: topic nowhere does not exist\n',
    });
    const bad = await smq(['topics', 'create', 'a b', 'ü']);
    expect(bad).toEqual({
      code: 1,
      out: '',
      errors: 'tinymq smq topics create: UNKNOWN: invalid topic name: a b; UNKNOWN: invalid topic name: ü\n',
    });
    expect(await smq(['topics', 'delete-until', 'fine', '-1'])).toMatchObject({ code: 2, out: '' });
  });
});

describe('tinymq smq produce', () => {
  it('sends lines, messages and files in their order, and says where the last is', async () => {
    const file = join(folder, 'payload');
    writeFileSync(file, Buffer.from([0xff, 0, 0x0a, 0x41]));
    await topicWith('sent');
    expect(await printed(['produce', 'sent'], 'a\n\nb')).toBe(
      'Sent 2 messages to sent; the last has offset 2.\n',
    );
    expect(await printed(['produce', 'sent', file, '-message', '', '-message', 'c', '-json'])).toBe(
      '{"topic":"sent","messages":3,"lastOffset":5}\n',
    );
    expect(await printed(['produce', 'sent', file, '-lines', '-count', '1', '-quiet'])).toBe('');
    expect(await printed(['produce', 'sent', '-json'])).toBe(
      '{"topic":"sent","messages":0,"lastOffset":null}\n',
    );
    expect(await printed(['consume', 'sent', '-exit', '-format', '%t %o %S %s|'])).toBe(
      'sent 1 1 a|sent 2 1 b|sent 3 0 |sent 4 1 c|sent 5 4 \xff\0\nA|sent 6 2 \xff\0|',
    );
  });

  it('takes much, faster than the server does', async () => {
    const input = Array.from({ length: 200_000 }, (_, index) => `line ${index} of many\n`).join('');
    await topicWith('much');
    expect(await printed(['produce', 'much', '-json'], input)).toBe(
      '{"topic":"much","messages":200000,"lastOffset":200000}\n',
    );
    expect(await printed(['consume', 'much', '-exit'])).toBe(input);
    expect(await printed(['bulk', 'much'])).toBe(input);
  });

  it('ends where the server refuses, though the input goes on', async () => {
    using produce = startTinymq(['smq', 'produce', 'nowhere', ...at]);
    produce.child.stdin!.write('a\n');
    expect(await produce.ended).toEqual({
      code: 1,
      out: '',
      errors:
        'tinymq smq produce: UNKNOWN: topic nowhere does not exist; 1 message sent and not acknowledged\n',
    });
  });

  it('sends what was read when it is stopped', async () => {
    await topicWith('stopped');
    using consume = startTinymq(['smq', 'consume', 'stopped', ...at]);
    using produce = startTinymq(['smq', 'produce', 'stopped', ...at]);
    produce.child.stdin!.write('a\n');
    await until(() => consume.out() === 'a\n');
    produce.child.kill('SIGINT');
    expect(await produce.ended).toEqual({
      code: 0,
      out: 'Sent 1 message to stopped; the last has offset 1.\n',
      errors: '',
    });
    consume.child.kill('SIGINT');
    expect(await consume.ended).toEqual({ code: 0, out: 'a\n', errors: '' });
  });

  it('names a file that is not there', async () => {
    await topicWith('files');
    expect(await smq(['produce', 'files', join(folder, 'nothing')])).toMatchObject({
      code: 1,
      errors: `tinymq smq produce: cannot read ${join(folder, 'nothing')}: no such file or folder\n`,
    });
  });
});

describe('tinymq smq consume', () => {
  it('begins and ends where it is told to', async () => {
    await topicWith('read', 'a', 'b', 'c', 'd');
    await printed(['topics', 'delete-until', 'read', '1']);
    expect(await printed(['consume', 'read', '-exit'])).toBe('b\nc\nd\n');
    expect(await printed(['consume', 'read', '-exit', '-from', '1'])).toBe('b\nc\nd\n');
    expect(await printed(['consume', 'read', '-from', '3', '-count', '1', '-json'])).toBe(
      '{"topic":"read","offset":3,"payload":"c"}\n',
    );
    expect(await printed(['consume', 'read', '-exit', '-from', 'end'])).toBe('');
    expect(await printed(['consume', 'read', '-exit', '-from', '99'])).toBe('');
    await topicWith('nothing');
    expect(await printed(['consume', 'nothing', '-exit'])).toBe('');
  });

  it('waits for what comes', async () => {
    await topicWith('coming', 'before');
    using consume = startTinymq(['smq', 'consume', 'coming', '-from', 'end', '-count', '2', ...at]);
    // It may begin after some of them: until it has read two, there are always more.
    while (consume.child.exitCode === null) await printed(['produce', 'coming', '-message', 'after']);
    expect(await consume.ended).toEqual({ code: 0, out: 'after\nafter\n', errors: '' });
  });

  it('says so in one line where topic, server or flags are wrong', async () => {
    expect(await smq(['consume', 'nowhere'])).toEqual({
      code: 1,
      out: '',
      errors: 'tinymq smq consume: UNKNOWN: topic nowhere does not exist\n',
    });
    for (const flags of [
      ['-from', 'x'],
      ['-format', '%k'],
      ['-format', '%s', '-json'],
      ['-address', 'a:b:c'],
    ]) {
      expect(await runTinymq(['smq', 'consume', 'read', ...flags])).toMatchObject({ code: 2, out: '' });
    }
  });

  it('ends when the server does', async () => {
    const other = await startBroker({ memory: true, grpc: { listen: ['tcp://127.0.0.1:0'] } });
    const there = ['-address', new URL(other.url).host];
    await runTinymq(['smq', 'topics', 'create', 'a', ...there]);
    await runTinymq(['smq', 'produce', 'a', '-message', 'first', ...there]);
    using consume = startTinymq(['smq', 'consume', 'a', ...there]);
    await until(() => consume.out() === 'first\n');
    await other.close();
    expect(await consume.ended).toEqual({
      code: 1,
      out: 'first\n',
      errors: 'tinymq smq consume: UNAVAILABLE: server-shutdown: the broker is stopping\n',
    });
  });
});

describe('tinymq smq bulk', () => {
  it('prints from an offset on, as many as are wanted', async () => {
    await topicWith('bulk', 'a', 'b', 'c', 'd');
    expect(await printed(['bulk', 'bulk', '-from', '2', '-count', '2', '-format', '%o%s\\n'])).toBe(
      '2b\n3c\n',
    );
    expect(await printed(['bulk', 'bulk'])).toBe('a\nb\nc\nd\n');
    expect(await printed(['bulk', 'bulk', '-from', '5', '-json'])).toBe('');
  });
});

describe('a server', () => {
  async function listening(server: ReturnType<typeof createServer> | ReturnType<typeof createTcpServer>) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return [
      'smq',
      'topics',
      'show',
      'a',
      ...['-address', `127.0.0.1:${(server.address() as AddressInfo).port}`],
    ];
  }

  it('that is not there, or speaks something else, is named in one line', async () => {
    const closed = createTcpServer();
    const nobody = await listening(closed);
    closed.close();
    expect(await runTinymq(nobody)).toMatchObject({
      code: 1,
      errors: expect.stringMatching(
        /^tinymq smq topics show: cannot connect to 127\.0\.0\.1:\d+: connection refused\n$/,
      ),
    });
    const web = createServer((_, response) => response.end('hello'));
    expect(await runTinymq(await listening(web))).toMatchObject({
      code: 1,
      errors:
        'tinymq smq topics show: the server does not speak gRPC: it answered with HTTP 200 and nothing\n',
    });
    web.close();
    const talker = createTcpServer((socket) =>
      socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    const refused = await runTinymq(await listening(talker));
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.errors).toMatch(/^tinymq smq topics show: 127\.0\.0\.1:\d+[^\n]+\n$/);
    talker.close();
  });

  it('that is silent is given up', async () => {
    const silent = createServer();
    silent.on('stream', () => {});
    const args = await listening(silent);
    expect(await runTinymq([...args, '-request-timeout', '0.3'])).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/no answer from 127\.0\.0\.1:\d+ within 300 ms\n$/),
    });
    silent.close();
  });

  it('that vanishes behind an open connection is found out', async () => {
    await topicWith('vanishing', 'a');
    let vanish = () => {};
    const { hostname, port } = new URL(broker.url);
    const between = createTcpServer((socket) => {
      const there = connect({ host: hostname, port: Number(port) });
      socket.on('error', () => {}).on('close', () => there.destroy());
      there.on('error', () => {});
      socket.pipe(there).pipe(socket);
      vanish = () => socket.unpipe(there);
    });
    const [, , , , ...there] = await listening(between);
    using consume = startTinymq([
      'smq',
      'consume',
      'vanishing',
      '-from',
      '1',
      '-request-timeout',
      '2',
      ...there,
    ]);
    await until(() => consume.out() === 'a\n');
    vanish();
    const { code, errors } = await consume.ended;
    expect(code).toBe(1);
    expect(errors).toMatch(/^tinymq smq consume: no answer from 127\.0\.0\.1:\d+ within 2000 ms\n$/);
    between.close();
  });
});

it('speaks TLS, with a certificate of its own', async () => {
  const certificates = await makeCertificates(join(folder, 'certs'));
  await using safe = await startBroker({
    memory: true,
    grpc: { listen: ['tls://127.0.0.1:0'] },
    tls: { certFile: certificates.serverCert, keyFile: certificates.serverKey, caFile: certificates.ca },
  });
  const flags = ['-address', new URL(safe.url).host, '-tls-ca', certificates.ca];
  const own = ['-tls-cert', certificates.clientCert, '-tls-key', certificates.clientKey];
  const create = ['smq', 'topics', 'create', 'safe', ...flags];
  expect(await runTinymq([...create, ...own])).toMatchObject({ code: 0, errors: '' });
  const anonymous = await runTinymq(create);
  expect(anonymous).toMatchObject({ code: 1, out: '' });
  expect(anonymous.errors).toMatch(/^tinymq smq topics create: [^\n]+\n$/);
  const distrusting = await runTinymq(['smq', 'topics', 'show', 'safe', ...flags.slice(0, 2), '-tls']);
  expect(distrusting).toMatchObject({ code: 1, errors: expect.stringContaining('certificate') });
});
