import { describe, expect, it } from 'vitest';
import { PacketType, type PublishAnswer, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode } from '../../internal/protocol/mqtt/reason-codes.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { answerOf, expectLiveTraffic, numberOf, startOnDisk, textOf } from '../mqtt/full-disk.ts';
import { canMountSmallDisk, mountSmallDisk } from '../mqtt/small-disk.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

const CASES = ([4, 5] as const).flatMap((version) => ([1, 2] as const).map((qos) => ({ version, qos })));

describe.skipIf(!canMountSmallDisk())(
  'a full disk (where a small one can be mounted), MQTT and a log',
  () => {
    it.each(CASES)(
      'version $version, QoS $qos: what the log cannot take is not acknowledged, live messages go on, and it recovers',
      async ({ version, qos }) => {
        using disk = mountSmallDisk()!;
        await using broker = await startOnDisk(disk.dataDir, ['-log', 'kept/#']);
        const live = await connectMqtt(broker.url, version);
        await live.subscribe('live');
        const other = await connectMqtt(broker.url, version);
        const publisher = new Publisher(broker, version, qos);
        await publisher.connect();

        while (await publisher.publish());
        for (let count = 0; count < 3; count++) {
          await expectLiveTraffic(other, live);
          for (const liveQos of [1, 2] as const) {
            await other.publishSafely('live', 'safe', { qos: liveQos });
            expect(await live.texts(1)).toEqual(['live safe']);
          }
          // What the store tidied up meanwhile makes room for some more.
          while (await publisher.publish());
        }

        disk.free();
        await eventually(() => publisher.publish(), 'room for a message');
        expect(await publisher.publish()).toBe(true);
        await expectLiveTraffic(other, live);
        expect(await replayed(broker, publisher.accepted.at(-1)!)).toEqual(
          expect.arrayContaining(publisher.accepted),
        );
        for (const client of [live, other]) client.drop();
        publisher.drop();
        expect((await broker.stop()).code).toBe(0);
      },
      120_000,
    );
  },
);

/** Publishes one message after the other to a topic that is kept, by the rules of its version. */
class Publisher {
  /** What was acknowledged. */
  readonly accepted: string[] = [];
  readonly #broker: BrokerProcess;
  readonly #version: Version;
  readonly #qos: 1 | 2;
  #client: RawMqtt | undefined;
  #number = 0;
  #isDup = false;

  constructor(broker: BrokerProcess, version: Version, qos: 1 | 2) {
    this.#broker = broker;
    this.#version = version;
    this.#qos = qos;
  }

  async connect(): Promise<void> {
    this.#client?.drop();
    const options = { clientId: 'publisher', cleanStart: false };
    this.#client = await connectMqtt(this.#broker.url, this.#version, options);
  }

  /** Whether the next message was acknowledged; before version 5 it is the same one until it is. */
  async publish(): Promise<boolean> {
    const client = this.#client!;
    const packetId = this.#number + 1;
    client.publish('kept/a', textOf(this.#number), { qos: this.#qos, packetId, dup: this.#isDup });
    const answer = (await answerOf(client)) as PublishAnswer | undefined;
    if (answer === undefined) return this.#sendAgain();
    expect([answer.type, answer.packetId]).toEqual([
      this.#qos === 1 ? PacketType.puback : PacketType.pubrec,
      packetId,
    ]);
    const isRefused = answer.reasonCode >= ReasonCode.unspecified;
    if (isRefused) {
      expect(answer.reasonCode).toBe(ReasonCode.implementationSpecific);
      expect(answer.properties.reasonString).toMatch(/^store-unavailable: /);
    } else if (this.#qos === 2) {
      client.answer(PacketType.pubrel, packetId);
      const end = await answerOf(client);
      // The release of a session that lasts is written too.
      if (end === undefined) return this.#sendAgain();
      expect(end).toMatchObject({ type: PacketType.pubcomp, packetId, reasonCode: 0 });
    }
    if (!isRefused) this.accepted.push(`${this.#number}`);
    this.#isDup = false;
    this.#number++;
    return !isRefused;
  }

  async #sendAgain(): Promise<false> {
    expect(this.#version).toBe(4);
    this.#isDup = true;
    await this.connect();
    return false;
  }

  drop(): void {
    this.#client?.drop();
  }
}

/** What the log has up to a message, by numbers; each is there once. */
async function replayed(broker: BrokerProcess, last: string): Promise<string[]> {
  const client = await connectMqtt(broker.url, 5);
  await client.subscribe('$replay/earliest/kept/#');
  const numbers: string[] = [];
  while (numbers.at(-1) !== last) numbers.push(numberOf((await client.message()).payload));
  client.drop();
  expect(numbers).toEqual([...new Set(numbers)]);
  return numbers;
}
