import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { useBroker } from './broker.ts';
import { mqttJsFolder } from './mqtt-js.ts';
import { pahoPython } from './paho.ts';

const COUNT = 90;
const broker = useBroker({ listen: ['tcp://localhost:0', 'ws://localhost:0'] });
const client = (file: string) => fileURLToPath(new URL(`./clients/${file}`, import.meta.url));
const hasMosquitto = spawnSync('mosquitto_sub', ['--help']).error === undefined;
const hasPython = spawnSync('python3', ['-m', 'venv', '-h']).status === 0;

function urls(): [tcp: URL, webSocket: URL] {
  const [tcp, webSocket] = broker.broker.listeners.map(({ url }) => new URL(url));
  return [tcp, webSocket];
}

/** Messages of a topic as a client prints them, of each QoS in order. */
function expectAll(stdout: string, topic: string): void {
  const lines = stdout.trim().split('\n');
  for (const qos of [0, 1, 2]) {
    const expected: string[] = [];
    for (let index = qos; index < COUNT; index += 3) expected.push(`${topic}/${qos} ${index} ${qos}`);
    expect(lines.filter((line) => line.startsWith(`${topic}/${qos} `))).toEqual(expected);
  }
}

// Both are Debian's package mosquitto-clients.
describe.skipIf(!hasMosquitto)('mosquitto_pub and mosquitto_sub (make test-setup installs them)', () => {
  it.each(['mqttv31', 'mqttv311', 'mqttv5'])('%s, every QoS', async (version) => {
    const { port } = urls()[0];
    for (const qos of ['0', '1', '2']) {
      const topic = `mosquitto/${version}/${qos}`;
      const common = ['-p', port, '-V', version, '-q', qos];
      const subscriber = start('mosquitto_sub', [...common, '-t', `${topic}/#`, '-v', '-C', '3', '-W', '20']);
      await eventually(() => broker.stat('subscriptions') === 1, 'the subscription');
      for (const name of ['a', 'b', 'c']) {
        const { code } = await run('mosquitto_pub', [...common, '-t', `${topic}/${name}`, '-m', name]);
        expect(code).toBe(0);
      }
      const { stdout } = await subscriber.ended;
      expect(stdout).toBe(['a', 'b', 'c'].map((name) => `${topic}/${name} ${name}\n`).join(''));
      await eventually(() => broker.stat('subscriptions') === 0, 'its end');
    }
  });
});

describe.skipIf(!hasPython)('paho (it needs python3 with venv)', () => {
  it.each(['3', '4', '5'])(
    'version %s, over tcp and WebSocket',
    async (version) => {
      const python = await pahoPython();
      const [tcp, webSocket] = urls();
      for (const [transport, { port }] of [
        ['tcp', tcp],
        ['websockets', webSocket],
      ] as const) {
        const args = [client('paho_client.py'), 'localhost', port, transport, version, String(COUNT)];
        const { stdout, stderr } = await run(python, args);
        expect(stderr).toBe('');
        expectAll(stdout, `paho/${transport}/${version}`);
      }
    },
    120_000,
  );
});

describe('MQTT.js', () => {
  it.each(['3', '4', '5'])(
    'version %s, over tcp and WebSocket',
    async (version) => {
      const folder = await mqttJsFolder();
      const [tcp, webSocket] = urls();
      for (const url of [`mqtt://localhost:${tcp.port}`, `ws://localhost:${webSocket.port}/mqtt`]) {
        const { stdout, stderr } = await run(process.execPath, [
          client('mqttjs-client.mjs'),
          folder,
          url,
          version,
          String(COUNT),
        ]);
        expect(stderr).toBe('');
        expectAll(stdout, `js/${new URL(url).protocol}/${version}`);
      }
    },
    120_000,
  );
});
