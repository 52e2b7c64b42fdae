import { expect, it } from 'vitest';
import { batchMessage, markerMessage } from './messages.ts';
import { Pack } from './packed-batches.ts';
import { ShardState } from './shard-state.ts';

/* A broker that started where no server had the marker any more claimed the shard with an epoch that others had had. */
it('an epoch whose marker is lost is known from what its owner wrote', () => {
  const state = new ShardState();
  const batch = { baseOffset: 0, lastOffset: 0, count: 1, maxTimestamp: 1, bytes: new Uint8Array(1) };
  const pack = new Pack({ ...batch, producer: undefined }, 1, 0);
  const marker = { ...markerMessage({ epoch: 3, number: 0 }, 7), sequence: 1 };
  state.restore([marker, { ...batchMessage({ epoch: 5, number: 1 }, 1, pack), sequence: 9 }]);
  expect([state.epoch, state.owner, state.applied]).toEqual([5, 0, 9]);
});
