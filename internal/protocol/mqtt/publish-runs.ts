import { copyRun } from '../../lib/bytes.ts';
import { PacketCursor } from './cursor.ts';
import { PACKET_ID_BYTES, PacketType, QOS_SHIFT } from './packet.ts';
import { writeVarint } from './writer.ts';

/*
 * Runs: PUBLISH packets with QoS 1, without DUP, RETAIN and properties, that lie one behind the other. A broker that passes them on
 * changes nothing in them but their packet identifiers.
 */

/** The first byte of a PUBLISH with QoS 0, without DUP and RETAIN. */
export const PLAIN_PUBLISH = PacketType.publish << 4;
/** The same with QoS 1. */
export const ACKNOWLEDGED_PUBLISH = PLAIN_PUBLISH | (1 << QOS_SHIFT);
const NO_BYTES = new Uint8Array(0);
const NO_PROPERTIES_BYTES = new Uint8Array(1);
const TOPIC_LENGTH_BYTES = 2;

/** Writes packet identifiers into the run between `start` and `end`: `first`, and one more with each packet. */
export function numberPackets(bytes: Uint8Array, start: number, end: number, first: number): void {
  const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  let packetId = first;
  for (let at = start; at < end; at = cursor.end) {
    cursor.read(bytes, at, end);
    const idAt = packetIdAt(bytes, cursor.bodyStart);
    bytes[idAt] = packetId >>> 8;
    bytes[idAt + 1] = packetId;
    packetId++;
  }
}

/** The same messages with QoS 0, which have no packet identifiers. */
export function withoutPacketIds(run: Uint8Array): Uint8Array {
  return rewritten(run, PLAIN_PUBLISH, (idAt) => ({
    from: idAt,
    to: idAt + PACKET_ID_BYTES,
    into: NO_BYTES,
  }));
}

/** A run of an older version in version 5, where it says that it has no properties. */
export function withNoProperties(run: Uint8Array): Uint8Array {
  return rewritten(run, ACKNOWLEDGED_PUBLISH, (idAt) => {
    const payloadAt = idAt + PACKET_ID_BYTES;
    return { from: payloadAt, to: payloadAt, into: NO_PROPERTIES_BYTES };
  });
}

/** A run of version 5 in an older one. */
export function withoutProperties(run: Uint8Array): Uint8Array {
  return rewritten(run, ACKNOWLEDGED_PUBLISH, (idAt) => {
    const propertiesAt = idAt + PACKET_ID_BYTES;
    return { from: propertiesAt, to: propertiesAt + NO_PROPERTIES_BYTES.length, into: NO_BYTES };
  });
}

/** Bytes of a packet that others take the place of. */
interface Replacement {
  from: number;
  to: number;
  into: Uint8Array;
}

/** @param replace says what to put where, with the place of a packet's identifier. */
function rewritten(run: Uint8Array, firstByte: number, replace: (idAt: number) => Replacement): Uint8Array {
  // Each gets one byte at most, and its length another one.
  const bytes = new Uint8Array(run.length + 2 * countPackets(run));
  const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  let end = 0;
  for (let at = 0; at < run.length; at = cursor.end) {
    cursor.read(run, at, run.length);
    const { bodyStart } = cursor;
    const { from, to, into } = replace(packetIdAt(run, bodyStart));
    bytes[end] = firstByte;
    end = writeVarint(bytes, end + 1, cursor.end - bodyStart - (to - from) + into.length);
    end = copyRun(run, bodyStart, from, bytes, end);
    end = copyRun(into, 0, into.length, bytes, end);
    end = copyRun(run, to, cursor.end, bytes, end);
  }
  return bytes.subarray(0, end);
}

function countPackets(run: Uint8Array): number {
  const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  let count = 0;
  for (let at = 0; at < run.length; at = cursor.end, count++) cursor.read(run, at, run.length);
  return count;
}

function packetIdAt(bytes: Uint8Array, bodyStart: number): number {
  return bodyStart + TOPIC_LENGTH_BYTES + ((bytes[bodyStart]! << 8) | bytes[bodyStart + 1]!);
}
