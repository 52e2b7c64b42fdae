import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { UserAuthenticator } from '../../internal/access/users/user-authenticator.ts';
import { run } from '../support/broker-process.ts';
import { directoryOf, userOf } from '../support/users.ts';
import { useBroker } from './broker.ts';
import { mqttJsFolder } from './mqtt-js.ts';
import { pahoPython } from './paho.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-mqtt-login-'));
const certificates = await makeCertificates(folder);
afterAll(() => rmSync(folder, { recursive: true }));
const broker = useBroker({
  authenticator: new UserAuthenticator({
    directory: directoryOf(await userOf('anna', 'secret')),
    allowsAnonymous: false,
  }),
  listen: ['tcp://localhost:0', 'wss://localhost:0'],
  tls: { certFile: certificates.serverCert, keyFile: certificates.serverKey },
});
const portOf = (listener: number) => new URL(broker.broker.listeners[listener]!.url).port;

const hasMosquitto = spawnSync('mosquitto_sub', ['--help']).error === undefined;
const hasPython = spawnSync('python3', ['-m', 'venv', '-h']).status === 0;

describe.skipIf(!hasMosquitto)('mosquitto_pub -u -P (make test-setup installs it)', () => {
  it.each(['mqttv31', 'mqttv311', 'mqttv5'])('%s', async (version) => {
    const publish = (...more: string[]) =>
      run('mosquitto_pub', ['-p', portOf(0), '-V', version, '-t', 'a', '-m', 'x', '-q', '1', ...more]);
    expect((await publish('-u', 'anna', '-P', 'secret')).code).toBe(0);
    expect((await publish('-u', 'anna', '-P', 'wrong')).code).not.toBe(0);
    expect((await publish()).code).not.toBe(0);
  });
});

describe.skipIf(!hasPython)('paho (it needs python3 with venv)', () => {
  it.each<[version: string, how: string, method: string[]]>([
    ['3', 'user name and password', []],
    ['4', 'user name and password', []],
    ['5', 'user name and password', []],
    ['5', 'enhanced authentication', ['PLAIN']],
  ])(
    'version %s with %s',
    async (version, _, method) => {
      const python = await pahoPython();
      const login = fileURLToPath(new URL('./clients/paho_login.py', import.meta.url));
      const reasons = [];
      for (const password of ['secret', 'wrong']) {
        const { stdout } = await run(python, [login, portOf(0), version, 'anna', password, ...method]);
        reasons.push(stdout.trim());
      }
      expect(reasons).toEqual(['Success', 'Bad user name or password']);
    },
    120_000,
  );
});

describe('MQTT.js over WebSocket and TLS', () => {
  it.each([
    ['password', 'login password\n'],
    ['scram', 'login scram\nagain\n'],
  ])(
    'by %s',
    async (way, printed) => {
      const script = fileURLToPath(new URL('./clients/mqttjs-login.mjs', import.meta.url));
      const url = `wss://localhost:${portOf(1)}/mqtt`;
      const child = spawn(process.execPath, [
        script,
        await mqttJsFolder(),
        url,
        certificates.ca,
        way,
        'anna',
      ]);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
      child.stdin.end('secret');
      await new Promise((resolve) => child.once('close', resolve));
      expect(output).toBe(printed);
    },
    120_000,
  );
});
