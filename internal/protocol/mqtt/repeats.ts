import { LAST_PACKET_ID, PACKET_ID_BYTES, PacketType, PUBACK_BYTES } from './packet.ts';

const WORD_BYTES = 8;
/** A PUBACK without its packet identifier. */
const PUBACK_WORD = (PacketType.puback << 28) | (2 << 16);

/**
 * How many packets from `at` on repeat the PUBLISH that ends there in everything but the payload. That packet is of
 * `size` bytes, of which the first `head` lie before its payload, and its topic is valid.
 *
 * This is where a broker of small messages spends its time. It compares eight bytes at once, as floating point numbers,
 * the only such words that a DataView reads without making an object. Numbers compare like bytes but for two exceptions.
 * NaN differs from itself: such a packet is not counted, and the caller looks at it once more. 0 equals -0: no word here
 * is either, as each has a byte of the topic (which has no NUL) or the first one, which is not 0.
 */
export function countRepeats(bytes: DataView, at: number, limit: number, size: number, head: number): number {
  if (at + size > limit) return 0;
  if (head < WORD_BYTES) return countShort(bytes, at, limit, size, head);
  const first = at - size;
  const lastWord = head - WORD_BYTES;
  const begin = bytes.getFloat64(first, true);
  const end = bytes.getFloat64(first + lastWord, true);
  let count = 0;
  for (let packet = at; packet + size <= limit; packet += size) {
    if (bytes.getFloat64(packet + lastWord, true) !== end || bytes.getFloat64(packet, true) !== begin) break;
    let index = WORD_BYTES;
    while (
      index < lastWord &&
      bytes.getFloat64(first + index, true) === bytes.getFloat64(packet + index, true)
    ) {
      index += WORD_BYTES;
    }
    if (index < lastWord) break;
    count++;
  }
  return count;
}

/**
 * The same for a PUBLISH that has a packet identifier at `idAt`, behind its topic, and no properties: they may have any other
 * identifier. What is none is not counted.
 *
 * @param head the bytes before the payload.
 */
export function countNumberedRepeats(
  bytes: DataView,
  at: number,
  limit: number,
  size: number,
  { idAt, head }: { idAt: number; head: number },
): number {
  const alike = countRepeats(bytes, at, limit, size, idAt);
  const hasProperties = head > idAt + PACKET_ID_BYTES;
  for (let index = 0, packet = at; index < alike; index++, packet += size) {
    // [MQTT-2.2.1-3]
    if (bytes.getUint16(packet + idAt) === 0) return index;
    if (hasProperties && bytes.getUint8(packet + head - 1) !== 0) return index;
  }
  return alike;
}

/**
 * How many PUBACKs that say no more than what they acknowledge lie from `at` on, each with the packet identifier behind that of
 * the one before.
 *
 * @param first the packet identifier of the first one.
 */
export function countAcknowledged(bytes: DataView, at: number, limit: number, first: number): number {
  let count = 0;
  for (let next = at; next + PUBACK_BYTES <= limit; next += PUBACK_BYTES, count++) {
    if (bytes.getUint32(next) !== PUBACK_WORD + first + count || first + count > LAST_PACKET_ID) break;
  }
  return count;
}

/** The shortest PUBLISH has a head of five bytes, so two overlapping words of four cover what is shorter than eight. */
function countShort(bytes: DataView, at: number, limit: number, size: number, head: number): number {
  const first = at - size;
  const begin = bytes.getInt32(first, true);
  const end = bytes.getInt32(first + head - 4, true);
  let count = 0;
  for (let packet = at; packet + size <= limit; packet += size) {
    if (bytes.getInt32(packet, true) !== begin || bytes.getInt32(packet + head - 4, true) !== end) break;
    count++;
  }
  return count;
}
