import { expect, it } from 'vitest';
import { openDoors } from '../../../test/mqtt/test-doors.ts';
import { publishPacket } from '../../../test/support/mqtt-door.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';
import { encodePacket } from '../../protocol/mqtt/encode.ts';
import { PacketType } from '../../protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../protocol/mqtt/properties.ts';
import type { Connection } from '../../transport/connection.ts';

const FRAMES = [1, 2, 3].map(() => encodeFrame(FrameType.publish, 'a', 'x', 'c'));
const PACKETS = ([0, 1, 2] as const).map((qos) => encodePacket(publishPacket('a', qos, qos), 5));
const DISCONNECT = { type: PacketType.disconnect, reasonCode: 0, properties: NO_PROPERTIES } as const;

// A client of MQTT that said DISCONNECT in the chunk of its last messages had sent none by then, as far as its limits
// went: all that its connection had counted was given back to the user.
it.each([
  ['frames', Buffer.concat([...FRAMES, encodeFrame(FrameType.disconnect, '', '', 'c')])],
  [5, Buffer.concat([...PACKETS, encodePacket(DISCONNECT, 5)])],
] as const)('what a client of %s sent stays counted when it goes', async (speaks, chunk) => {
  const doors = openDoors();
  const { connection } = await doors.connect(speaks, 'c');
  const told: number[] = [];
  (connection as Connection).meter = {
    ...{ sent: (_, hasRoom) => hasRoom, sending() {}, paused() {}, resumed() {} },
    received: (messages) => told.push(messages),
  };
  connection.handler.bytes(chunk);
  expect(told).toEqual([3]);
  await doors.close();
});
