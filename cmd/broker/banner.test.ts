import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { banner, nextCommands, programFolder } from './banner.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the commands to type next', () => {
  // `npx broker` has the package's programs on its PATH; the terminal in which the next line is typed has not.
  it('are started by npx where the broker was', () => {
    vi.stubEnv('TINYMQ_PROGRAM_FOLDER', '/app/node_modules/tinymq/bin');
    vi.stubEnv('npm_command', 'exec');
    expect(programFolder()).toBe('npx ');
    vi.stubEnv('npm_command', undefined);
    expect(programFolder()).toBe('/app/node_modules/tinymq/bin/');
    vi.stubEnv('TINYMQ_PROGRAM_FOLDER', '/clone/bin');
    vi.stubEnv('npm_command', 'exec');
    expect(programFolder()).toBe('/clone/bin/');
  });

  it.each<[string, string]>([
    ['tcp://localhost:1883', ''],
    ['tcp://localhost:1884', ' -address localhost:1884'],
    ['tcp://:1884', ' -address :1884'],
    ['tcp://[::1]:1884', ' -address [::1]:1884'],
    ['unix:///tmp/broker.sock', ' -network unix -address /tmp/broker.sock'],
    ["unix:///tmp/it's mine", " -network unix -address '/tmp/it'\\''s mine'"],
    ['ws://localhost:8083', ' -network ws -address localhost:8083'],
  ])('reach %s', (url, flags) => {
    expect(nextCommands(url, undefined, '')).toEqual([
      `subscriber${flags} -topic 'sensors/#'`,
      `publisher${flags} -topic sensors/temp -message 22.5 -interval 2`,
    ]);
  });

  it('name the programs where they lie', () => {
    expect(nextCommands('tcp://localhost:1883', undefined, './bin/')[0]).toBe(
      "./bin/subscriber -topic 'sensors/#'",
    );
  });

  it('name the CA, and for mutual TLS a certificate, beside that of the broker', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-banner-'));
    const tls = { certFile: join(folder, 'server.crt'), keyFile: join(folder, 'server.key') };
    const url = 'tls://localhost:8883';
    expect(nextCommands(url, tls, '')[0]).toContain(
      ' -network tls -address localhost:8883 -tls-ca ca.crt -topic',
    );
    writeFileSync(join(folder, 'ca.crt'), '');
    expect(nextCommands(url, { ...tls, caFile: 'any' }, '')[0]).toContain(
      ` -tls-ca ${folder}/ca.crt -tls-cert client.crt -tls-key client.key -topic`,
    );
    rmSync(folder, { recursive: true });
  });
});

describe('the banner', () => {
  const listeners = [
    { url: 'tcp://localhost:1883', door: 'frames' as const },
    { url: 'ws://localhost:8083', door: 'frames' as const },
    { url: 'tcp://localhost:9092', door: 'kafka' as const },
    { url: 'grpc://localhost:8097', door: 'grpc' as const },
  ];

  it('leads to the page', () => {
    const http = { url: 'http://localhost:8080', door: 'http' as const };
    const text = banner({ version: '1', listeners: [...listeners, http], tls: undefined, json: false });
    expect(text).toContain('\nIn a browser: http://localhost:8080\n');
    expect(banner({ version: '1', listeners, tls: undefined, json: false })).not.toContain('browser');
  });

  it('lists the listeners', () => {
    const lines = banner({ version: '1.2.3', listeners, tls: undefined, json: false }).split('\n');
    expect(lines.slice(0, 7)).toEqual([
      'tinymq 1.2.3 is listening on',
      '  tcp://localhost:1883',
      '  ws://localhost:8083',
      '  tcp://localhost:9092  for Kafka clients',
      '  grpc://localhost:8097  for SMQ clients',
      'MQTT clients connect to mqtt://localhost:1883, ws://localhost:8083/mqtt',
      'Messages are kept in memory only.',
    ]);
  });

  it('says where messages are kept, who is let in, and what to type where there is only Kafka', () => {
    const text = banner({
      version: '1.2.3',
      listeners: [{ url: 'tcp://:9092', door: 'kafka' }],
      openToAll: ['tcp://:9092'],
      keepsIn: '/var/lib/tinymq',
      tls: undefined,
      json: false,
    });
    expect(text).toContain('What is to be kept lies in /var/lib/tinymq\n');
    expect(text).toContain('Everybody who reaches tcp://:9092 may read and write everything.\n');
    expect(text).toContain('  tinymq topics list -address tcp://:9092\n');
  });

  it('is one object with -json', () => {
    const line = banner({ version: '1.2.3', listeners, tls: undefined, json: true });
    expect(JSON.parse(line)).toEqual({
      version: '1.2.3',
      pid: process.pid,
      listeners: ['tcp://localhost:1883', 'ws://localhost:8083'],
      kafka: ['tcp://localhost:9092'],
      grpc: ['grpc://localhost:8097'],
      http: [],
    });
    expect(line.endsWith('}\n')).toBe(true);
  });
});
