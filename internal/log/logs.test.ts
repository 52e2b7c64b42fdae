import { afterEach, describe, expect, it, vi } from 'vitest';
import { appendTexts, openLogs, turn } from '../../test/support/logs.ts';
import { TryingStore } from '../../test/support/trying-store.ts';
import type { TopicLog } from './logs.ts';

afterEach(() => void vi.useRealTimers());

async function texts(topic: TopicLog): Promise<string[]> {
  const partition = topic.partitions[0];
  const batches = await partition.read(0, 1e9);
  return batches.map(({ bytes }) => /text \d+/.exec(Buffer.from(bytes).toString('latin1'))![0]);
}

describe('logs', () => {
  it('are there again with their configs, offsets and records when the store is opened again', async () => {
    const { logs, store } = await openLogs();
    const topic = await logs.createTopic('a', 3, { 'retention.ms': '5' });
    await logs.setConfig(topic, 'x', 'y');
    await appendTexts(topic, ['text 1', 'more']);
    await logs.close();

    const { logs: again } = await openLogs({}, store);
    expect([...again.topics()].map(({ name }) => name)).toEqual(['a']);
    const found = again.topic('a')!;
    expect(found.configs).toEqual({ 'retention.ms': '5', x: 'y' });
    expect(found.topicId).toEqual(topic.topicId);
    expect(found.createdAtMs).toBe(topic.createdAtMs);
    expect(found.partitions.map(({ number, highWatermark }) => [number, highWatermark])).toEqual([
      [0, 2],
      [1, 0],
      [2, 0],
    ]);
    expect(await texts(found)).toEqual(['text 1']);
    expect(await appendTexts(found, ['text 2'])).toBe(2);
  });

  it('make one topic for all who ask at once', async () => {
    const { logs, store } = await openLogs();
    const created: string[] = [];
    logs.onGrown(({ name }) => created.push(name));
    const [one, other] = await Promise.all([logs.topicOrNew('a'), logs.topicOrNew('a')]);
    expect(one).toBe(other);
    expect(await logs.topicOrNew('a')).toBe(one);
    expect([store.created, created]).toEqual([1, ['a']]);
  });

  it('take the topic that somebody else was quicker to create', async () => {
    const { logs } = await openLogs();
    const creating = logs.createTopic('a', 2, {});
    expect(await logs.topicOrNew('a')).toBe(await creating);
    await expect(logs.createTopic('a', 1, {})).rejects.toMatchObject({ code: 'exists' });
  });

  it('try again to create what could not be created', async () => {
    const { logs, store } = await openLogs();
    store.isFailing = true;
    await expect(logs.topicOrNew('a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(logs.topic('a')).toBeUndefined();
    store.isFailing = false;
    expect((await logs.topicOrNew('a')).name).toBe('a');
  });

  it.each(['', '.', 'a/b', 'x'.repeat(250)])('refuse the name %j', async (name) => {
    const { logs } = await openLogs();
    await expect(logs.topicOrNew(name)).rejects.toThrow(RangeError);
    await expect(logs.createTopic(name, 1, {})).rejects.toThrow(RangeError);
  });

  it('tell nobody who does not listen any more', async () => {
    const { logs } = await openLogs();
    const created: string[] = [];
    const end = logs.onGrown(({ name }) => {
      created.push(name);
      end();
    });
    await logs.topicOrNew('a');
    await logs.topicOrNew('b');
    expect(created).toEqual(['a']);
  });
});

describe('a config', () => {
  it('is seen at once, and as before where it does not last', async () => {
    const { logs, store } = await openLogs();
    const topic = await logs.createTopic('a', 1, { kept: 'old' });
    store.isFailing = true;
    const failing = [logs.setConfig(topic, 'kept', 'new'), logs.setConfig(topic, 'other', 'new')];
    expect(topic.configs).toEqual({ kept: 'new', other: 'new' });
    await Promise.all(failing.map((setting) => expect(setting).rejects.toThrow('on fire')));
    expect(topic.configs).toEqual({ kept: 'old' });
    store.isFailing = false;
    await logs.setConfig(topic, 'other', 'last');
    expect((await store.open()).topics[0].configs).toEqual({ kept: 'old', other: 'last' });
  });
});

describe('when the store has recovered', () => {
  it('logs go on from what lasts', async () => {
    const { logs, store, log } = await openLogs();
    const topic = await logs.topicOrNew('a');
    await appendTexts(topic, ['text 1']);
    store.isFailing = true;
    await expect(appendTexts(topic, ['text 2'])).rejects.toThrow('on fire');
    await store.recover();
    expect(log.lines).toEqual(['info: the store works again']);
    expect(await appendTexts(topic, ['text 3'])).toBe(1);
    expect(await texts(topic)).toEqual(['text 1', 'text 3']);
  });

  // Such a topic was unknown here but existed there: creating it was refused from then on.
  it('a topic whose creation lasted unseen is there', async () => {
    const { logs, store } = await openLogs();
    const created: string[] = [];
    logs.onGrown(({ name }) => created.push(name));
    const topicId = new Uint8Array(16).fill(1);
    await store.createTopic({ name: 'a', topicId, configs: { x: '1' }, partitionCount: 1, createdAtMs: 5 });
    await store.recover();
    expect(created).toEqual(['a']);
    expect(logs.topic('a')).toMatchObject({ name: 'a', configs: { x: '1' }, createdAtMs: 5 });
    expect(await logs.topicOrNew('a')).toBe(logs.topic('a'));
  });

  it('configs are what lasts', async () => {
    const { logs, store } = await openLogs();
    const topic = await logs.createTopic('a', 1, { x: '1' });
    await store.alterTopic('a', { y: '2' });
    await store.recover();
    expect(topic.configs).toEqual({ y: '2' });
  });
});

describe('retention', () => {
  async function filled(options: Parameters<typeof openLogs>[0], configs: Record<string, string> = {}) {
    const { logs, store, log } = await openLogs(options);
    const topic = await logs.createTopic('a', 1, configs);
    for (let number = 1; number <= 5; number++) {
      await appendTexts(topic, [`text ${number}`], { timestamp: 1000 * number });
    }
    return { logs, store, log, topic };
  }

  it('deletes what is older than its time, and nothing else', async () => {
    const { logs, topic } = await filled({ retentionMs: 2000 });
    await logs.applyRetention(3000);
    expect(await texts(topic)).toHaveLength(5);
    await logs.applyRetention(5000);
    expect(await texts(topic)).toEqual(['text 3', 'text 4', 'text 5']);
    await logs.applyRetention(1e9);
    expect(await texts(topic)).toEqual([]);
    expect(await appendTexts(topic, ['text 6'], { timestamp: 1e9 })).toBe(5);
  });

  it('deletes the oldest of what is too much', async () => {
    const { logs, topic } = await filled({});
    const batchBytes = (await topic.partitions[0].read(0, 1))[0].bytes.length;
    const { logs: small, topic: other } = await filled({ retentionBytes: 2 * batchBytes });
    await small.applyRetention(0);
    expect(await texts(other)).toEqual(['text 4', 'text 5']);
    await small.applyRetention(0);
    expect(await texts(other)).toHaveLength(2);
    await logs.applyRetention(1e9);
    expect(await texts(topic)).toHaveLength(5);
  });

  it.each([
    [{ 'retention.ms': '-1' }, 5],
    [{ 'retention.ms': '1000' }, 2],
    [{ 'retention.ms': 'nonsense' }, 5],
    [{ 'retention.bytes': '1' }, 0],
  ])('is by %j what the topic says', async (configs, left) => {
    const { logs, topic } = await filled({ retentionMs: 'retention.bytes' in configs ? 0 : 10 }, configs);
    await logs.applyRetention(5000);
    expect(await texts(topic)).toHaveLength(left);
  });

  it('comes by itself', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
    const { logs, topic } = await filled({ retentionMs: 1000, retentionEveryMs: 10 });
    vi.advanceTimersByTime(10);
    while (topic.partitions[0].firstOffset < 5) await turn();
    await logs.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that fails is told, and goes on with the other topics', async () => {
    const { logs, store, log } = await filled({ retentionMs: 1 });
    const other = await logs.createTopic('b', 1, {});
    await appendTexts(other, ['text 1']);
    const looked = vi.spyOn(store, 'batchForTime').mockRejectedValueOnce(new Error('no'));
    await logs.applyRetention(1e9);
    expect(looked).toHaveBeenCalledTimes(2);
    expect(log.lines).toEqual(['error: old records could not be deleted']);
    expect(log.fields).toEqual([{ log: 'a', partition: 0, error: 'no' }]);
    expect(await texts(other)).toEqual([]);
  });
});

describe('problems of the store', () => {
  it('are told', async () => {
    const store = new TryingStore();
    const { log } = await openLogs({}, store);
    store.emit({ kind: 'unavailable', reason: 'no space' });
    expect(log.lines).toEqual(['error: the store has a problem']);
    expect(log.fields).toEqual([{ kind: 'unavailable', reason: 'no space' }]);
  });

  it('with a batch are told with its log', async () => {
    const store = new TryingStore();
    const { logs, log } = await openLogs({}, store);
    const { partitions } = await logs.createTopic('a', 2, {});
    store.emit({ kind: 'corrupt', partition: partitions[1]!.id, baseOffset: 1, lastOffset: 2 });
    expect(log.fields).toEqual([{ kind: 'corrupt', log: 'a', partition: 1, baseOffset: 1, lastOffset: 2 }]);
  });
});
