import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Channel, type ChannelLimits, type Source } from './channel.ts';
import { type Encoding, Publication } from './publication.ts';
import { Turn } from './turn.ts';

const lines: Encoding = {
  name: 'lines',
  decode: (run) =>
    Buffer.from(run)
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((line) => ({ topic: 't', clientId: 'c', payload: Buffer.from(line) })),
  encode: (messages) => Buffer.from(messages.map(({ payload }) => `${Buffer.from(payload)}\n`).join('')),
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a channel', () => {
  it('writes everything of a turn at once, in order', () => {
    const { channel, sink } = setUp();
    deliver(channel, '1', '2');
    channel.control(Buffer.from('answer\n'));
    deliver(channel, '3');
    expect(sink.writes).toEqual([]);
    endTurn();
    expect(sink.writes).toEqual(['1\n2\nanswer\n3\n']);
    expect(channel.delivered).toBe(3);
  });

  it('hands a long run on as it lies and copies short ones together', () => {
    const { channel, sink } = setUp();
    const long = Buffer.from(`${'x'.repeat(10_000)}\n`);
    channel.deliver(new Publication(lines).set(long, 0, long.length, 1));
    deliver(channel, 'a', 'b');
    endTurn();
    expect(sink.buffers[0]!.buffer).toBe(long.buffer);
    expect(sink.buffers).toHaveLength(2);
  });

  it('never writes a buffer again that it handed over', () => {
    const { channel, sink } = setUp();
    const before: string[] = [];
    for (let turn = 0; turn < 200; turn++) {
      deliver(
        channel,
        ...Array.from({ length: turn % 7 }, (_, index) => `${turn}.${index}`.repeat(turn % 13)),
      );
      endTurn();
      for (const bytes of sink.buffers.slice(before.length)) before.push(Buffer.from(bytes).toString());
    }
    expect(sink.buffers.map((bytes) => Buffer.from(bytes).toString())).toEqual(before);
  });

  it('encodes once for all channels that want another encoding', () => {
    const encode = vi.fn(lines.encode);
    const shouting: Encoding = { name: 'shouting', decode: lines.decode, encode };
    const one = setUp({}, shouting);
    const other = setUp({}, shouting);
    const publication = publicationOf('a', 'b');
    one.channel.deliver(publication);
    other.channel.deliver(publication);
    endTurn();
    expect(one.sink.writes).toEqual(['a\nb\n']);
    expect(other.sink.writes).toEqual(['a\nb\n']);
    expect(encode).toHaveBeenCalledTimes(1);
  });
});

describe('a full channel', () => {
  it('accepts the run in hand whole, then holds its publisher back until it has drained', () => {
    const { channel, sink } = setUp({ channelSize: 3 });
    const feeder = new FakeSource();
    sink.isFull = true;
    feed(channel, feeder, '1');
    endTurn();
    expect(feeder.pauses).toBe(0);
    feed(channel, feeder, '2', '3', '4', '5', '6');
    expect(feeder.pauses).toBe(1);
    endTurn();
    expect(sink.writes).toEqual(['1\n']);
    sink.isFull = false;
    channel.ready();
    expect(sink.writes.join('')).toBe('1\n2\n3\n4\n5\n6\n');
    expect(feeder.pauses).toBe(0);
    expect(channel.dropped).toBe(0);
  });

  it('is one by its bytes as well', () => {
    const { channel, sink } = setUp({ channelBytes: 100 });
    const feeder = new FakeSource();
    sink.isFull = true;
    feed(channel, feeder, '1');
    endTurn();
    feed(channel, feeder, 'x'.repeat(99));
    expect(feeder.pauses).toBe(1);
  });

  it('lets everybody go when it closes', () => {
    const { channel, sink } = setUp({ channelSize: 1 });
    const feeder = new FakeSource();
    const asker = new FakeSource();
    fill(channel, sink, feeder);
    channel.holdBackAsker(asker);
    channel.close();
    expect([feeder.pauses, asker.pauses]).toEqual([0, 0]);
    deliver(channel, 'late');
    endTurn();
    expect(sink.writes).toEqual(['first\n']);
  });
});

describe('a channel that does not drain in time', () => {
  it('drop-new: keeps what waits, drops what comes, and says how much when it is over', () => {
    const { channel, sink, events } = setUp({ channelSize: 2, slowConsumerWaitMs: 1000 });
    const feeder = new FakeSource();
    fill(channel, sink, feeder, 'a', 'b');
    vi.advanceTimersByTime(999);
    expect(channel.isSlow).toBe(false);
    vi.advanceTimersByTime(1);
    expect(channel.isSlow).toBe(true);
    expect(feeder.pauses).toBe(0);
    feed(channel, feeder, 'c', 'd', 'e');
    expect(feeder.pauses).toBe(0);
    drain(channel, sink);
    expect(sink.writes.join('')).toBe('first\na\nb\n');
    deliver(channel, 'f');
    endTurn();
    expect(sink.writes.at(-1)).toBe('f\n');
    expect(events).toEqual(['slow', 'dropped 3', 'recovered 3']);
    expect(channel.dropped).toBe(3);
  });

  it('drop-oldest: keeps the newest messages, and every answer', () => {
    const { channel, sink, events } = setUp({ channelSize: 2, slowConsumer: 'drop-oldest' });
    fill(channel, sink, new FakeSource(), 'a', 'b');
    vi.advanceTimersByTime(1000);
    channel.control(Buffer.from('answer\n'));
    for (const line of ['c', 'd', 'e']) deliver(channel, line);
    expect(channel.waitingMessages).toBe(2);
    drain(channel, sink);
    expect(sink.writes.join('')).toBe('first\nanswer\nd\ne\n');
    expect(channel.dropped).toBe(3);
    expect(events.at(-1)).toBe('recovered 3');
  });

  it('drop-oldest: keeps a newest run that alone is more than the bound', () => {
    const { channel, sink } = setUp({ channelSize: 2, slowConsumer: 'drop-oldest' });
    fill(channel, sink, new FakeSource(), 'a', 'b');
    vi.advanceTimersByTime(1000);
    deliver(channel, 'c', 'd', 'e', 'f');
    drain(channel, sink);
    expect(sink.writes.join('')).toBe('first\nc\nd\ne\nf\n');
  });

  it('gets no patience for ten waits after it recovered', () => {
    const { channel, sink } = setUp({ channelSize: 1, slowConsumerWaitMs: 1000 });
    const feeder = new FakeSource();
    fill(channel, sink, feeder, 'a');
    vi.advanceTimersByTime(1000);
    drain(channel, sink);
    fill(channel, sink, feeder, 'b');
    expect(channel.isSlow).toBe(true);
    expect(feeder.pauses).toBe(0);
    drain(channel, sink);
    vi.advanceTimersByTime(10_000);
    fill(channel, sink, feeder, 'c');
    expect(channel.isSlow).toBe(false);
    expect(feeder.pauses).toBe(1);
  });

  it('is not slow when it drains before the wait is over', () => {
    const { channel, sink, events } = setUp({ channelSize: 1, slowConsumerWaitMs: 1000 });
    fill(channel, sink, new FakeSource(), 'a');
    vi.advanceTimersByTime(999);
    drain(channel, sink);
    vi.advanceTimersByTime(5000);
    expect(events).toEqual([]);
  });
});

class FakeSource implements Source {
  pauses = 0;

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }
}

class FakeSink {
  isFull = false;
  readonly buffers: Uint8Array[] = [];
  readonly writes: string[] = [];

  write(buffers: readonly Uint8Array[]): boolean {
    this.buffers.push(...buffers);
    this.writes.push(Buffer.concat(buffers).toString());
    return !this.isFull;
  }
}

function setUp(limits: Partial<ChannelLimits> = {}, encoding = lines) {
  const sink = new FakeSink();
  const events: string[] = [];
  const channel = new Channel(
    encoding,
    sink,
    { channelSize: 100, channelBytes: 1e6, slowConsumer: 'drop-new', slowConsumerWaitMs: 1000, ...limits },
    new Turn(),
    {
      slow: () => events.push('slow'),
      recovered: (dropped) => events.push(`recovered ${dropped}`),
      dropped: (count) => events.push(`dropped ${count}`),
    },
  );
  return { channel, sink, events };
}

function publicationOf(...texts: string[]): Publication {
  const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
  return new Publication(lines).set(bytes, 0, bytes.length, texts.length);
}

function deliver(channel: Channel, ...texts: string[]): void {
  if (texts.length > 0) channel.deliver(publicationOf(...texts));
}

/** What the broker does for each target of a run. */
function feed(channel: Channel, feeder: Source, ...texts: string[]): void {
  deliver(channel, ...texts);
  if (channel.isFull) channel.holdBack(feeder);
}

/** Blocks the sink with a first message and lets these wait. */
function fill(channel: Channel, sink: FakeSink, feeder: Source, ...texts: string[]): void {
  sink.isFull = true;
  deliver(channel, 'first');
  endTurn();
  feed(channel, feeder, ...(texts.length > 0 ? texts : ['waits']));
  endTurn();
}

function drain(channel: Channel, sink: FakeSink): void {
  sink.isFull = false;
  channel.ready();
}

function endTurn(): void {
  vi.advanceTimersByTime(0);
  vi.runAllTicks();
}
