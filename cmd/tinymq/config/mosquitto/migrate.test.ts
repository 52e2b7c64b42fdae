import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { brokerProgram } from '../../../broker/flags.ts';
import { readOptions } from '../../../cli/options/file/read-options.ts';
import { optionsText } from '../../../cli/options/file/write.ts';
import { migrateMosquitto } from './migrate.ts';
import { fateOf, MOSQUITTO_OPTIONS } from './options.ts';

const NAMES = readFileSync(new URL('../../../../test/golden/mosquitto-options.txt', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');

const folder = mkdtempSync(join(tmpdir(), 'tinymq-migrate-'));
afterAll(() => rmSync(folder, { recursive: true }));

function migrated(conf: string) {
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, conf);
  const { options, left, needless, access } = migrateMosquitto(file);
  const text = optionsText(brokerProgram, options, []);
  // What is written is read again as it was meant.
  const read = [...readOptions(brokerProgram, join(folder, 'tinymq.yaml'), text)];
  expect(new Map(read.map(([name, { texts }]) => [name, texts]))).toEqual(
    new Map(
      [...options].map(([name, { texts }]) => [
        name,
        [...texts].map((item) => item.replace(/^\.\//, `${folder}/`)),
      ]),
    ),
  );
  return {
    said: Object.fromEntries([...options].map(([name, { texts }]) => [name, texts.join(' ')])),
    left: left.map(({ line, problem }) => `${line}: ${problem}`),
    needless: needless.map(({ line, problem }) => `${line}: ${problem}`),
    access,
  };
}

const DEFAULTS = { memory: 'true', 'max-message': '256MiB' };

describe('the options of mosquitto.conf(5)', () => {
  it('are all known, and nothing else is', () => {
    const known = [...Object.keys(MOSQUITTO_OPTIONS)].filter((name) => name !== 'global_plugin');
    expect(known.sort()).toEqual(NAMES);
    expect(fateOf('plugin_opt_file')).toMatchObject({ kind: 'lacking' });
    expect(fateOf('constructor')).toBeUndefined();
  });

  // A line that is neither taken over nor told would be lost in silence.
  it.each(NAMES.map((name) => name.replace('*', 'x')))('%s is taken over or told', (name) => {
    mkdirSync(join(folder, 'more'), { recursive: true });
    for (const file of ['passwd', 'acl']) writeFileSync(join(folder, file), '');
    const values: Record<string, string> = {
      ...{ listener: '1884', port: '1884', include_dir: 'more', password_file: 'passwd', acl_file: 'acl' },
      ...{ log_type: 'debug', log_dest: 'none', persistent_client_expiration: '2d', sys_interval: '5' },
      ...{ persistence: 'true', socket_domain: 'ipv4', protocol: 'websockets', bind_address: '127.0.0.1' },
      ...{ per_listener_settings: 'true', allow_anonymous: 'true', use_subject_as_username: 'true' },
      ...{ tls_version: 'tlsv1.3', persistence_location: '/var', require_certificate: 'true' },
    };
    const tls = 'listener 1885\ncertfile c.pem\nkeyfile k.pem\n';
    // Files and switches of TLS say nothing where there is no TLS.
    const before = /^(cafile|crlfile|require|use_(id|sub)|tls_version|certfile|keyfile)/.test(name)
      ? tls
      : '';
    const without = migrated(before);
    const found = migrated(`${before}${name} ${values[name] ?? '7'}\n`);
    const line = before.split('\n').length;
    const isTold = [...found.left, ...found.needless].some((told) => told.startsWith(`${line}: ${name}: `));
    const isTaken =
      JSON.stringify([found.said, found.access]) !== JSON.stringify([without.said, without.access]);
    if (name !== 'include_dir' && name !== 'use_identity_as_username')
      expect([name, isTold || isTaken]).toEqual([name, true]);
  });
});

describe('listeners', () => {
  it('without one are for this machine, and open', () => {
    const { said, access } = migrated('');
    expect(said).toEqual({ listen: 'mqtt://localhost:1883', ...DEFAULTS });
    expect(access).toBeUndefined();
  });

  it('that no line names a place for are as without, whatever else is said of them', () => {
    const { said, access, needless } = migrated(
      'max_connections 5\nprotocol websockets\nallow_anonymous false\n',
    );
    expect(said).toEqual({ listen: 'mqtt://localhost:1883', ...DEFAULTS });
    expect(access).toBeUndefined();
    expect(needless.map((told) => told.split(':')[1])).toEqual([
      ' max_connections',
      ' protocol',
      ' allow_anonymous',
    ]);
  });

  it('of which the default one is asked for by what is said of it', () => {
    const { said } = migrated('mount_point a/\nlistener 1884\nallow_anonymous true\n');
    expect(said.listen).toBe('mqtt://:1883 mqtt://:1884');
  });

  it.each([
    ['listener 1884', 'mqtt://:1884'],
    ['listener 1884 192.168.1.5', 'mqtt://192.168.1.5:1884'],
    ['listener 1884 ::1', 'mqtt://[::1]:1884'],
    ['listener 1884\nsocket_domain ipv4', 'mqtt://0.0.0.0:1884'],
    ['listener 1884\nprotocol websockets', 'ws://:1884'],
    ['listener 0 /run/mq.sock', 'unix:///run/mq.sock'],
    ['port 1885\nbind_address localhost', 'mqtt://localhost:1885'],
    ['bind_address 10.0.0.1\nlistener 1884', 'mqtt://10.0.0.1:1883 mqtt://:1884'],
    ['listener 8883\ncertfile /c\nkeyfile /k', 'mqtts://:8883'],
    ['listener 8884\nprotocol websockets\ncertfile /c\nkeyfile /k', 'wss://:8884'],
  ])('%j', (conf, urls) => {
    expect(migrated(`allow_anonymous true\n${conf}`).said.listen).toBe(urls);
  });

  it('have one certificate together; another one is told', () => {
    const tls = 'certfile /a\nkeyfile /b\n';
    const { said, left } = migrated(
      `listener 1\n${tls}cafile /ca\nrequire_certificate true\nuse_identity_as_username true\nlistener 2\n${tls.replace('/a', '/x')}`,
    );
    expect(said).toMatchObject({ 'tls-cert': '/a', 'tls-key': '/b', 'tls-ca': '/ca' });
    expect(left).toEqual([
      '8: certfile: all listeners have the file of line 2',
      '7: listener: certificates of clients are asked for at this listener too',
    ]);
  });
});

describe('who may connect', () => {
  it('is everybody where it says so, and nobody where there is a listener and nothing is said', () => {
    expect(migrated('listener 1883\nallow_anonymous true').said).toMatchObject({ 'allow-anonymous': 'true' });
    const { access, said } = migrated('listener 1883');
    expect(access?.rules[0]).toMatchObject({ deny: ['connect'], users: ['anonymous'] });
    expect(said).not.toHaveProperty('allow-anonymous');
  });

  it('is whom the files name, of all listeners, in the strictest way', () => {
    writeFileSync(join(folder, 'acl'), 'topic read news\n');
    const { access, said, left } = migrated(
      'per_listener_settings true\nlistener 1\nallow_anonymous true\nlistener 2\nallow_anonymous false\nacl_file acl\n',
    );
    expect(said).toMatchObject({ 'acl-partial': 'true' });
    expect(access?.rules).toMatchObject([{ deny: ['connect'] }, { allow: ['subscribe'], topics: ['news'] }]);
    expect(left).toEqual([expect.stringContaining('1: per_listener_settings: users and rules hold for all')]);
  });
});

it('what is kept, how much, and what is logged', () => {
  const { said, left } = migrated(`
persistence true
persistence_location /var/lib/mosquitto
message_size_limit 1000
max_queued_messages 0
max_queued_bytes 5000
persistent_client_expiration 3m
sys_interval 0
log_type error
log_dest syslog
max_connections 50
port 1883
`);
  expect(said).toEqual({
    listen: 'mqtt://:1883',
    'data-dir': '/var/lib/mosquitto/tinymq',
    'max-message': '1000',
    'max-clients': '50',
    'session-queue': '100000000',
    'session-queue-bytes': '5000',
    'session-expiry': '90d',
    'sys-interval': '0',
    'log-level': 'error',
  });
  expect(left.map((told) => told.split(':')[1])).toEqual([
    ' log_dest',
    ' persistence',
    ' max_queued_messages',
  ]);
});

it('lines of included files count in their order, and name their file', () => {
  const more = join(folder, 'conf.d');
  mkdirSync(more);
  writeFileSync(join(more, 'b.conf'), 'sys_interval 6\n');
  writeFileSync(join(more, 'A.conf'), 'sys_interval 5\nunknown_thing 1\n');
  writeFileSync(join(more, 'c.txt'), 'sys_interval 7\n');
  const { said, left } = migrated('include_dir conf.d\n');
  expect(said['sys-interval']).toBe('6');
  expect(left).toEqual([
    '2: unknown_thing: no option of mosquitto',
    '1: sys_interval: it stands in b.conf, line 1 again, which counts',
  ]);
});
