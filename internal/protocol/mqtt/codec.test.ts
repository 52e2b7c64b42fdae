import { describe, expect, it } from 'vitest';
import { BROKEN_PACKETS, GOLDEN_PACKETS } from '../../../test/golden/mqtt-packets.ts';
import { PartialUnit } from '../partial.ts';
import { PacketCursor } from './cursor.ts';
import { decodePacket } from './decode.ts';
import { encodePacket } from './encode.ts';
import { MqttError } from './mqtt-error.ts';
import { type Packet, PacketType, type Version } from './packet.ts';
import { NO_PROPERTIES } from './properties.ts';
import { mayCarry, ReasonCode, reasonName } from './reason-codes.ts';

const MAX_PACKET_BYTES = 1024 * 1024;

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

/** Decodes the one packet that these bytes are. */
function decode(bytes: Uint8Array, version: Version): Packet {
  const cursor = new PacketCursor(MAX_PACKET_BYTES);
  cursor.disregardsFlags = version === 3;
  if (!cursor.read(bytes, 0, bytes.length)) throw new Error('the packet is not complete');
  expect(cursor.end).toBe(bytes.length);
  return decodePacket(bytes, cursor, version);
}

describe.each(GOLDEN_PACKETS)('$name', ({ versions, hex, packet, isDecodedOnly }) => {
  it.each([...versions])('is decoded, version %i', (version) => {
    expect(decode(bytesOf(hex), version)).toEqual(packet);
  });

  it.skipIf(isDecodedOnly).each([...versions])('is encoded, version %i', (version) => {
    expect(Buffer.from(encodePacket(packet, version)).toString('hex')).toBe(hex.replaceAll(' ', ''));
  });

  it('is complete with its last byte and no earlier', () => {
    const bytes = bytesOf(hex);
    const cursor = new PacketCursor(MAX_PACKET_BYTES);
    for (let limit = 0; limit < bytes.length; limit++) expect(cursor.read(bytes, 0, limit)).toBe(false);
    expect(cursor.read(bytes, 0, bytes.length)).toBe(true);
  });

  it('comes byte by byte', () => {
    const bytes = bytesOf(hex);
    const cursor = new PacketCursor(MAX_PACKET_BYTES);
    const partial = new PartialUnit();
    partial.keep(bytes, 0, 1);
    for (let at = 1; at < bytes.length; at++) {
      expect(partial.takeWhole(cursor)).toBeUndefined();
      expect(partial.fill(bytes.subarray(at, at + 1), cursor)).toBe(1);
    }
    expect(Buffer.from(partial.takeWhole(cursor)!)).toEqual(bytes);
    expect(partial.isEmpty).toBe(true);
  });
});

describe.each(BROKEN_PACKETS)('$name', ({ versions, hex, reason }) => {
  it.each([...versions])(`is ${reason}, version %i`, (version) => {
    let error: unknown;
    try {
      decode(bytesOf(hex), version);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(MqttError);
    expect(reasonName((error as MqttError).reasonCode)).toBe(reasonName(ReasonCode[reason]));
    expect((error as MqttError).message).not.toBe('');
  });
});

describe('what versions before 5 forgive', () => {
  it('takes DUP on SUBSCRIBE from 3.1', () => {
    expect(decode(bytesOf('8a 06 0001 0001 61 00'), 3)).toMatchObject({ type: PacketType.subscribe });
  });

  it.each([
    ['PINGREQ', 'cf 00'],
    ['PUBREL', '6d 02 0001'],
    ['UNSUBSCRIBE', 'a8 05 0001 0001 61'],
    ['DISCONNECT', 'e1 00'],
  ])('disregards the flags that %s has no use for, of 3.1', (_, hex) => {
    const bytes = bytesOf(hex);
    expect(decode(bytes, 3)).toMatchObject({ type: bytes[0] >>> 4 });
    expect(() => decode(bytes, 4)).toThrow('with flags');
  });

  it('disregards the six bits beside the QoS that SUBSCRIBE of 3.1 has no use for', () => {
    const subscriptions = [{ filter: 'a', qos: 1, noLocal: false, retainAsPublished: false }];
    expect(decode(bytesOf('82 06 0001 0001 61 fd'), 3)).toMatchObject({ subscriptions });
  });

  // MQTT 3.1, section 3.1: "the Remaining Length field from the fixed header takes precedence over the User Name flag".
  it.each([
    ['both flags and neither string', 'c2', '', {}],
    ['both flags and only the user name', 'c2', '000175', { userName: 'u' }],
    ['the flag of the user name alone', '82', '', {}],
    ['the flag of the password alone', '42', '', {}],
    ['a user name that no flag announces', '02', '000175', {}],
    ['will QoS and will retain without a will', '3a', '', {}],
    ['the reserved flag', '03', '', {}],
  ])('takes CONNECT of 3.1 with %s', (_, flags, tail, expected) => {
    const body = `0006 4d5149736470 03 ${flags} 003c 0001 61 ${tail}`.replaceAll(' ', '');
    const bytes = bytesOf(`10 ${(body.length / 2).toString(16).padStart(2, '0')} ${body}`);
    const connect = decode(bytes, 3);
    const plain = { type: PacketType.connect, version: 3, cleanStart: true, keepAliveS: 60, clientId: 'a' };
    expect(connect).toEqual({ ...plain, properties: NO_PROPERTIES, ...expected });
  });

  it.each([
    ['a password without a user name', '42', '000170'],
    ['half a user name', '82', '0002 75'],
    ['will QoS 3', '1e', '0001 74 0000'],
  ])('does not take CONNECT of 3.1 with %s', (_, flags, tail) => {
    const body = `0006 4d5149736470 03 ${flags} 003c 0001 61 ${tail}`.replaceAll(' ', '');
    const bytes = bytesOf(`10 ${(body.length / 2).toString(16).padStart(2, '0')} ${body}`);
    expect(() => decode(bytes, 3)).toThrow(MqttError);
  });

  it('takes DUP with QoS 0 from 3.1', () => {
    expect(decode(bytesOf('38 03 0001 61'), 3)).toMatchObject({ topic: 'a', dup: true });
  });

  it('allows a password without a user name in version 5', () => {
    const connect = decode(bytesOf('10 10 0004 4d515454 05 42 0000 00 0000 0001 70'), 5);
    expect(connect).toMatchObject({ password: Buffer.from('p') });
  });

  it('leaves out what a version has no place for', () => {
    const disconnect: Packet = {
      type: PacketType.disconnect,
      reasonCode: ReasonCode.serverShuttingDown,
      properties: { reasonString: 'bye' },
    };
    expect(Buffer.from(encodePacket(disconnect, 4)).toString('hex')).toBe('e000');
  });
});

describe('packets that are cut', () => {
  it('reserves no memory for a length that is only claimed', () => {
    const cursor = new PacketCursor(268_435_460);
    const partial = new PartialUnit();
    const start = bytesOf('30 ffffff7f 0001 61');
    partial.keep(start, 0, start.length);
    expect(partial.fill(new Uint8Array(10_000), cursor)).toBe(10_000);
    expect(partial.reservedBytes).toBeLessThan(20_100);
    expect(partial.takeWhole(cursor)).toBeUndefined();
  });

  it('says that a packet is too large as soon as its length is there', () => {
    const cursor = new PacketCursor(100);
    expect(cursor.read(bytesOf('30 62'), 0, 2)).toBe(false);
    expect(() => cursor.read(bytesOf('30 63'), 0, 2)).toThrow(
      'PUBLISH of 101 bytes; at most 100 are accepted',
    );
  });

  it('refuses flags before the length is there', () => {
    expect(() => new PacketCursor(100).read(bytesOf('c1'), 0, 1)).toThrow(MqttError);
  });
});

describe('reason codes', () => {
  it('have names', () => {
    expect(reasonName(0x8e)).toBe('Session taken over');
    expect(reasonName(0xee)).toBe('0xee');
    expect(mayCarry('connack', 0x85)).toBe(true);
    expect(mayCarry('disconnect', 0x85)).toBe(false);
  });
});
