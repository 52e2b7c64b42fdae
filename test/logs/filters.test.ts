import { describe, expect, it } from 'vitest';
import { maxReplaysPerClient } from '../../internal/limits/doors.ts';
import { FrameType } from '../../internal/protocol/frame/frame.ts';
import { startBroker } from '../../pkg/embed/index.ts';
import { eventually } from '../support/eventually.ts';
import { connectRaw } from '../support/raw-client.ts';

describe('topics that several logs match', () => {
  it.each([
    ['the same kind twice', [{ filter: 'a/#' }, { filter: '#' }]],
    [
      'one log by two filters',
      [
        { filter: 'a/#', name: 'x' },
        { filter: '#', name: 'x' },
      ],
    ],
    ['a log of its own and a named one', [{ filter: '#' }, { filter: 'a/#', name: 'x' }]],
    ['a named log and one of its own', [{ filter: 'a/#', name: 'x' }, { filter: '#' }]],
  ])('are kept once: %s', async (_, logs) => {
    await using broker = await startBroker({ listen: ['tcp://localhost:0'], memory: true, logs });
    await using publisher = await connectRaw(broker.url, 'publisher');
    for (let number = 0; number < 10; number++)
      publisher.publish(number % 2 ? 'a/b' : 'other', String(number));
    await publisher.ping();
    await using reader = await connectRaw(broker.url, 'reader');
    await reader.subscribe('$replay/earliest/#');
    const replayed = (await reader.messages(10)).map(({ payload }) => Buffer.from(payload).toString());
    expect([...replayed].sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    publisher.publish('a/b', 'last');
    expect((await reader.message())[1]).toBe('last');
    await reader.expectSilence();
  });
});

describe('replays', () => {
  it('of one client are bounded', async () => {
    await using broker = await startBroker({
      listen: ['tcp://localhost:0'],
      memory: true,
      logs: [{ filter: '#' }],
    });
    await using client = await connectRaw(broker.url, 'client');
    for (let number = 0; number < maxReplaysPerClient; number++)
      await client.subscribe(`$replay/${number}/a`);
    client.send(FrameType.subscribe, '$replay/earliest/a');
    expect(await client.expectRefusal()).toBe(
      `too-many-subscriptions: ${maxReplaysPerClient} replays are running`,
    );
    await eventually(() => broker.stats().clients === 0, 'the end of the client');
  });
});
