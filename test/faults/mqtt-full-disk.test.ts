import { describe, expect, it } from 'vitest';
import { type Connect, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { ReasonCode, SUBACK_FAILURE } from '../../internal/protocol/mqtt/reason-codes.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { answerOf, expectLiveTraffic, numberOf, startOnDisk, textOf } from '../mqtt/full-disk.ts';
import { canMountSmallDisk, mountSmallDisk } from '../mqtt/small-disk.ts';
import type { BrokerProcess } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

/** Options of a client whose session outlasts its connection. */
function lasting(version: Version, clientId: string): Partial<Connect> {
  const properties = version === 5 ? { sessionExpiryIntervalS: 0xffff_ffff } : {};
  return { clientId, cleanStart: false, properties };
}

/** A session that waits for `kept/#` without a connection. */
async function sleepingSession(broker: BrokerProcess, version: Version): Promise<void> {
  const client = await connectMqtt(broker.url, version, lasting(version, 'sleeper'));
  await client.subscribe('kept/#', 2);
  client.disconnect();
  await client.ended();
}

/** What the session has got, each text once for each time that it came. */
async function slept(broker: BrokerProcess, version: Version, last: string): Promise<string[]> {
  const client = await connectMqtt(broker.url, version, lasting(version, 'sleeper'));
  const numbers: string[] = [];
  while (numbers.at(-1) !== last) numbers.push(numberOf((await client.message()).payload));
  await client.expectSilence();
  client.drop();
  return numbers;
}

describe.skipIf(!canMountSmallDisk())('a full disk (where a small one can be mounted), MQTT', () => {
  it.each([1, 2] as const)(
    'version 5, QoS %i: messages for lasting sessions are refused with 0x83, live ones go on, and it recovers',
    async (qos) => {
      using disk = mountSmallDisk()!;
      await using broker = await startOnDisk(disk.dataDir);
      await sleepingSession(broker, 5);
      const live = await connectMqtt(broker.url, 5);
      await live.subscribe('live');
      const publisher = await connectMqtt(broker.url, 5, lasting(5, 'publisher'));
      const accepted: string[] = [];
      let number = 0;
      const publish = async (): Promise<{ reasonCode: number; reason: string | undefined }> => {
        const packetId = publisher.publish('kept/a', textOf(number), { qos });
        const answer = await publisher.next(qos === 1 ? PacketType.puback : PacketType.pubrec);
        const { reasonCode, properties } = answer;
        if (reasonCode === 0) {
          accepted.push(`${number}`);
          if (qos === 2) {
            publisher.answer(PacketType.pubrel, packetId);
            await publisher.next(PacketType.pubcomp);
          }
        }
        number++;
        return { reasonCode, reason: properties.reasonString };
      };

      let answer = await publish();
      while (answer.reasonCode === 0) answer = await publish();
      for (let count = 0; count < 3; count++) {
        expect(answer.reasonCode).toBe(ReasonCode.implementationSpecific);
        expect(answer.reason).toMatch(/^store-unavailable: /);
        await expectLiveTraffic(publisher, live);
        expect((await publisher.subscribe('more/#', 1)).reasonCodes).toEqual([
          ReasonCode.implementationSpecific,
        ]);
        answer = await publish();
      }

      disk.free();
      await eventually(async () => (await publish()).reasonCode === 0, 'room for a message');
      expect((await publisher.subscribe('more/#', 1)).reasonCodes).toEqual([1]);
      await expectLiveTraffic(publisher, live);
      for (const client of [live, publisher]) client.drop();
      const got = await slept(broker, 5, accepted.at(-1)!);
      expect(got).toEqual(expect.arrayContaining(accepted));
      expect(got).toEqual([...new Set(got)]);
      expect((await broker.stop()).code).toBe(0);
    },
    120_000,
  );

  it.each([1, 2] as const)(
    'version 3.1.1, QoS %i: messages for lasting sessions are not acknowledged, live ones go on, and it recovers',
    async (qos) => {
      using disk = mountSmallDisk()!;
      await using broker = await startOnDisk(disk.dataDir);
      await sleepingSession(broker, 4);
      const livePublisher = await connectMqtt(broker.url, 4);
      const live = await connectMqtt(broker.url, 4);
      await live.subscribe('live');
      let publisher = await connectMqtt(broker.url, 4, lasting(4, 'publisher'));
      let number = 0;
      let isDup = false;
      /** Sends the message that is not acknowledged, and waits for its answer or the end of the connection. */
      const publish = async (): Promise<boolean> => {
        const packetId = number + 1;
        publisher.publish('kept/a', textOf(number), { qos, packetId, dup: isDup });
        isDup = true;
        if ((await answerOf(publisher)) === undefined) return false;
        if (qos === 2) {
          publisher.answer(PacketType.pubrel, packetId);
          if ((await answerOf(publisher)) === undefined) return false;
        }
        number++;
        isDup = false;
        return true;
      };
      const again = async (): Promise<boolean> => {
        publisher.drop();
        publisher = await connectMqtt(broker.url, 4, lasting(4, 'publisher'));
        return publish();
      };

      while (await publish());
      for (let count = 0; count < 3; count++) {
        await expectLiveTraffic(livePublisher, live);
        expect(await again()).toBe(false);
      }
      const subscriber = await connectMqtt(broker.url, 4, lasting(4, 'subscriber'));
      expect((await subscriber.subscribe('more/#', 1)).reasonCodes).toEqual([SUBACK_FAILURE]);

      disk.free();
      await eventually(again, 'room for a message');
      expect((await subscriber.subscribe('more/#', 1)).reasonCodes).toEqual([1]);
      expect(await publish()).toBe(true);
      for (const client of [live, livePublisher, publisher, subscriber]) client.drop();
      const got = await slept(broker, 4, `${number - 1}`);
      const sent = Array.from({ length: number }, (_, index) => `${index}`);
      expect([...new Set(got)]).toEqual(sent);
      if (qos === 2) expect(got).toEqual(sent);
      expect((await broker.stop()).code).toBe(0);
    },
    120_000,
  );
});
