import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { handOverBytes } from '../../limits/broker.ts';
import { Channel, type ChannelLimits, type Source } from './channel.ts';
import { ChannelTotal } from './channel-total.ts';
import { Patience } from './patience.ts';
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
    expect(sink.buffers[0].buffer).toBe(long.buffer);
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
    const { channel, sink, events } = setUp({ channelSize: 3 });
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
    expect(events).toEqual([]);
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

// Twenty frozen dashboards stalled a publisher for a second each, one after the other, while one that read got a fifth of
// what it gets alone. Time that a publisher waited in vain is not waited again for the next one.
describe('subscribers that are stuck, one after the other', () => {
  it('cost a publisher one wait in all', () => {
    const feeder = new PatientSource();
    for (let index = 0; index < 20; index++) {
      const { channel, sink } = setUp({ channelSize: 2 });
      fill(channel, sink, feeder, 'a', 'b');
      const began = performance.now();
      while (feeder.pauses > 0) vi.advanceTimersByTime(1);
      feeder.waitedMs += performance.now() - began;
      expect(channel.isSlow).toBe(true);
    }
    expect(feeder.waitedMs).toBeGreaterThanOrEqual(1000);
    expect(feeder.waitedMs).toBeLessThan(1500);
  });

  it('that are full at once are waited for at once', () => {
    const feeder = new PatientSource();
    const channels = Array.from({ length: 20 }, () => setUp({ channelSize: 2 }));
    for (const { channel, sink } of channels) fill(channel, sink, feeder, 'a', 'b');
    expect(feeder.pauses).toBe(20);
    vi.advanceTimersByTime(1000);
    expect(feeder.pauses).toBe(0);
  });

  it('leave a healthy one its wait, and what it was waited for is not lost', () => {
    const feeder = new PatientSource();
    const healthy = setUp({ channelSize: 2 });
    // It is full again and again, and comes down each time.
    for (let index = 0; index < 100; index++) {
      fill(healthy.channel, healthy.sink, feeder, 'a', 'b');
      vi.advanceTimersByTime(90);
      drain(healthy.channel, healthy.sink);
    }
    const stuck = setUp({ channelSize: 2 });
    fill(stuck.channel, stuck.sink, feeder, 'a', 'b');
    vi.advanceTimersByTime(999);
    expect(stuck.channel.isSlow).toBe(false);
    vi.advanceTimersByTime(1);
    expect(stuck.channel.isSlow).toBe(true);
    fill(healthy.channel, healthy.sink, feeder, 'a', 'b');
    vi.advanceTimersByTime(90);
    drain(healthy.channel, healthy.sink);
    expect(healthy.events).toEqual([]);
  });

  it('cost others nothing: each publisher has its own patience', () => {
    const one = new PatientSource();
    const other = new PatientSource();
    const first = setUp({ channelSize: 2 });
    fill(first.channel, first.sink, one, 'a', 'b');
    vi.advanceTimersByTime(1000);
    const second = setUp({ channelSize: 2 });
    fill(second.channel, second.sink, other, 'a', 'b');
    vi.advanceTimersByTime(999);
    expect(second.channel.isSlow).toBe(false);
    drain(second.channel, second.sink);
  });
});

describe('the time that a publisher waits', () => {
  it('counts from when the socket last took something: what took long to fill is slow at once', () => {
    const { channel, sink } = setUp({ channelSize: 3 });
    const feeder = new FakeSource();
    fill(channel, sink, feeder, 'a');
    vi.advanceTimersByTime(1000);
    feed(channel, feeder, 'b', 'c');
    expect([channel.isSlow, feeder.pauses]).toEqual([true, 0]);
  });

  it('begins anew, once, where the socket takes something meanwhile', () => {
    const { channel, sink } = setUp({ channelSize: 2 });
    const feeder = new FakeSource();
    fill(channel, sink, feeder);
    vi.advanceTimersByTime(900);
    for (let index = 0; index < 6; index++) feed(channel, feeder, LARGE);
    vi.advanceTimersByTime(50);
    // It takes a part of what waits, and no more.
    channel.ready();
    expect(channel.waitingMessages).toBeGreaterThan(1);
    vi.advanceTimersByTime(949);
    expect(channel.isSlow).toBe(false);
    vi.advanceTimersByTime(1);
    expect(channel.isSlow).toBe(true);
  });
});

describe('what a socket gets at once', () => {
  it('is a part of what waits, in order, and large messages are cut', () => {
    const { channel, sink } = setUp({ channelSize: 1e6, channelBytes: 1e9 });
    sink.isFull = true;
    deliver(channel, 'first');
    endTurn();
    const texts = ['a', LARGE, 'b', LARGE.repeat(5), 'c', 'd'];
    for (const text of texts) deliver(channel, text);
    channel.control(Buffer.from('answer\n'));
    let written = sink.writes.length;
    while (channel.waitingBytes + channel.waitingControlBytes > 0) {
      channel.ready();
      expect(sink.writes[written++].length).toBeLessThanOrEqual(3 * handOverBytes);
    }
    expect(written).toBeGreaterThan(4);
    expect(sink.writes.join('') === `first\n${texts.join('\n')}\nanswer\n`).toBe(true);
    expect(channel.delivered).toBe(texts.length + 1);
  });

  it('is everything when the connection ends', () => {
    const { channel, sink } = setUp({ channelSize: 1e6, channelBytes: 1e9 });
    sink.isFull = true;
    deliver(channel, 'first');
    endTurn();
    deliver(channel, LARGE.repeat(5), 'last');
    channel.finish();
    expect(sink.writes.join('') === `first\n${LARGE.repeat(5)}\nlast\n`).toBe(true);
  });

  it('lets somebody go who waited for it, though more came meanwhile', () => {
    const { channel, sink } = setUp({ channelSize: 1e6, channelBytes: 1e9 });
    const asker = new FakeSource();
    sink.isFull = true;
    deliver(channel, LARGE);
    endTurn();
    channel.holdBackAsker(asker);
    channel.ready();
    for (let index = 0; index < 5; index++) deliver(channel, LARGE);
    for (let index = 0; index < 3; index++) channel.ready();
    expect(channel.waitingMessages).toBeGreaterThan(0);
    expect(asker.pauses).toBe(0);
  });
});

describe('a message that is kept', () => {
  it('makes no publisher of others wait, however large it is', () => {
    const { channel, sink } = setUp({ channelBytes: 100 });
    const feeder = new FakeSource();
    sink.isFull = true;
    channel.enqueueUndroppable(Buffer.from(LARGE));
    endTurn();
    channel.enqueueUndroppable(Buffer.from(LARGE));
    feed(channel, feeder, 'a');
    expect([channel.isFull, feeder.pauses]).toEqual([false, 0]);
  });
});

describe('all channels together', () => {
  it('have a bound, and leave some of it to the next one', () => {
    const total = new ChannelTotal(1_000_000);
    const channels = Array.from({ length: 200 }, () =>
      setUp({ channelSize: 1e9, channelBytes: 1e9 }, lines, total),
    );
    for (const { channel, sink } of channels) {
      sink.isFull = true;
      deliver(channel, 'first');
      endTurn();
      let before = -1;
      for (; !channel.isFull && channel.waitingBytes > before; endTurn()) {
        before = channel.waitingBytes;
        deliver(channel, 'x'.repeat(10));
      }
      expect(channel.waitingBytes).toBeGreaterThan(0);
    }
    expect(channels[0].channel.waitingBytes).toBeGreaterThan(100_000);
    expect(total.bytes).toBeLessThan(1_010_000);
    for (const { channel } of channels) channel.close();
    expect(total.bytes).toBe(0);
  });
});

/** More than the socket gets at once. */
const LARGE = 'x'.repeat(handOverBytes + 1);

class PatientSource implements Source {
  readonly patience = new Patience();
  waitedMs = 0;
  pauses = 0;

  pause(): void {
    this.pauses++;
  }

  resume(): void {
    this.pauses--;
  }
}

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

function setUp(limits: Partial<ChannelLimits> = {}, encoding = lines, total?: ChannelTotal) {
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
    total,
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
