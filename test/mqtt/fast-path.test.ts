import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lesserQos } from '../../internal/lib/qos.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { PacketType, type Publish, type Qos, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { matchesFilter } from '../../internal/topic.ts';
import { anyFilter, anyTopic } from '../support/arbitraries.ts';
import { openDoors, type TestClient, type TestDoors } from './test-doors.ts';

/** A message, and whether it is sent in a way that the fast path of the door does not take. */
const anyMessage = fc.record({
  topic: anyTopic.filter((topic) => !topic.startsWith('$')),
  payload: fc.uint8Array({ maxLength: 40 }),
  isSpecial: fc.boolean(),
});
/** Repeats are what the fast path counts without looking at them again. */
const anyMessages = fc
  .array(fc.tuple(anyMessage, fc.integer({ min: 1, max: 5 })), { maxLength: 20 })
  .map((runs) => runs.flatMap(([message, times]) => Array.from({ length: times }, () => message)));

interface Subscriber {
  speaks: Version | 'frames';
  qos: Qos;
  filters: string[];
}
const anySubscriber: fc.Arbitrary<Subscriber> = fc.record({
  speaks: fc.constantFrom<Version | 'frames'>(3, 4, 5, 'frames'),
  qos: fc.constantFrom<Qos>(0, 1, 2),
  filters: fc.array(
    fc.oneof(
      anyFilter,
      anyFilter.map((filter) => `$share/g/${filter}`),
    ),
    { minLength: 1, maxLength: 3 },
  ),
});
const anyScene = fc.record({
  subscribers: fc.array(anySubscriber, { minLength: 1, maxLength: 5 }),
  messages: anyMessages,
  cuts: fc.array(fc.nat(), { maxLength: 6 }),
});
type Scene = Parameters<Parameters<typeof anyScene.map>[0]>[0];
type Sent = Scene['messages'][number];

describe.each([0, 1] as const)(
  'a PUBLISH of QoS %i that says no more than topic and payload, which goes by the fast path',
  (qos) => {
    it('is delivered as the same message that goes the complete way: the same bytes, in the same order', async () => {
      const [plain4, plain5, withAlias] = [
        encodeIn(4, qos, {}),
        encodeIn(5, qos, {}),
        encodeIn(5, qos, ALIAS),
      ];
      await fc.assert(
        fc.asyncProperty(anyScene, async (scene) => {
          // A topic alias with its topic makes no difference to anybody but the parser.
          const complete = await deliveries(scene, () => withAlias);
          const mixed = await deliveries(scene, ({ isSpecial }) => (isSpecial ? withAlias : plain5));
          const fast = await deliveries(scene, () => plain5);
          const old = await deliveries(scene, () => plain4);
          expect(mixed).toEqual(complete);
          expect(fast).toEqual(complete);
          expect(old).toEqual(complete);
        }),
        { numRuns: 300 },
      );
    }, 120_000);

    it('is delivered to whom it matches, in the bytes of the complete encoder', async () => {
      await fc.assert(
        fc.asyncProperty(anyScene, async ({ subscribers, messages, cuts }) => {
          const alone = subscribers
            .filter(({ speaks }) => speaks !== 'frames')
            .map((each) => ({
              ...each,
              filters: each.filters.filter((filter) => !filter.startsWith('$share')),
            }));
          const found = await deliveries({ subscribers: alone, messages, cuts }, () => encodeIn(5, qos, {}));
          const expected = alone.map(({ speaks, filters, qos: most }) =>
            Buffer.concat(
              messages
                .filter(({ topic }) => filters.some((filter) => matchesFilter(filter, topic)))
                .map((message, index) => {
                  const publish = publishOf(message, lesserQos(qos, most), index + 1, {});
                  return encodePacket(publish, speaks as Version);
                }),
            ).toString('hex'),
          );
          expect(found).toEqual(expected);
        }),
        { numRuns: 300 },
      );
    }, 120_000);
  },
);

const ALIAS = { topicAlias: 1 };

type Encode = (message: Sent, packetId: number) => { version: Version; bytes: Uint8Array };
function encodeIn(version: Version, qos: Qos, properties: Publish['properties']): Encode {
  return (message, packetId) => ({
    version,
    bytes: encodePacket(publishOf(message, qos, packetId, properties), version),
  });
}

/** What each subscriber is sent, in hexadecimal, where the messages are published in this way. */
async function deliveries(
  { subscribers, messages, cuts }: Pick<Scene, 'subscribers' | 'messages' | 'cuts'>,
  encodeAs: (message: Sent) => Encode,
): Promise<string[]> {
  const doors = openDoors();
  const clients: TestClient[] = [];
  for (const [index, subscriber] of subscribers.entries()) {
    clients.push(await subscribe(doors, `subscriber-${index}`, subscriber));
  }
  // Another order than that of the numbers that subscribers get.
  const encoded = messages.map((message, index) => encodeAs(message)(message, 60_000 - index));
  const publisher = await doors.connect(encoded[0]?.version ?? 5, 'publisher');
  const stream = Buffer.concat(encoded.map(({ bytes }) => bytes));
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b);
  for (const [index, end] of ends.entries()) {
    publisher.send(stream.subarray(index === 0 ? 0 : ends[index - 1], end));
    if (index % 2 === 0) await doors.turn();
  }
  await doors.turn();
  const sent = clients.map((client) => client.takeBytes().toString('hex'));
  await doors.close();
  return sent;
}

async function subscribe(
  doors: TestDoors,
  clientId: string,
  { speaks, qos, filters }: Subscriber,
): Promise<TestClient> {
  const client = await doors.connect(speaks, clientId);
  for (const filter of filters) client.subscribe(filter, qos);
  await doors.turn();
  client.takeBytes();
  return client;
}

function publishOf(
  { topic, payload }: Sent,
  qos: Qos,
  packetId: number,
  properties: Publish['properties'],
): Publish {
  const isEmpty = Object.keys(properties).length === 0;
  return {
    ...{ type: PacketType.publish, topic, payload, qos, retain: false, dup: false },
    ...{ packetId: qos > 0 ? packetId : 0, properties: isEmpty ? NO_PROPERTIES : properties },
  };
}
