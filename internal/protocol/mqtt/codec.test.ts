import { describe, expect, it } from 'vitest';
import { PartialUnit } from '../partial.ts';
import { PacketCursor } from './cursor.ts';
import { decodePacket } from './decode.ts';
import { encodePacket } from './encode.ts';
import { BROKEN_PACKETS, GOLDEN_PACKETS } from './golden-packets.ts';
import { MqttError } from './mqtt-error.ts';
import { type Packet, PacketType, type Version } from './packet.ts';
import { mayCarry, ReasonCode, reasonName } from './reason-codes.ts';

const MAX_PACKET_BYTES = 1024 * 1024;

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

/** Decodes the one packet that these bytes are. */
function decode(bytes: Uint8Array, version: Version): Packet {
  const cursor = new PacketCursor(MAX_PACKET_BYTES);
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
