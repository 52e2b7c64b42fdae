import { describe, expect, it } from 'vitest';
import { TryingStore } from '../../test/support/trying-store.ts';
import { ProducerIds } from './producer-ids.ts';

describe('ids of producers', () => {
  it('are given once, also to many who ask at once and after a restart', async () => {
    const store = new TryingStore();
    await store.open();
    const given: number[] = [];
    for (let start = 0; start < 2; start++) {
      const ids = new ProducerIds(store);
      given.push(...(await Promise.all(Array.from({ length: 1_500 }, () => ids.next()))));
    }
    expect(new Set(given).size).toBe(3_000);
  });

  it('are given once by nodes that share the store and ask at once', async () => {
    const store = new TryingStore();
    await store.open();
    const nodes = Array.from({ length: 4 }, () => new ProducerIds(store));
    const given = await Promise.all(nodes.flatMap((ids) => Array.from({ length: 1_500 }, () => ids.next())));
    expect(new Set(given).size).toBe(6_000);
  });

  it('are not given while they cannot be set aside', async () => {
    const store = new TryingStore();
    await store.open();
    const ids = new ProducerIds(store);
    store.isFailing = true;
    await expect(ids.next()).rejects.toMatchObject({ code: 'unavailable' });
    store.isFailing = false;
    expect(await ids.next()).toBe(0);
  });
});
