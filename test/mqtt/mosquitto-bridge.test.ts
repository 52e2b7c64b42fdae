import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { type Running, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { connectMqtt, type RawMqtt } from './client.ts';

// Debian installs it outside of the path of those who are not root.
const PROGRAM = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
);
const PATIENCE_MS = 60_000;
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});

describe.skipIf(PROGRAM === undefined).each(['mqttv31', 'mqttv311', 'mqttv50'])(
  'a bridge of mosquitto that is configured with its address and its topics, %s',
  (version) => {
    it('carries messages out, in and both ways, with prefixes, once', { timeout: PATIENCE_MS }, async () => {
      const { broker, mosquitto } = await bridged(version, [
        'topic up/# out 1',
        'topic down/# in 1',
        'topic both/# both 2',
        'topic # out 1 local/ site1/',
        'topic # in 1 home/ site1/cmd/',
      ]);
      const [here, there] = [await client(broker.url), await client(mosquitto.url)];
      await here.subscribe('#', 2);
      await there.subscribe('#', 2);
      const [publisherHere, publisherThere] = [await client(broker.url), await client(mosquitto.url)];

      await publisherThere.publishSafely('up/a', '1', { qos: 1 });
      await publisherThere.publishSafely('both/there', '2', { qos: 2 });
      await publisherThere.publishSafely('local/a', '3', { qos: 1 });
      const fromThere = ['both/there 2', 'site1/a 3', 'up/a 1'];
      expect((await here.texts(3)).sort()).toEqual(fromThere);
      expect((await there.texts(3)).sort()).toEqual(['both/there 2', 'local/a 3', 'up/a 1']);

      await publisherHere.publishSafely('down/a', '4', { qos: 1 });
      await publisherHere.publishSafely('both/here', '5', { qos: 2 });
      await publisherHere.publishSafely('site1/cmd/a', '6', { qos: 1 });
      expect((await there.texts(3)).sort()).toEqual(['both/here 5', 'down/a 4', 'home/a 6']);
      expect((await here.texts(3)).sort()).toEqual(['both/here 5', 'down/a 4', 'site1/cmd/a 6']);

      // Each passes the bridge behind whatever it would have sent back.
      await publisherThere.publishSafely('up/last', 'x', { qos: 1 });
      expect(await here.texts(1)).toEqual(['up/last x']);
      expect(await there.texts(1)).toEqual(['up/last x']);
      await publisherHere.publishSafely('down/last', 'x', { qos: 1 });
      expect(await there.texts(1)).toEqual(['down/last x']);
      expect(await here.texts(1)).toEqual(['down/last x']);
    });

    it('retains on both sides what was retained on one', { timeout: PATIENCE_MS }, async () => {
      const { broker, mosquitto } = await bridged(version, ['topic # both 1']);
      const here = await client(broker.url);
      const there = await client(mosquitto.url);
      await here.publishSafely('kept/here', 'h', { retain: true });
      await there.publishSafely('kept/there', 't', { retain: true });
      for (const url of [broker.url, mosquitto.url]) {
        const kept = await eventually(async () => {
          const late = await client(url);
          await late.subscribe('kept/#', 1);
          const found = await late.texts(2).catch(() => undefined);
          late.drop();
          return found;
        }, 'both retained messages');
        expect(kept.sort()).toEqual(['kept/here h', 'kept/there t']);
      }
    });

    it('tells that it is there, and when it is lost', { timeout: PATIENCE_MS }, async () => {
      const { broker, mosquitto } = await bridged(version, ['topic up/# out 1']);
      const watcher = await client(broker.url);
      await watcher.subscribe('$SYS/broker/connection/#', 1);
      const topic = '$SYS/broker/connection/site.up/state';
      expect(await watcher.texts(1)).toEqual([`${topic} 1`]);
      await mosquitto.kill();
      expect(await watcher.texts(1)).toEqual([`${topic} 0`]);
      await mosquitto.start();
      expect(await watcher.texts(1)).toEqual([`${topic} 1`]);
    });

    it('goes on when either end was killed, and loses nothing', { timeout: PATIENCE_MS }, async () => {
      const folder = temporaryFolder();
      const first = await bridged(version, ['topic up/# out 1', 'topic down/# in 1'], folder);
      const { mosquitto, port } = first;
      const there = await client(mosquitto.url);
      const session = { clientId: 'archive', cleanStart: false, properties: { sessionExpiryIntervalS: 600 } };
      const archive = await connectMqtt(first.broker.url, 5, session);
      await archive.subscribe('up/#', 1);
      await there.publishSafely('up/1', 'before', { qos: 1 });
      expect(await archive.texts(1)).toEqual(['up/1 before']);

      await first.broker.close();
      await there.publishSafely('up/2', 'while the broker is away', { qos: 1 });
      const again = await broker(folder, port);
      const back = await connectMqtt(again.url, 5, session);
      cleanUp.push(() => back.drop());
      expect(await back.texts(1)).toEqual(['up/2 while the broker is away']);

      await eventually(() => again.stats().clients === 2, 'the bridge');
      await mosquitto.kill();
      await eventually(() => again.stats().clients === 1, 'its end');
      const here = await client(again.url);
      // Retained, because nothing is kept by this mosquitto for a reader that comes after the bridge.
      await here.publishSafely('down/1', 'while mosquitto is away', { qos: 1, retain: true });
      await mosquitto.start();
      const reader = await client(mosquitto.url);
      await reader.subscribe('down/#', 1);
      expect(await reader.texts(1)).toEqual(['down/1 while mosquitto is away']);
      await eventually(() => again.stats().session_messages_waiting === 0, 'what waited');
    });
  },
);

interface Mosquitto {
  readonly url: string;
  start(): Promise<void>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
}

/** A broker, and a mosquitto whose bridge has come up. */
async function bridged(version: string, topics: readonly string[], folder = temporaryFolder()) {
  const port = await freePort();
  const running = await broker(folder, port);
  const mosquitto = await startMosquitto(version, topics, port);
  await eventually(() => running.stats().clients === 1, 'the bridge');
  const isSubscribed = () =>
    running.stats().subscriptions >= topics.filter((topic) => !/ out /.test(topic)).length;
  await eventually(isSubscribed, 'its subscriptions');
  return { broker: running, mosquitto, port };
}

async function broker(dataDir: string, port: number): Promise<RunningBroker> {
  const running = await startBroker({ listen: [`tcp://127.0.0.1:${port}`], dataDir, sysIntervalMs: 0 });
  cleanUp.push(() => running.close());
  return running;
}

/** Nothing is configured but what a bridge cannot do without, and how fast it tries again. */
async function startMosquitto(version: string, topics: readonly string[], to: number): Promise<Mosquitto> {
  const port = await freePort();
  const folder = temporaryFolder();
  const configuration = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'connection up',
    `address 127.0.0.1:${to}`,
    `bridge_protocol_version ${version}`,
    'remote_clientid site.up',
    'restart_timeout 1',
    ...topics,
  ];
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `${configuration.join('\n')}\n`);
  let running: Running;

  async function begin(): Promise<void> {
    running = start(PROGRAM!, ['-c', file]);
    running.ended.catch(() => {});
    await eventually(() => /running/.test(running.stderr()), 'mosquitto');
  }

  async function kill(): Promise<void> {
    running.child.kill('SIGKILL');
    await running.ended;
  }

  await begin();
  cleanUp.push(kill);
  return { url: `mqtt://127.0.0.1:${port}`, start: begin, kill };
}

async function client(url: string): Promise<RawMqtt> {
  const connected = await connectMqtt(url, 4);
  cleanUp.push(() => connected.drop());
  return connected;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-bridge-'));
  cleanUp.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
