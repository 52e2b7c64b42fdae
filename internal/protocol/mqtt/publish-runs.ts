import { copyRun } from '../../lib/bytes.ts';
import { PacketCursor } from './cursor.ts';
import { PacketType } from './packet.ts';
import { writeVarint } from './writer.ts';

/*
 * Runs: PUBLISH packets with QoS 1, without DUP, RETAIN and properties, that lie one behind the other. A broker that passes them on
 * changes nothing in them but their packet identifiers.
 */

const PLAIN_PUBLISH = PacketType.publish << 4;
const TOPIC_LENGTH_BYTES = 2;
const PACKET_ID_BYTES = 2;

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
  const plain = new Uint8Array(run.length);
  const cursor = new PacketCursor(Number.POSITIVE_INFINITY);
  let end = 0;
  for (let at = 0; at < run.length; at = cursor.end) {
    cursor.read(run, at, run.length);
    const { bodyStart } = cursor;
    const idAt = packetIdAt(run, bodyStart);
    plain[end] = PLAIN_PUBLISH;
    end = writeVarint(plain, end + 1, cursor.end - bodyStart - PACKET_ID_BYTES);
    end = copyRun(run, bodyStart, idAt, plain, end);
    end = copyRun(run, idAt + PACKET_ID_BYTES, cursor.end, plain, end);
  }
  return plain.subarray(0, end);
}

function packetIdAt(bytes: Uint8Array, bodyStart: number): number {
  return bodyStart + TOPIC_LENGTH_BYTES + ((bytes[bodyStart] << 8) | bytes[bodyStart + 1]);
}
