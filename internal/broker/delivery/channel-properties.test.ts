import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { copiedSliceBytes } from '../../limits/broker.ts';
import { Channel, SLOW_CONSUMER_POLICIES, type Source } from './channel.ts';
import { type Encoding, Publication } from './publication.ts';
import { Turn } from './turn.ts';

const encoding: Encoding = { name: 'lines', decode: () => [], encode: () => new Uint8Array(0) };
const CHANNEL_SIZE = 20;
const CHANNEL_BYTES = 20_000;
const WAIT_MS = 1000;
const LARGEST_RUN = 8;
const LONGEST_PADDING = 2 * copiedSliceBytes;

/** What happens around a channel: runs, answers, ends of turns, a socket that is full or has room, time. */
const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('deliver' as const),
      count: fc.integer({ min: 1, max: LARGEST_RUN }),
      padding: fc.oneof(fc.nat(30), fc.nat(300), fc.nat(LONGEST_PADDING)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('control' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('kept' as const),
      padding: fc.oneof(fc.nat(30), fc.nat(LONGEST_PADDING)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('end of turn' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('socket' as const), isFull: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(3 * WAIT_MS) }) },
);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe.each(SLOW_CONSUMER_POLICIES)('a channel with %s, whatever happens around it', (slowConsumer) => {
  it('loses nothing in silence, keeps the order and its bound, and leaves nobody waiting', () => {
    const property = fc.property(fc.array(anyStep, { maxLength: 80 }), (steps) => {
      const sink = new RecordingSink();
      const feeder = new CountingSource();
      let closedWith = 0;
      let dropped = 0;
      const channel: Channel = new Channel(
        encoding,
        sink,
        {
          channelSize: CHANNEL_SIZE,
          channelBytes: CHANNEL_BYTES,
          slowConsumer,
          slowConsumerWaitMs: WAIT_MS,
        },
        new Turn(),
        {
          slow() {
            if (slowConsumer !== 'disconnect') return;
            closedWith = channel.waitingMessages;
            channel.close();
          },
          recovered() {},
          dropped(count) {
            dropped += count;
          },
        },
      );
      let messages = 0;
      let answers = 0;
      let kept = 0;
      let accepted = 0;
      let isOpen = true;

      for (const step of steps) {
        if (step.kind === 'deliver') {
          const lines = Array.from({ length: step.count }, (_, index) => {
            return `m ${messages + index} ${'x'.repeat(Math.trunc(step.padding / step.count))}\n`;
          });
          messages += step.count;
          if (isOpen) accepted += step.count;
          // The run lies somewhere in a chunk, as it came from a socket.
          const chunk = Buffer.from(`before${lines.join('')}after`);
          channel.deliver(new Publication(encoding).set(chunk, 6, chunk.length - 5, step.count));
          if (channel.isFull) channel.holdBack(feeder);
        } else if (step.kind === 'control') {
          channel.control(Buffer.from(`c ${answers++} after ${messages}\n`));
        } else if (step.kind === 'kept') {
          const line = Buffer.from(`k ${kept++} ${'x'.repeat(step.padding)}\n`);
          const start = channel.makeRoomUndroppable(line.length);
          channel.room.set(line, start);
        } else if (step.kind === 'socket') {
          const hadRoom = !sink.isFull;
          sink.isFull = step.isFull;
          if (!hadRoom && !step.isFull) channel.ready();
        } else if (step.kind === 'time') {
          vi.advanceTimersByTime(step.ms);
        } else {
          vi.advanceTimersByTime(0);
        }
        isOpen = !(slowConsumer === 'disconnect' && closedWith > 0);
        expect(feeder.pauses === 0 || (feeder.pauses === 1 && channel.isFull)).toBe(true);
        expect(channel.delivered + dropped + channel.waitingMessages + closedWith).toBe(accepted);
        const isBlocked = sink.isFull && sink.written.length > 0;
        if (slowConsumer === 'drop-oldest' && channel.isSlow && isBlocked) {
          expect(channel.waitingMessages).toBeLessThanOrEqual(CHANNEL_SIZE + LARGEST_RUN);
          // What is kept counts against no mark.
          if (kept === 0)
            expect(channel.waitingBytes).toBeLessThanOrEqual(CHANNEL_BYTES + LONGEST_PADDING + 100);
        }
      }

      sink.isFull = false;
      channel.ready();
      vi.advanceTimersByTime(0);
      expect(feeder.pauses).toBe(0);
      const lines = sink.text().split('\n').slice(0, -1);
      const numbers = lines.filter((line) => line.startsWith('m')).map((line) => Number(line.split(' ')[1]));
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(numbers).toHaveLength(channel.delivered);
      const given = lines.filter((line) => line.startsWith('c')).map((line) => Number(line.split(' ')[1]));
      expect(given).toEqual(Array.from({ length: isOpen ? answers : given.length }, (_, index) => index));
      const keptNumbers = lines
        .filter((line) => line.startsWith('k'))
        .map((line) => Number(line.split(' ')[1]));
      expect(keptNumbers).toEqual(
        Array.from({ length: isOpen ? kept : keptNumbers.length }, (_, index) => index),
      );
      expectAnswersInPlace(lines.filter((line) => !line.startsWith('k')));
      expect(sink.wereWrittenAgain()).toEqual([]);
    });
    fc.assert(property, { numRuns: 400 });
  });
});

describe.each(['drop-new', 'drop-oldest'] as const)('what waits, with %s,', (slowConsumer) => {
  it('does not keep the chunk alive that it is a small part of', () => {
    const sink = new RecordingSink();
    let dropped = 0;
    const channel = new Channel(
      encoding,
      sink,
      { channelSize: CHANNEL_SIZE, channelBytes: 1e9, slowConsumer, slowConsumerWaitMs: WAIT_MS },
      new Turn(),
      { slow() {}, recovered() {}, dropped: (count) => (dropped += count) },
    );
    sink.isFull = true;
    channel.control(Buffer.from('blocks the sink'));
    vi.advanceTimersByTime(0);
    const turns = slowConsumer === 'drop-new' ? CHANNEL_SIZE / 2 : 5 * CHANNEL_SIZE;
    for (let turn = 0; turn < turns; turn++) {
      const chunk = new Uint8Array(65_536).fill(turn);
      for (const length of [copiedSliceBytes + 1, 20]) {
        channel.deliver(new Publication(encoding).set(chunk, 100, 100 + length, 1));
      }
      vi.advanceTimersByTime(turn === CHANNEL_SIZE ? WAIT_MS : 0);
    }
    const waited = channel.waitingBytes;
    sink.written.length = 0;
    channel.ready();
    const buffers = new Set(sink.written.map(({ bytes }) => bytes.buffer));
    const reserved = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(waited).toBe((CHANNEL_SIZE / 2) * (copiedSliceBytes + 21));
    expect(dropped > 0).toBe(slowConsumer === 'drop-oldest');
    expect(reserved).toBeLessThanOrEqual(2 * waited);
  });
});

/** Each answer says how many messages had come before it; none of those comes later, and none that is newer earlier. */
function expectAnswersInPlace(lines: string[]): void {
  let newest = -1;
  for (const line of lines) {
    const words = line.split(' ');
    if (words[0] === 'm') {
      newest = Number(words[1]);
    } else {
      expect(newest).toBeLessThan(Number(words[3]));
      const later = lines.slice(lines.indexOf(line)).find((other) => other.startsWith('m'));
      if (later !== undefined) expect(Number(later.split(' ')[1])).toBeGreaterThanOrEqual(Number(words[3]));
    }
  }
}

class RecordingSink {
  isFull = false;
  readonly written: { bytes: Uint8Array; copy: Buffer }[] = [];

  write(buffers: readonly Uint8Array[]): boolean {
    for (const bytes of buffers) this.written.push({ bytes, copy: Buffer.from(bytes) });
    return !this.isFull;
  }

  text(): string {
    return Buffer.concat(this.written.map(({ copy }) => copy)).toString();
  }

  wereWrittenAgain(): string[] {
    return this.written.filter(({ bytes, copy }) => !copy.equals(bytes)).map(({ copy }) => copy.toString());
  }
}

class CountingSource implements Source {
  pauses = 0;

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }
}
