import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Publication } from '../../broker/delivery/publication.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import { linkPatienceMs } from '../../limits/links.ts';
import { MiB } from '../../limits/units.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';
import { frameEncoding } from '../frames/encoding.ts';
import {
  decodeValues,
  jsonPacket,
  messagesPacket,
  PacketKind,
  readMessages,
  readPacket,
  takenPacket,
} from './packets.ts';
import { PeerLink } from './peer-link.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function opened() {
  const packets: Uint8Array[] = [];
  const counts = { sent: 0, lost: 0 };
  const link = new PeerLink({
    frames: frameEncoding,
    send: (packet) => packets.push(packet),
    sent: (count) => {
      counts.sent += count;
    },
    lost: (count) => {
      counts.lost += count;
    },
  });
  const source = { pauses: 0, pause: () => void source.pauses++, resume: () => void source.pauses-- };
  /** Publishes so many bytes in the turn in hand. */
  const publish = (bytes: number, receipt?: Receipt) => {
    const message = { topic: 'a', payload: new Uint8Array(bytes), clientId: 'c' };
    link.deliver(Publication.ofMessages([message], { receipt, origin: { kind: 'client', clientId: 'c' } }));
    if (link.isFull) link.holdBack(source);
  };
  const sequences = () => packets.map((packet) => readMessages(packet).sequence);
  return { link, packets, counts, source, publish, sequences };
}

describe('a node that takes nothing', () => {
  it('costs its publishers one wait, and then messages, which are counted', () => {
    const { link, counts, source, publish, sequences } = opened();
    for (let index = 0; index < 4; index++) publish(4 * MiB);
    expect([link.isFull, source.pauses, link.isSlow]).toEqual([true, 1, false]);
    vi.advanceTimersByTime(linkPatienceMs);
    expect([source.pauses, link.isSlow, link.wouldDrop()]).toEqual([0, true, true]);
    publish(10);
    publish(10);
    expect([source.pauses, counts]).toEqual([0, { sent: 4, lost: 2 }]);
    for (const sequence of sequences()) link.taken(sequence);
    expect([link.isFull, link.isSlow]).toEqual([false, false]);
    publish(10);
    vi.advanceTimersByTime(1);
    expect(counts).toEqual({ sent: 5, lost: 2 });
  });

  it('lets its publishers go on as soon as half of it is taken', () => {
    const { link, counts, source, publish, sequences } = opened();
    for (let index = 0; index < 5; index++) publish(4 * MiB);
    expect(source.pauses).toBe(1);
    vi.advanceTimersByTime(1);
    for (const sequence of sequences().slice(0, 4)) link.taken(sequence);
    expect([source.pauses, counts.lost]).toEqual([0, 0]);
  });
});

/*
 * Subscribers of that node may be full for longer than the wait for a node, as long as -slow-consumer-wait says: what goes to others
 * there was lost meanwhile.
 */
describe('a node that takes nothing and is heard', () => {
  it('is waited for, as it bounds that itself', () => {
    const { link, counts, source, publish } = opened();
    for (let index = 0; index < 4; index++) publish(4 * MiB);
    for (let beats = 0; beats < 10; beats++) {
      vi.advanceTimersByTime(linkPatienceMs / 2);
      link.heard();
    }
    expect([source.pauses, link.isSlow, counts.lost]).toEqual([1, false, 0]);
    vi.advanceTimersByTime(linkPatienceMs);
    expect([source.pauses, link.isSlow]).toEqual([0, true]);
  });
});

/* Each lost packet took its bytes from the window for ever, and whoever waited for it was never answered. */
describe('packets that did not arrive', () => {
  it('make room, and are counted', () => {
    const { link, counts, source, publish, sequences } = opened();
    for (let index = 0; index < 4; index++) publish(4 * MiB);
    link.flush();
    expect(link.isFull).toBe(true);
    link.missing(1, sequences().at(-1)!);
    expect([link.isFull, link.waitingBytes, source.pauses]).toEqual([false, 0, 0]);
    expect(counts).toEqual({ sent: 4, lost: 4 });
    link.missing(1, sequences().at(-1)!);
    expect(counts.lost).toBe(4);
  });

  it('go once more where somebody waits for what is in them', () => {
    const { link, packets, counts, publish } = opened();
    const receipt = new Receipt();
    publish(3);
    publish(5, receipt);
    vi.advanceTimersByTime(1);
    link.missing(1, 1);
    vi.advanceTimersByTime(1);
    const { sequence, sections } = readMessages(packets[1]!);
    const again = sections.flatMap(({ bytes }) => [...decodeValues(bytes)]);
    expect(again.map(({ message }) => message.payload.length)).toEqual([5]);
    expect([counts.lost, receipt.isSettled]).toEqual([1, false]);
    link.taken(sequence);
    expect(receipt.isSettled).toBe(true);
  });
});

describe('a beat', () => {
  it('asks for packets of which nothing was heard since the one before', () => {
    const { link, publish } = opened();
    const sendOne = () => {
      publish(1);
      link.flush();
    };
    sendOne();
    sendOne();
    expect(link.beat()).toEqual({ sent: 2, oldest: 1, overdue: [] });
    sendOne();
    link.taken(1);
    expect(link.beat()).toEqual({ sent: 3, oldest: 2, overdue: [2] });
    link.taken(2);
    link.missing(3, 3);
    expect(link.beat()).toEqual({ sent: 3, oldest: 4, overdue: [] });
  });
});

describe('a receipt', () => {
  it('is held until the other node has the message, or is gone', () => {
    const { link, publish, sequences } = opened();
    const [first, second, third] = [new Receipt(), new Receipt(), new Receipt()];
    publish(1, first);
    vi.advanceTimersByTime(1);
    publish(1, second);
    vi.advanceTimersByTime(1);
    publish(1, third);
    link.taken(sequences()[0]!);
    expect([first, second, third].map(({ isSettled }) => isSettled)).toEqual([true, false, false]);
    link.close();
    expect([second, third].map(({ isSettled }) => isSettled)).toEqual([true, true]);
  });
});

describe('messages', () => {
  // The end of one chunk took the place of the end of the one before: a message came twice, and another one never.
  it('do not stay where the next frame is written that comes in two chunks', () => {
    const { link, packets } = opened();
    const publication = new Publication(frameEncoding, { kind: 'client', clientId: 'c' });
    const reused = new Uint8Array(64);
    const published = ['one', 'two'].map((text) => {
      const frame = encodeFrame(FrameType.publish, 't', Buffer.from(text), 'c');
      reused.set(frame);
      publication.set(reused, 0, frame.length, 1);
      link.deliver(publication);
      return Buffer.from(frame);
    });
    link.flush();
    const { sections } = readMessages(packets[0]!);
    expect(sections.map(({ bytes }) => Buffer.from(bytes))).toEqual(published);
  });

  it('of a turn leave in one packet, with all that is said of them', () => {
    const { link, packets } = opened();
    const message = {
      ...{
        topic: 't',
        payload: Buffer.from('x'),
        clientId: 'c',
        qos: 1 as const,
        retain: true,
        expiresAtMs: 7,
      },
      properties: {
        correlationData: Uint8Array.of(0, 255),
        userProperties: [['a', 'b']] as [string, string][],
      },
      ...{ readFrom: { log: 'l', logId: new Uint8Array(16).fill(3), partition: 2 }, offset: 9 },
    };
    link.deliver(Publication.ofMessages([message], { origin: { kind: 'log', name: 'l' } }));
    link.deliverShare(Publication.ofMessages([message]), '$share/g/t');
    link.deliver(Publication.ofMessages([message], { origin: { kind: 'node', id: 3 } }));
    expect(packets).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(packets).toHaveLength(1);
    const { sections } = readMessages(packets[0]!);
    const found = sections.flatMap(({ bytes }) => [...decodeValues(bytes)]);
    expect(found.map(({ group }) => group)).toEqual([undefined, '$share/g/t']);
    expect(JSON.stringify(found[0]!.message)).toBe(JSON.stringify(found[1]!.message));
    const { readFrom, properties, payload, ...said } = found[0]!.message;
    expect(said).toEqual({ topic: 't', clientId: 'c', qos: 1, retain: true, expiresAtMs: 7, offset: 9 });
    expect(Buffer.from(payload).toString()).toBe('x');
    expect([properties, readFrom]).toEqual([message.properties, message.readFrom]);
  });
});

it('numbers packets for longer than a node runs', () => {
  const sequence = 2 ** 48 - 1;
  expect(readMessages(messagesPacket(sequence, []))).toEqual({ sequence, sections: [] });
  expect(readPacket(takenPacket(sequence))).toEqual({ kind: PacketKind.taken, sequence });
  const missing = { first: sequence - 1, last: sequence };
  expect(readPacket(jsonPacket(PacketKind.missing, missing))).toEqual({ kind: PacketKind.missing, missing });
});
