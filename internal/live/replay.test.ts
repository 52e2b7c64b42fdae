import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { appendMessages, appendTexts, openLogs, turn } from '../../test/support/logs.ts';
import type { TryingStore } from '../../test/support/trying-store.ts';
import { CODECS } from '../batch/compression/compression.ts';
import type { Source } from '../broker/delivery/channel.ts';
import type { Message } from '../broker/delivery/publication.ts';
import { replayReadBytes } from '../limits/live.ts';
import type { Logs } from '../log/logs.ts';
import { MIXED_CONFIG } from './capture.ts';
import { Replay, type ReplayTarget } from './replay.ts';
import { parseReplay, type ReplayRequest } from './replay-filter.ts';

/** Keeps what a replay delivers, and may refuse to take more. */
class Target implements ReplayTarget {
  readonly got: string[] = [];
  readonly problems: string[] = [];
  deliveries = 0;
  /** Deliveries that it takes before it wants to be asked again. */
  room = Number.POSITIVE_INFINITY;
  #waiting: Source | undefined;

  deliver(messages: readonly Message[]): void {
    expect(this.room).toBeGreaterThan(0);
    this.room--;
    this.deliveries++;
    for (const { topic, payload } of messages) this.got.push(`${topic} ${Buffer.from(payload)}`);
  }

  holdsBack(source: Source): boolean {
    if (this.room > 0) return false;
    if (this.#waiting === undefined) {
      this.#waiting = source;
      source.pause();
    }
    return true;
  }

  takeMore(deliveries: number): void {
    this.room = deliveries;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resume();
  }

  damaged(error: Error): void {
    this.problems.push(`damaged: ${error.message}`);
  }

  failed(error: Error): void {
    this.problems.push(`failed: ${error.message}`);
  }
}

function replaying(logs: Logs, filter: string, nowMs = 10_000) {
  const target = new Target();
  const replay = new Replay(logs, parseReplay(`$replay/${filter}`, nowMs) as ReplayRequest, target);
  replay.start();
  onTestFinished(() => replay.stop());
  return { target, replay, got: target.got };
}

/** Some turns, in which nothing more must happen than what a test then looks at. */
async function settled(): Promise<void> {
  for (let count = 0; count < 20; count++) await turn();
}

/** `a 0`, `a 1`… */
function numbered(topic: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${topic} ${from + index}`);
}

/** A log with ten messages, two in each batch, at 1000, 1000, 2000, 2000… */
async function tenMessages(options: Parameters<typeof openLogs>[0] = {}) {
  const opened = await openLogs(options);
  const topic = await opened.logs.topicOrNew('a');
  for (let number = 0; number < 10; number += 2) {
    await appendTexts(topic, [`${number}`, `${number + 1}`], { timestamp: 1000 + number * 500 });
  }
  return { ...opened, topic };
}

describe('a replay begins', () => {
  it.each([
    ['earliest', 0],
    ['latest', 10],
    ['0', 0],
    ['3', 3],
    ['10', 10],
    ['-8s', 2],
    ['-7.9s', 4],
    ['-1h', 0],
    ['-0s', 10],
    ['1970-01-01T00:00:03Z', 4],
    ['2970-01-01', 10],
  ])('at %s and goes on with what comes', async (start, first) => {
    for (const tailCacheBytes of [1e6, 1]) {
      const { logs, topic } = await tenMessages({ tailCacheBytes });
      const { got } = replaying(logs, `${start}/a`);
      await appendTexts(topic, ['10'], { timestamp: 1e15 });
      await settled();
      expect(got).toEqual(numbered('a', first, 11));
    }
  });

  it('at an offset that is not there yet when it comes', async () => {
    const { logs, topic } = await tenMessages();
    const { got } = replaying(logs, '12/a');
    await appendTexts(topic, ['10', '11', '12']);
    await appendTexts(topic, ['13']);
    await settled();
    expect(got).toEqual(['a 12', 'a 13']);
  });

  it('with the first record that is still there', async () => {
    const { logs, topic } = await tenMessages();
    await topic.partitions[0].deleteUntil(5);
    for (const start of ['earliest', '2']) {
      const { got } = replaying(logs, `${start}/a`);
      await settled();
      expect(got).toEqual(numbered('a', 5, 10));
    }
  });

  it('leaves out records of an older time that stand behind newer ones', async () => {
    const { logs } = await openLogs();
    const topic = await logs.topicOrNew('a');
    for (const timestamp of [3000, 1000, 2000, 500, 4000]) {
      await appendTexts(topic, [`${timestamp}`], { timestamp });
    }
    const { got } = replaying(logs, '1970-01-01T00:00:02Z/a');
    await settled();
    expect(got).toEqual(['a 3000', 'a 2000', 'a 4000']);
  });

  it('by time misses nothing that is appended while the store looks', async () => {
    const { logs, store, topic } = await tenMessages();
    store.holdReads();
    const { got } = replaying(logs, '-1s/a');
    await turn();
    await appendTexts(topic, ['10'], { timestamp: 9500 });
    store.releaseReads();
    await settled();
    expect(got).toEqual(['a 10']);
  });
});

describe('a replay that goes on where another one was', () => {
  const ALL = Number.NEGATIVE_INFINITY;

  function goingOn(logs: Logs, filter: string, positions: ReplayRequest['positions'], goesOn = true) {
    const target = new Target();
    const request = parseReplay(`$replay/${filter}`, 10_000) as ReplayRequest;
    const replay = new Replay(logs, { ...request, positions, goesOn }, target);
    replay.start();
    onTestFinished(() => replay.stop());
    return target;
  }

  it.each(['earliest', 'latest', '3', '5', '-1s', '9'])(
    'has neither a gap nor a duplicate, from %s',
    async (start) => {
      const { logs, topic } = await tenMessages();
      await appendTexts(await logs.topicOrNew('later'), ['0', '1']);
      const [partition] = topic.partitions;
      const { got } = goingOn(logs, `${start}/#`, new Map([[partition!, { offset: 7, sinceMs: ALL }]]));
      await appendTexts(topic, ['10'], { timestamp: 1 });
      await appendTexts(await logs.topicOrNew('last'), ['0']);
      await settled();
      expect(got.sort()).toEqual([...numbered('a', 7, 11), 'last 0', ...numbered('later', 0, 2)].sort());
    },
  );

  it('leaves out what the first one left out by its time', async () => {
    const { logs, topic } = await tenMessages();
    await appendTexts(topic, ['10'], { timestamp: 1 });
    await appendTexts(topic, ['11'], { timestamp: 6000 });
    const from = (offset: number) => new Map([[topic.partitions[0]!, { offset, sinceMs: 4000 }]]);
    const [early, late] = [goingOn(logs, '-1s/a', from(0)), goingOn(logs, '-1s/a', from(9))];
    await settled();
    expect(early.got).toEqual([...numbered('a', 6, 10), 'a 11']);
    expect(late.got).toEqual(['a 9', 'a 11']);
  });

  it('begins at its start where nothing is said of a log and it is a new replay', async () => {
    const { logs, topic } = await tenMessages();
    await appendTexts(await logs.topicOrNew('b'), ['0', '1', '2', '3']);
    const positions = new Map([[topic.partitions[0]!, { offset: 9, sinceMs: ALL }]]);
    const { got } = goingOn(logs, '2/#', positions, false);
    await settled();
    expect(got.sort()).toEqual(['a 9', 'b 2', 'b 3']);
  });

  it('reads what stands at the offsets that a log has lost and gives again', async () => {
    const { logs, topic } = await tenMessages();
    const [partition] = topic.partitions;
    const { got } = goingOn(logs, 'earliest/a', new Map([[partition!, { offset: 15, sinceMs: ALL }]]));
    const later = goingOn(logs, '12/a', new Map([[partition!, { offset: 12, sinceMs: ALL }]]));
    await appendTexts(topic, ['10', '11', '12']);
    await settled();
    expect(got).toEqual(numbered('a', 10, 13));
    expect(later.got).toEqual(['a 12']);
  });
});

describe('a replay', () => {
  it('tells of each partition before its messages, and of those that are there at once', async () => {
    const { logs, topic } = await tenMessages();
    const mixed = await logs.topicOrNew('other');
    const seen: string[] = [];
    const target: ReplayTarget = {
      reads: ({ topic: { name }, from }) => seen.push(`reads ${name} from ${from.offset}`),
      deliver: (messages, { topic: { name } }) => {
        for (const { offset, publishedAtMs } of messages) seen.push(`${name} ${offset} of ${publishedAtMs}`);
      },
      holdsBack: () => false,
      damaged: (error) => expect.unreachable(error.message),
      failed: (error) => expect.unreachable(error.message),
    };
    const replay = new Replay(logs, { start: { kind: 'latest' }, filter: 'a/#' }, target);
    replay.start();
    onTestFinished(() => replay.stop());
    expect(seen).toEqual(['reads a from 10']);
    await appendTexts(topic, ['10'], { timestamp: 6 });
    await settled();
    await appendTexts(await logs.topicOrNew('a.b'), ['0'], { timestamp: 7 });
    await appendTexts(mixed, ['before'], { timestamp: 8 });
    await settled();
    await logs.setConfig(mixed, MIXED_CONFIG, 'true');
    await appendMessages(mixed, [{ topic: 'a/c', payload: Buffer.from('1'), clientId: 'me' }], {
      timestamp: 9,
    });
    await settled();
    expect(seen).toEqual([
      'reads a from 10',
      'a 10 of 6',
      'reads a.b from 0',
      'a.b 0 of 7',
      'reads other from 1',
      'other 1 of 9',
    ]);
  });

  it('follows the logs of its filter, and those that come later', async () => {
    const { logs } = await openLogs();
    for (const name of ['a.x', 'a.y', 'b.x']) await appendTexts(await logs.topicOrNew(name), ['1']);
    const { got } = replaying(logs, 'latest/a/#');
    await settled();
    expect(got).toEqual([]);
    for (const name of ['a.z', 'b.z', 'a.x', 'a']) await appendTexts(await logs.topicOrNew(name), ['2']);
    await settled();
    expect(got.sort()).toEqual(['a 2', 'a/x 2', 'a/z 2']);
  });

  it('finds the topics of a filter in a log that has several', async () => {
    const { logs } = await openLogs();
    const topic = await logs.createTopic('all', 1, { [MIXED_CONFIG]: 'true' });
    const messages = ['a', 'b', 'a.b', 'a/b', 'c/d'].map((name) => ({
      topic: name,
      payload: Buffer.from('1'),
      clientId: 'me',
    }));
    await appendMessages(topic, messages);
    const { got } = replaying(logs, 'earliest/a/#');
    await settled();
    await appendMessages(topic, messages.slice(3));
    await settled();
    expect(got).toEqual(['a 1', 'a/b 1', 'a/b 1']);
  });

  it('finds a topic in a log that gets more topics while it waits', async () => {
    const { logs } = await openLogs();
    const topic = await logs.topicOrNew('a.b');
    await appendTexts(topic, ['1']);
    const { got } = replaying(logs, 'earliest/a.b');
    await settled();
    await appendTexts(topic, ['2']);
    await settled();
    expect(got).toEqual([]);
    const setting = logs.setConfig(topic, MIXED_CONFIG, 'true');
    await appendMessages(topic, [{ topic: 'a.b', payload: Buffer.from('3'), clientId: 'me' }]);
    await setting;
    await settled();
    expect(got).toEqual(['a.b 3']);
  });

  it('reads all partitions of a log, each in order', async () => {
    const { logs } = await openLogs();
    const topic = await logs.createTopic('a', 3, {});
    for (const partition of topic.partitions) {
      for (const text of ['1', '2']) {
        await appendTexts({ ...topic, partitions: [partition] }, [`${partition.number}: ${text}`]);
      }
    }
    const { got } = replaying(logs, 'earliest/a');
    await settled();
    for (const number of [0, 1, 2]) {
      const own = got.filter((text) => text.startsWith(`a ${number}:`));
      expect(own).toEqual([`a ${number}: 1`, `a ${number}: 2`]);
    }
    expect(got).toHaveLength(6);
  });

  it('ends at once when it is stopped, wherever it is', async () => {
    const { logs, store, topic } = await tenMessages({ tailCacheBytes: 1 });
    const waiting = replaying(logs, 'latest/a');
    store.holdReads();
    const reading = replaying(logs, 'earliest/a');
    await settled();
    waiting.replay.stop();
    reading.replay.stop();
    store.releaseReads();
    await appendTexts(topic, ['10']);
    await appendTexts(await logs.topicOrNew('a.b'), ['1']);
    await settled();
    expect([waiting.got, reading.got]).toEqual([[], []]);
    expect([waiting.target.problems, reading.target.problems]).toEqual([[], []]);
  });

  it('of very many logs warns of no leak', async () => {
    const warnings: Error[] = [];
    const keep = (warning: Error) => void warnings.push(warning);
    process.on('warning', keep);
    const { logs } = await openLogs();
    for (let number = 0; number < 50; number++) await logs.topicOrNew(`t.${number}`);
    const { got, replay } = replaying(logs, 'latest/#');
    await settled();
    for (const topic of logs.topics()) await appendTexts(topic, ['1']);
    await settled();
    replay.stop();
    process.off('warning', keep);
    expect(got).toHaveLength(50);
    expect(warnings).toEqual([]);
  });
});

describe('a target that takes no more', () => {
  it('is fed no more than it takes, and nothing more is read for it', async () => {
    const { logs, store } = await openLogs({ tailCacheBytes: 1 });
    const large = 'x'.repeat(replayReadBytes);
    for (const name of ['a', 'b', 'c']) {
      const topic = await logs.topicOrNew(name);
      for (let count = 0; count < 5; count++) await appendTexts(topic, [large]);
    }
    const { target, got } = replaying(logs, 'earliest/#');
    target.room = 1;
    await settled();
    expect([target.deliveries, store.reads <= 2]).toEqual([1, true]);
    for (let count = 2; count <= 15; count++) {
      target.takeMore(1);
      await settled();
      expect(target.deliveries).toBe(count);
      expect(store.reads).toBeLessThanOrEqual(count + 1);
    }
    expect(got.filter((text) => text.startsWith('b'))).toHaveLength(5);
  });

  it('may be stopped meanwhile', async () => {
    const { logs } = await tenMessages();
    const { target, replay, got } = replaying(logs, 'earliest/a');
    target.room = 1;
    await settled();
    replay.stop();
    target.takeMore(100);
    await settled();
    expect(got).toEqual(['a 0', 'a 1']);
  });

  it('does not stop others', async () => {
    const { logs } = await tenMessages();
    const stalled = replaying(logs, 'earliest/a');
    stalled.target.room = 0;
    const { got } = replaying(logs, 'earliest/a');
    await settled();
    expect([stalled.got, got.length]).toEqual([[], 10]);
  });

  it('lets others of this program run while much is read that does not match', async () => {
    const { logs } = await openLogs({ tailCacheBytes: 1e9 });
    const topic = await logs.createTopic('all', 1, { [MIXED_CONFIG]: 'true' });
    for (let count = 0; count < 40; count++) await appendTexts(topic, ['x'.repeat(replayReadBytes / 2)]);
    const { got } = replaying(logs, 'earliest/b');
    await turn();
    await appendMessages(topic, [{ topic: 'b', payload: Buffer.from('1'), clientId: 'me' }]);
    expect(got).toEqual([]);
    await settled();
    await settled();
    expect(got).toEqual(['b 1']);
  });
});

describe('what cannot be read', () => {
  it('is told and passed over where the store found damage', async () => {
    for (const damaged of [0, 4, 8]) {
      const { logs, store } = await tenMessages({ tailCacheBytes: 1 });
      store.damaged.add(damaged);
      const { target, got } = replaying(logs, 'earliest/a');
      await settled();
      expect(got).toEqual([...numbered('a', 0, damaged), ...numbered('a', damaged + 2, 10)]);
      expect(target.problems).toEqual([expect.stringMatching(`^damaged: .* ${damaged} to ${damaged + 1} `)]);
    }
  });

  it('is told and passed over where a batch is not one', async () => {
    const { logs, topic } = await tenMessages();
    const partition = topic.partitions[0];
    const bytes = (await partition.read(0, 1))[0].bytes.slice();
    bytes.fill(0xff, 61);
    await partition.append({ bytes, count: 2, maxTimestamp: 0 });
    await partition.append({ bytes: new Uint8Array(80), count: 1, maxTimestamp: 0 });
    await appendTexts(topic, ['13']);
    const { target, got } = replaying(logs, '8/a');
    await settled();
    expect(got).toEqual(['a 8', 'a 9', 'a 13']);
    expect(target.problems).toEqual([
      expect.stringMatching(/^damaged: a, offsets 10 to 11: record 0 /),
      expect.stringMatching(/^damaged: a, offsets 12 to 12: magic 0/),
    ]);
  });

  it('ends the replay where the store says no', async () => {
    const { logs, store, topic } = await tenMessages({ tailCacheBytes: 1 });
    const { target } = replaying(logs, 'latest/a');
    await store.deleteTopic('a');
    const partition = topic.partitions[0];
    store.append = async () => {};
    await partition.append({ bytes: new Uint8Array(100), count: 1, maxTimestamp: 0 });
    await settled();
    expect(target.problems).toEqual([expect.stringMatching(/^failed: there is no partition/)]);
  });

  it('leaves no endless search where the newest records were compacted away', async () => {
    const { logs, store, topic } = await tenMessages({ tailCacheBytes: 1 });
    const partition = topic.partitions[0];
    await store.replace(partition.id, 6, 9, []);
    const { got } = replaying(logs, 'earliest/a');
    await settled();
    const { reads } = store;
    await settled();
    expect(store.reads).toBe(reads);
    await appendTexts(topic, ['10']);
    await settled();
    expect(got).toEqual([...numbered('a', 0, 6), 'a 10']);
  });
});

describe('batches of other writers', () => {
  it.each(CODECS)('are opened where they are compressed: %s', async (compression) => {
    const { logs } = await openLogs();
    const topic = await logs.topicOrNew('a');
    const texts = numbered('text', 0, 50);
    await appendTexts(topic, texts, { compression });
    const { got } = replaying(logs, '10/a');
    await settled();
    expect(got).toEqual(texts.slice(10).map((text) => `a ${text}`));
  });

  it('that only mark the end of a transaction are no messages', async () => {
    const { logs } = await openLogs();
    const topic = await logs.topicOrNew('a');
    await appendTexts(topic, ['1'], { isTransactional: true, producerId: 1 });
    await appendTexts(topic, ['commit'], { isTransactional: true, isControl: true, producerId: 1 });
    await appendTexts(topic, ['2']);
    const { got } = replaying(logs, 'earliest/a');
    await settled();
    expect(got).toEqual(['a 1', 'a 2']);
  });
});

describe('from history to what comes', () => {
  it('there is no gap and nothing comes twice, whatever happens when', async () => {
    const step = fc.oneof(
      fc.record({ append: fc.constantFrom('a', 'b', 'c'), count: fc.integer({ min: 1, max: 3 }) }),
      fc.constantFrom(
        'turn',
        'start',
        'hold',
        'release',
        'hold reads',
        'release reads',
        'stall',
        'take',
        'fail',
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 80 }),
        fc.constantFrom(1, 2000, 1e6),
        async (steps, tailCacheBytes) => {
          const { logs, store } = await openLogs({ tailCacheBytes });
          const replays: { replay: Replay; target: Target }[] = [];
          const appends: Promise<unknown>[] = [];
          const kept = new Map<string, string[]>();
          const next = new Map<string, number>();
          for (const step of steps) {
            if (typeof step === 'object') appends.push(append(logs, step.append, step.count, next, kept));
            else if (step === 'turn') await turn();
            else if (step === 'start') {
              const target = new Target();
              const replay = new Replay(logs, { start: { kind: 'earliest' }, filter: '#' }, target);
              replays.push({ replay, target });
              replay.start();
            } else if (step === 'stall') for (const { target } of replays) target.room = 1;
            else if (step === 'take') for (const { target } of replays) target.takeMore(1);
            else control(store, step);
          }
          store.isFailing = false;
          store.release();
          store.releaseReads();
          await Promise.all(appends);
          for (const { target } of replays) target.takeMore(Number.POSITIVE_INFINITY);
          await settled();
          await settled();
          for (const { replay, target } of replays) {
            replay.stop();
            expect(target.problems).toEqual([]);
            for (const name of ['a', 'b', 'c']) {
              const got = target.got.filter((text) => text.startsWith(name));
              expect(got).toEqual(kept.get(name) ?? []);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  function control(store: TryingStore, step: string): void {
    if (step === 'hold') store.hold();
    else if (step === 'release') store.release();
    else if (step === 'hold reads') store.holdReads();
    else if (step === 'release reads') store.releaseReads();
    else store.isFailing = !store.isFailing;
  }

  /** Appends one batch of the next numbers; those that last are kept, in the order in which they do. */
  async function append(
    logs: Logs,
    name: string,
    count: number,
    next: Map<string, number>,
    kept: Map<string, string[]>,
  ): Promise<void> {
    const first = next.get(name) ?? 0;
    next.set(name, first + count);
    const texts = Array.from({ length: count }, (_, index) => `${first + index}`);
    try {
      await appendTexts(await logs.topicOrNew(name), texts);
      kept.set(name, [...(kept.get(name) ?? []), ...texts.map((text) => `${name} ${text}`)]);
    } catch {
      // Refused: nobody may see it.
    }
  }
});
