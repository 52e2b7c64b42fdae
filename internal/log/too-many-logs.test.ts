import { describe, expect, it } from 'vitest';
import { openLogs } from '../../test/support/logs.ts';
import { TooManyLogsError } from './too-many-logs.ts';

describe('logs beyond the bound', () => {
  it('are refused, counted by their partitions, until others are deleted', async () => {
    const { logs } = await openLogs({ maxPartitions: 5 });
    const three = await logs.createTopic('three', 3, {});
    await expect(logs.createTopic('too many', 1, {})).rejects.toThrow(RangeError);
    await expect(logs.createTopic('more', 3, {})).rejects.toThrow(TooManyLogsError);
    await logs.createTopic('one', 1, {});
    await expect(logs.addPartitions(three, 5)).rejects.toThrow(
      'the logs have 4 partitions, and there is room for 5; delete topics that nobody needs',
    );
    await logs.addPartitions(three, 4);
    await expect(logs.topicOrNew('more')).rejects.toThrow(TooManyLogsError);
    expect((await logs.topicOrNew('one')).partitions).toHaveLength(1);
    await logs.deleteTopic(three);
    await logs.createTopic('more', 4, {});
    await expect(logs.topicOrNew('last')).rejects.toThrow(TooManyLogsError);
  });

  it('are refused while others are on their way to the store, but not because those failed', async () => {
    const { logs, store } = await openLogs({ maxPartitions: 5 });
    const asked = await Promise.allSettled(['a', 'b', 'c'].map((name) => logs.createTopic(name, 2, {})));
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    store.isFailing = true;
    await expect(logs.topicOrNew('d')).rejects.toThrow('on fire');
    store.isFailing = false;
    await logs.topicOrNew('d');
    await expect(logs.topicOrNew('e')).rejects.toThrow(TooManyLogsError);
  });

  it('are there again when the store has more than the bound', async () => {
    const { logs, store } = await openLogs();
    for (const name of ['a', 'b', 'c']) await logs.createTopic(name, 1, {});
    await logs.close();
    const { logs: again } = await openLogs({ maxPartitions: 2 }, store);
    expect([...again.topics()]).toHaveLength(3);
    await expect(again.topicOrNew('d')).rejects.toThrow(TooManyLogsError);
  });
});
