import { describe, expect, it } from 'vitest';
import { type Packet, PacketType, type Publish } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { eventually } from '../support/eventually.ts';
import { HeldEntries } from '../support/held-entries.ts';
import { type DoorClient, mqttDoor, publishPacket } from '../support/mqtt-door.ts';
import { randomFrom } from '../support/random.ts';

/*
 * Messages with QoS 1 that come in one chunk go to a subscriber in one piece. It may do with each what it may do with a message
 * that came alone.
 */

const LASTING_S = 600;
const FILTER = 'a/#';

type Version = 4 | 5;
const versions: Version[] = [4, 5];

/** A subscriber with or without a session that lasts, and a publisher. */
class Scene {
  readonly #version: Version;
  readonly #isLasting: boolean;
  readonly #publisherVersion: Version;
  readonly #qos: 1 | 2;
  readonly #entries = new HeldEntries();
  #door!: Awaited<ReturnType<typeof mqttDoor>>;
  me!: DoorClient;
  #publisher!: DoorClient;
  #published = 0;
  /** By packet identifier, in their order. */
  readonly answered: number[] = [];

  constructor(version: Version, isLasting: boolean, publisherVersion = version, qos: 1 | 2 = 1) {
    this.#version = version;
    this.#isLasting = isLasting;
    this.#publisherVersion = publisherVersion;
    this.#qos = qos;
  }

  /** @param isAlone whether each message goes alone, because somebody looks at messages on their way. */
  async begin(isAlone: boolean): Promise<this> {
    await this.#open(isAlone);
    const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    this.me.send({
      ...{ type: PacketType.subscribe, packetId: 1, properties: NO_PROPERTIES },
      subscriptions: [{ filter: FILTER, qos: this.#qos, ...plain }],
    });
    await this.me.packets();
    // Who acknowledges at once is waited for.
    this.publish(1);
    for (const { packetId } of await this.heard()) this.acknowledge(packetId);
    return this;
  }

  async #open(isAlone: boolean): Promise<Publish[]> {
    this.#door = await mqttDoor({ entries: this.#entries });
    if (isAlone) this.#door.broker.tracing.start({ filter: 'elsewhere' }, () => true);
    const heard = await this.comeAgain();
    this.#publisher = await this.#door.connected(this.#publisherVersion, { clientId: 'publisher' });
    return heard;
  }

  async comeAgain(): Promise<Publish[]> {
    const isOld = this.#version === 4;
    const properties = isOld || !this.#isLasting ? NO_PROPERTIES : { sessionExpiryIntervalS: LASTING_S };
    this.me = this.#door.connecting(this.#version, {
      ...{ clientId: 'me', cleanStart: !this.#isLasting, properties },
    });
    return this.heard();
  }

  /** The broker ends in good order, and starts again with what it has written. */
  async startAgain(isAlone: boolean): Promise<Publish[]> {
    await this.close();
    return this.#open(isAlone);
  }

  async close(): Promise<void> {
    const { keeper, close } = this.#door;
    await keeper.flush();
    for (const packet of await this.#publisher.packets()) this.#note(packet);
    await close();
  }

  publish(count: number, topic = 'a/b'): void {
    const packets: Publish[] = [];
    for (let index = 0; index < count; index++) packets.push(publishPacket(topic, 1, ++this.#published));
    this.#publisher.send(...packets);
  }

  acknowledge(...packetIds: number[]): void {
    const type = PacketType.puback;
    this.me.send(
      ...packetIds.map((packetId) => ({ type, packetId, reasonCode: 0, properties: NO_PROPERTIES })),
    );
  }

  /** The messages that came since. */
  async heard(): Promise<Publish[]> {
    return (await this.me.packets()).filter(({ type }) => type === PacketType.publish) as Publish[];
  }

  get unacknowledged(): number {
    return this.#door.metrics.snapshot().session_messages_unacknowledged!;
  }

  get written(): number {
    return this.#entries.writes;
  }

  /** Waits until the publisher has its answer to everything. */
  async allAnswered(): Promise<void> {
    await eventually(async () => {
      for (const packet of await this.#publisher.packets()) this.#note(packet);
      return this.answered.length === this.#published;
    }, 'the answers to all messages');
  }

  #note(packet: Packet): void {
    if (packet.type === PacketType.puback) this.answered.push(packet.packetId);
  }
}

const texts = (messages: readonly Publish[]) =>
  messages.map(
    ({ topic, packetId, payload, dup }) =>
      `${packetId} ${topic} ${Buffer.from(payload)}${dup ? ' again' : ''}`,
  );

describe.each(versions)('messages with QoS 1 that came in one chunk, version %i', (version) => {
  it('are acknowledged in any order, and come again where they were not', async () => {
    const scene = await new Scene(version, true).begin(false);
    scene.publish(5);
    const ids = (await scene.heard()).map(({ packetId }) => packetId);
    expect([ids, scene.unacknowledged]).toEqual([[2, 3, 4, 5, 6], 5]);
    scene.acknowledge(2, 3);
    expect(scene.unacknowledged).toBe(3);
    scene.acknowledge(5);
    expect(scene.unacknowledged).toBe(2);
    scene.me.drop();
    expect(texts(await scene.comeAgain())).toEqual(['4 a/b 4 again', '6 a/b 6 again']);
    expect(texts(await scene.startAgain(false))).toEqual(['4 a/b 4 again', '6 a/b 6 again']);
    await scene.close();
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('are heard as if each had come alone, seed %i', async (seed) => {
    for (const isLasting of [true, false]) {
      const random = randomFrom(seed);
      const others = [versions[seed % 2]!, seed % 3 === 0 ? 2 : 1] as const;
      const alone = await new Scene(version, isLasting, ...others).begin(true);
      const inRuns = await new Scene(version, isLasting, ...others).begin(false);
      const both = [alone, inRuns];
      let open: number[] = [];
      for (let step = 0; step < 50; step++) {
        const choice = random(12);
        if (choice < 5) {
          const count = 1 + random(8);
          const topic = ['a/b', 'a/c', 'a'][random(3)]!;
          for (const scene of both) scene.publish(count, topic);
        } else if (choice < 9) {
          const acknowledged = open.splice(0, random(open.length + 1));
          for (const scene of both) scene.acknowledge(...acknowledged);
        } else if (choice < 10 && open.length > 0) {
          const [acknowledged] = open.splice(random(open.length), 1);
          for (const scene of both) scene.acknowledge(acknowledged!);
        } else if (choice < 11 && isLasting) {
          for (const scene of both) scene.me.drop();
          const [first, second] = await Promise.all(both.map((scene) => scene.comeAgain()));
          expect(texts(second!)).toEqual(texts(first!));
          open = first!.map(({ packetId }) => packetId);
        } else if (isLasting && random(3) === 0) {
          const first = await alone.startAgain(true);
          expect(texts(await inRuns.startAgain(false))).toEqual(texts(first));
          open = first.map(({ packetId }) => packetId);
        }
        const [first, second] = await Promise.all(both.map((scene) => scene.heard()));
        expect(texts(second!)).toEqual(texts(first!));
        expect(inRuns.unacknowledged).toBe(alone.unacknowledged);
        open.push(...first!.map(({ packetId }) => packetId));
      }
      for (const scene of both) scene.acknowledge(...open);
      await Promise.all(both.map((scene) => scene.allAnswered()));
      expect(inRuns.answered).toEqual(alone.answered);
      for (const scene of both) await scene.close();
    }
  });
});
