import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PacketCursor } from '../../internal/protocol/mqtt/cursor.ts';
import { decodePacket } from '../../internal/protocol/mqtt/decode.ts';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { type Packet, PacketType, VERSIONS, type Version } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { GOLDEN_PACKETS } from '../golden/mqtt-packets.ts';
import type { FakeConnection } from '../support/fake-connection.ts';
import { collectGarbage } from '../support/garbage.ts';
import { randomFrom } from '../support/random.ts';
import { anyPacket } from './arbitrary-packets.ts';
import { connectBytes, openDoors, subscribeBytes } from './test-doors.ts';

/** `make fuzz` looks for longer: then it is millions. */
const FUZZ_SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const WARM_UP_PACKETS = 50_000;
const LEAST_PACKETS = 150_000;
/** The topics that the broker remembers are bounded, but may be more or fewer each time. */
const MOST_BYTES_LEFT = 16 * 1024 * 1024;
const NOTHING = new Uint8Array(0);
/** So few that they are no loop, and enough to come to a session that is there. */
const CONNECTS_OF_ONE_CLIENT = 20;

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a connection was sent, which has to be whole packets of its version. */
function answers(connection: FakeConnection, version: Version): Packet[] {
  const bytes = Buffer.concat(connection.written);
  connection.written.length = 0;
  const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  const packets: Packet[] = [];
  let at = 0;
  for (; cursor.read(bytes, at, bytes.length); at = cursor.end) {
    packets.push(decodePacket(bytes, cursor, version));
  }
  expect(at).toBe(bytes.length);
  return packets;
}

afterEach(() => {
  vi.useRealTimers();
});

describe.each([...VERSIONS])('whatever a client of version %i sends', (version) => {
  const mutation = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    how: fc.constantFrom('set', 'insert', 'remove'),
  });
  const seeds = GOLDEN_PACKETS.filter(({ versions }) => versions.includes(version)).map(({ hex }) =>
    Buffer.from(hex.replaceAll(' ', ''), 'hex'),
  );
  const stream = fc
    .tuple(
      fc.array(
        fc.oneof(
          fc.constantFrom(...seeds),
          anyPacket(version).map((packet) => Buffer.from(encodePacket(packet, version))),
        ),
        { minLength: 1, maxLength: 12 },
      ),
      fc.array(mutation, { maxLength: 3 }),
    )
    .map(([packets, changes]) => {
      const bytes = [...Buffer.concat(packets)];
      for (const { at, byte, how } of changes) {
        bytes.splice(at % (bytes.length + 1), how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [byte]));
      }
      return Uint8Array.from(bytes);
    });

  it('the broker answers with whole packets or closes, and serves the others as before', async () => {
    const doors = openDoors();
    const { errors } = doors;
    const watcher = doors.open(connectBytes(4, 'watcher'));
    watcher.handler.bytes(subscribeBytes(4, 'alive', 1));
    await turn();
    answers(watcher, 4);
    let round = 0;
    // A client that connects again and again in a loop is slowed, whatever it sends.
    const named = (name: string) => `${name} ${Math.floor(round / CONNECTS_OF_ONE_CLIENT)}`;
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.nat(), { maxLength: 4 }),
        fc.boolean(),
        async (bytes, cuts, isFirst) => {
          const connection = doors.open(isFirst ? new Uint8Array(0) : connectBytes(version, named('fuzz')));
          const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          for (const [index, end] of ends.entries()) {
            connection.handler.bytes(bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
            if (index % 2 === 0) await turn();
          }
          await turn();
          await turn();
          if (!isFirst) answers(connection, version);
          connection.handler.closed();
          const alive = doors.open(connectBytes(4, named('alive')));
          const publish = {
            type: PacketType.publish,
            topic: 'alive',
            payload: Buffer.from(String(++round)),
            qos: 1,
            retain: false,
            dup: false,
            packetId: 1,
            properties: NO_PROPERTIES,
          } satisfies Packet;
          alive.handler.bytes(encodePacket(publish, 4));
          await turn();
          const received = answers(watcher, 4).filter(
            (packet) => packet.type === PacketType.publish && String(packet.payload) === String(round),
          ) as { packetId: number }[];
          expect(received).toHaveLength(1);
          const { packetId } = received[0];
          const puback = { type: PacketType.puback, packetId, reasonCode: 0, properties: NO_PROPERTIES };
          watcher.handler.bytes(encodePacket(puback as Packet, 4));
          alive.handler.closed();
          expect(errors).toEqual([]);
        },
      ),
      { numRuns: 400 },
    );
    await doors.close();
  });

  it('comes to the same however it is cut: answers, messages, and whether the connection ends', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const outcome = async (bytes: Uint8Array, ends: readonly number[], hasTurns: boolean) => {
      const doors = openDoors();
      const watchers = [await doors.connect(5, 'five'), await doors.connect('frames', 'frames')];
      for (const watcher of watchers) watcher.subscribe('#', 2);
      const connection = doors.open(connectBytes(version, 'fuzz'));
      await doors.turn();
      for (const watcher of watchers) watcher.takeBytes();
      for (const [index, end] of ends.entries()) {
        connection.handler.bytes(bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
        if (hasTurns) await turn();
      }
      await doors.turn();
      const written = [Buffer.concat(connection.written), ...watchers.map((watcher) => watcher.takeBytes())];
      const { isEnded } = connection;
      await doors.close();
      return { isEnded, written: written.map((each) => each.toString('hex')), errors: doors.errors };
    };
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.boolean(),
        async (bytes, cuts, hasTurns) => {
          const whole = await outcome(bytes, [bytes.length], false);
          const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          expect(await outcome(bytes, ends, hasTurns)).toEqual(whole);
          const single = Array.from(bytes, (_, index) => index + 1);
          expect(await outcome(bytes, single, false)).toEqual(whole);
        },
      ),
      { numRuns: 150 },
    );
  }, 120_000);

  it(
    'leaves nothing behind, however much of it comes',
    async () => {
      const doors = openDoors();
      const random = randomFrom(version);
      let packets = 0;
      /** One client that sends a few packets, most of them damaged in a byte or two. */
      const attack = async () => {
        const chosen = Array.from({ length: 8 }, () => seeds[random(seeds.length)]);
        const bytes = Buffer.concat(chosen);
        for (let change = random(4); change > 0; change--) bytes[random(bytes.length)] = random(256);
        const connection = doors.open(connectBytes(version, 'fuzz', true));
        connection.handler.bytes(bytes.subarray(0, bytes.length - random(5)));
        packets += chosen.length;
        if (packets % 64 === 0) await turn();
        connection.handler.closed();
      };
      const settle = async () => {
        await doors.turn();
        const { retained } = doors.broker;
        for (const message of [...retained.find('#', 0)]) retained.set({ ...message, payload: NOTHING });
        collectGarbage();
        return process.memoryUsage().heapUsed;
      };
      while (packets < WARM_UP_PACKETS) await attack();
      const before = await settle();
      const deadline = performance.now() + FUZZ_SECONDS * 1_000;
      while (performance.now() < deadline || packets < LEAST_PACKETS) await attack();
      expect((await settle()) - before).toBeLessThan(MOST_BYTES_LEFT);
      expect(doors.broker.clientCount).toBe(0);
      expect(doors.errors).toEqual([]);
      await doors.close();
    },
    (FUZZ_SECONDS + 120) * 1_000,
  );
});
