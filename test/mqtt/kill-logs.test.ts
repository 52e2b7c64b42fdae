import { describe, expect, it } from 'vitest';
import { PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';
import { connectLasting, useLastingBrokers } from './lasting-broker.ts';
import { LastingPublisher, type Sent } from './lasting-publisher.ts';
import { LastingSubscriber } from './lasting-subscriber.ts';

const startBroker = useLastingBrokers();
const VERSIONS: readonly Version[] = [4, 5];
const ROUNDS = rounds(4);

describe.each([
  ['each topic in a log of its own', 'x/#'],
  ['all in one log', 'x/#=all'],
])('a broker that is killed under load, %s', (_name, log) => {
  it(
    'has in the logs what it acknowledged, in order; subscribers get QoS 2 once',
    async () => {
      const dataDir = log.replace('/#', '');
      const restart = () => startBroker(dataDir, ['-log', log, '-fsync', 'commit']);
      const publishers = VERSIONS.map((version) => {
        const id = `publisher-${version}`;
        return new LastingPublisher(version, id, (index) => messageOf(id, index));
      });
      const subscriber = new LastingSubscriber(5, 'subscriber');
      let broker = await restart();
      await subscriber.connect(broker);
      await subscriber.subscribe('x/#', 2);
      for (let round = 0; round < ROUNDS; round++) {
        if (round > 0) await subscriber.connect(broker);
        for (const publisher of publishers) await publisher.connect(broker);
        await Promise.all(publishers.map((publisher) => publisher.publish(5 + ((round * 61) % 200))));
        await broker.stop('SIGKILL');
        broker = await restart();
        await expectLogged(
          broker,
          publishers.flatMap(({ acknowledged }) => acknowledged),
        );
      }
      for (const publisher of publishers) {
        await publisher.connect(broker);
        await publisher.settle();
      }
      const all = publishers.flatMap(({ acknowledged }) => acknowledged);
      await expectLogged(broker, all);
      await subscriber.connect(broker);
      await eventually(() => new Set(subscriber.delivered.map(keyOf)).size === all.length, 'all messages');
      await subscriber.ping();
      const ofQos2 = subscriber.delivered.filter(({ topic }) => topic.endsWith('/2')).map(keyOf);
      expect(ofQos2).toHaveLength(new Set(ofQos2).size);
      await subscriber.drop();
      for (const publisher of publishers) publisher.drop();
      await broker.stop('SIGKILL');
    },
    torturePatienceMs(240_000),
  );
});

/** Messages of both QoS in turn; some are the first of their topic, whose log is made for them. */
function messageOf(publisher: string, index: number): Sent {
  const qos = index % 2 === 0 ? 1 : 2;
  const part = index % 10 === 9 ? `new${Math.floor(index / 50)}` : 'usual';
  return { topic: `x/${publisher}/${part}/${qos}`, text: String(index), qos, retain: false };
}

/** Everything that was acknowledged is in the logs; what came first of each topic is in the order in which it was sent. */
async function expectLogged(broker: BrokerProcess, acknowledged: readonly Sent[]): Promise<void> {
  const { client } = await connectLasting(broker, 5, 'reader', { cleanStart: true, properties: {} });
  await client.subscribe('$replay/earliest/x/#');
  const found = new Map<string, number[]>();
  const missing = new Set(acknowledged.map(keyOf));
  while (missing.size > 0) {
    const { topic, payload } = await client.next(PacketType.publish);
    const text = String(payload);
    missing.delete(keyOf({ topic, text }));
    found.set(topic, [...(found.get(topic) ?? []), Number(text)]);
  }
  client.drop();
  for (const [topic, numbers] of found) {
    const first = [...new Set(numbers)];
    expect([topic, first]).toEqual([topic, [...first].sort((a, b) => a - b)]);
  }
}

function keyOf({ topic, text }: Pick<Sent, 'topic' | 'text'>): string {
  return `${topic} ${text}`;
}
