import { expect, it, vi } from 'vitest';
import { framesDoor } from '../../../test/support/frames-door.ts';

// What a member of a group gets of a message with QoS 1 was sent one by one, and as something that is never dropped: of a
// member that did not read, any number of bytes waited in memory, and its publisher went on.
it('a member of a group that does not read holds back who publishes with QoS 1', async () => {
  const { broker, connected, channelOf } = framesDoor({ channelSize: 10 });
  const member = await connected('member', '$share/group/a');
  const source = { pause: vi.fn(), resume: vi.fn() };
  const publish = () =>
    broker.publishMessage({ topic: 'a', payload: Buffer.from('x'), clientId: 'p', qos: 1 }, { source });
  member.isFull = true;
  publish();
  await member.frames();
  for (let count = 0; count < 10; count++) publish();
  expect(channelOf('member').waitingMessages).toBe(10);
  expect(source.pause).toHaveBeenCalled();
});
