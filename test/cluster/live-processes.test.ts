import { describe, expect, it } from 'vitest';
import { MqttClient } from '../../internal/clients/mqtt/client.ts';
import { type Client, connect, type Message } from '../../pkg/client/index.ts';
import { eventually } from '../support/eventually.ts';
import { type ClusterNode, startClusterProcesses } from '../support/mortal-cluster.ts';
import { natsServer } from '../support/nats-servers.ts';
import { connectRaw } from '../support/raw-client.ts';
import { finalRefusals } from '../support/requests-while-away.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';

/*
 * Live messages between brokers that are processes, by NATS servers that are processes, and what becomes of them without those.
 */

const program = await natsServer();
const natsProgram = 'there' in program ? program.there : '';

/** Messages on their way at most, so that no subscriber is slow. */
const AHEAD = 5_000;
const AWAY_MS = rounds(1) === 1 ? 5_000 : 30_000;

/** More than what a link, the sockets and the subscriber's channel hold. */
const STUCK_MESSAGES = 4_000;
const STUCK_WAIT_MS = 4_000;

const clientOf = (node: ClusterNode, options = {}) => connect(node.urlOf('frames'), options);

/** The numbers that a subscriber of the SDK gets. */
async function framesNumbers(client: Client, filter: string): Promise<number[]> {
  const numbers: number[] = [];
  await client.subscribe(filter, (message: Message) => void numbers.push(Number(message.text())));
  return numbers;
}

async function mqttNumbers(node: ClusterNode, filter: string): Promise<number[]> {
  const numbers: number[] = [];
  const client = await MqttClient.connect(
    { host: '127.0.0.1', port: node.ports.frames },
    {
      ...{ clientId: `mqtt-${node.ports.frames}`, softwareVersion: 'test', tls: undefined },
      ...{ connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, stop: new AbortController().signal },
    },
  );
  client.ended.catch(() => {});
  client.onMessage = (payload) => void numbers.push(Number(Buffer.from(payload).toString()));
  await client.subscribe(filter, 0);
  return numbers;
}

/** The sum of a metric over its labels. */
async function metricOf({ ports }: ClusterNode, name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${ports.http}/metrics`)).text();
  const lines = page.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function untilLinked(nodes: readonly ClusterNode[]): Promise<void> {
  await eventually(async () => {
    const seen = await Promise.all(
      nodes.map(async ({ ports }) => fetch(`http://127.0.0.1:${ports.http}/nodes`)),
    );
    const all = await Promise.all(seen.map((answer) => answer.json() as Promise<unknown[]>));
    return all.every(({ length }) => length === nodes.length);
  }, 'links of all nodes');
}

describe.runIf('there' in program)('live messages between processes', () => {
  it(
    'reach frames, MQTT, # and one of each group on other nodes, each once and in order',
    async () => {
      // This process reads for all of them, and is no slow subscriber when the machine stops for a second.
      const flags = ['-slow-consumer-wait', '60'];
      await using cluster = await startClusterProcesses(natsProgram, { flags });
      const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
      await untilLinked(cluster.nodes);
      const clients = await Promise.all([b, c, c, b, c].map((node) => clientOf(node)));
      const [onB, all, shareB, shareC] = [
        await framesNumbers(clients[0]!, 'live/+'),
        await framesNumbers(clients[1]!, '#'),
        await framesNumbers(clients[3]!, '$share/g/live/x'),
        await framesNumbers(clients[4]!, '$share/g/live/x'),
      ];
      const mqtt = await mqttNumbers(c, 'live/x');
      const publisher = await clientOf(a);
      const count = rounds(10_000, 100_000);
      const least = () => Math.min(onB.length, all.length, mqtt.length, shareB.length + shareC.length);
      for (let number = 0; number < count; number++) {
        const publishing = publisher.publish('live/x', `${number}`);
        if (number % 500 === 0) {
          await publishing;
          await eventually(() => least() > number - AHEAD, 'subscribers that keep up');
        }
      }
      await eventually(() => least() >= count, 'all messages');
      const counted = ['tinymq_link_messages_lost_total', 'tinymq_messages_dropped_total'].flatMap((name) =>
        cluster.nodes.map((node) => metricOf(node, name)),
      );
      expect(await Promise.all(counted)).toEqual([0, 0, 0, 0, 0, 0]);
      for (const numbers of [onB, all, mqtt]) expect(firstWrong(numbers, count)).toBeUndefined();
      expect(
        [...shareB, ...shareC].sort((x, y) => x - y).findIndex((number, index) => number !== index),
      ).toBe(-1);
      for (const numbers of [shareB, shareC]) {
        expect(numbers.length).toBeGreaterThan(0);
        expect(numbers.every((number, index) => index === 0 || number > numbers[index - 1]!)).toBe(true);
      }
      await Promise.all([...clients, publisher].map((client) => client.close()));
    },
    torturePatienceMs(240_000),
  );

  it(
    'wait once for a subscriber of another node that is stuck, which is counted there, and nobody else loses any',
    async () => {
      await using cluster = await startClusterProcesses(natsProgram, {
        // Longer than a node waits for one that says nothing.
        flags: ['-slow-consumer-wait', String(STUCK_WAIT_MS / 1_000)],
      });
      const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
      await untilLinked(cluster.nodes);
      await using stuck = await connectRaw(b.urlOf('frames'), 'stuck');
      await stuck.subscribe('live/#');
      stuck.stream.pause();
      const clients = await Promise.all([a, b, c].map((node) => clientOf(node)));
      const got = await Promise.all(clients.map((client) => framesNumbers(client, 'live/x')));
      const publisher = await clientOf(a);
      const filling = ' '.repeat(16_384);
      let longestMs = 0;
      for (let number = 0; number < STUCK_MESSAGES; number++) {
        const beganMs = performance.now();
        await publisher.publish('live/x', `${number}${filling}`);
        // What waits in the SDK is the publisher's own.
        if (number % 16 === 0) await publisher.ping();
        longestMs = Math.max(longestMs, performance.now() - beganMs);
      }
      await eventually(() => got.every(({ length }) => length >= STUCK_MESSAGES), 'all messages');
      for (const numbers of got) expect(firstWrong(numbers, STUCK_MESSAGES)).toBeUndefined();
      expect(longestMs).toBeGreaterThan(STUCK_WAIT_MS / 2);
      if (rounds(1) > 1) console.info(`a publisher waited ${Math.round(longestMs)} ms at most`);
      const lost = await Promise.all(
        [a, b, c].map((node) => metricOf(node, 'tinymq_link_messages_lost_total')),
      );
      expect(lost).toEqual([0, 0, 0]);
      expect(await metricOf(b, 'tinymq_messages_dropped_total')).toBeGreaterThan(0);
      const why = await fetch(`http://127.0.0.1:${b.ports.http}/why?client=stuck`);
      expect(await why.text()).toContain('slow-consumer');
      await Promise.all([...clients, publisher].map((client) => client.close()));
    },
    torturePatienceMs(240_000),
  );

  it(
    'go on here while NATS is away, what has to last is refused so that it can be tried again, and all goes on afterwards',
    async () => {
      await using cluster = await startClusterProcesses(natsProgram, { flags: ['-keep', 'kept/#'] });
      const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
      await untilLinked(cluster.nodes);
      const [publisher, here, there] = [await clientOf(a), await clientOf(a), await clientOf(b)];
      const local = await framesNumbers(here, 'live/x');
      const remote = await framesNumbers(there, 'live/x');
      await eventually(async () => {
        await publisher.publish('kept/x', '1', { qos: 1 });
        return true;
      }, 'a message that is kept');
      await Promise.all(cluster.nats.servers.map((server) => server.kill()));
      const beganMs = performance.now();
      const kept = Promise.resolve(publisher.publish('kept/x', '2', { qos: 1 })).then(
        () => 'kept',
        (error: { code: string }) => error.code,
      );
      const refused = finalRefusals(a, 'kept.x', 'kept/x');
      const waits: number[] = [];
      for (let number = 0; performance.now() - beganMs < AWAY_MS; number++) {
        const startMs = performance.now();
        publisher.publish('live/x', `${number}`);
        await eventually(() => local.length > number, 'a message of this node');
        waits.push(performance.now() - startMs);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const p99 = waits.sort((x, y) => x - y)[Math.floor(waits.length * 0.99)]!;
      if (rounds(1) > 1)
        console.info(`local live while NATS was away ${AWAY_MS} ms: p99 ${p99.toFixed(1)} ms`);
      // Those who ask wait for NATS as long as an election takes, and longer.
      if (rounds(1) > 1) expect(await refused).toEqual([]);
      for (const server of cluster.nats.servers) server.start();
      expect(await refused).toEqual([]);
      expect(['kept', 'store-unavailable']).toContain(await kept);
      await eventually(async () => {
        publisher.publish('live/x', '-1');
        return remote.includes(-1);
      }, 'a message on the other node');
      const again = () => Promise.resolve(publisher.publish('kept/x', '3', { qos: 1 }));
      await eventually(
        () =>
          again().then(
            () => true,
            () => false,
          ),
        'a message that is kept again',
      );
      await Promise.all([publisher, here, there].map((client) => client.close()));
    },
    torturePatienceMs(240_000),
  );
});

/** Where numbers are not 0, 1, 2 … */
function firstWrong(numbers: readonly number[], count: number): string | undefined {
  const at = numbers.findIndex((number, index) => number !== index);
  if (at !== -1) return `${numbers[at]} in place ${at}`;
  return numbers.length === count ? undefined : `${numbers.length} of ${count}`;
}
