import { expect, it } from 'vitest';
import { SAMPLERS, samplerFor } from './sampler.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';

it.each([
  ['always_on', true, true],
  ['always_off', false, false],
  ['parentbased_always_on', true, false],
  ['parentbased_always_off', true, false],
  ['parentbased_traceidratio', true, false],
] as const)('%s takes traces that are sampled (%s) and others (%s)', (name, sampled, unsampled) => {
  const sampler = samplerFor(name, 0);
  expect([sampler(ID, true), sampler(ID, false)]).toEqual([sampled, unsampled]);
});

it('a ratio takes so many, the same wherever it is asked, and more of them with a larger ratio', () => {
  const ids = Array.from(
    { length: 10_000 },
    (_, n) => ID.slice(0, 16) + (BigInt(n) * 0x68db8bac710cbn).toString(16).padStart(16, '0'),
  );
  const taken = (ratio: number) => ids.filter((id) => samplerFor('traceidratio', ratio)(id, false));
  expect(taken(0)).toEqual([]);
  expect(taken(1)).toEqual(ids);
  expect(taken(0.25).length).toBeGreaterThan(2_000);
  expect(taken(0.25).length).toBeLessThan(3_000);
  const half = new Set(taken(0.5));
  expect(taken(0.25).every((id) => half.has(id))).toBe(true);
  expect(SAMPLERS).toHaveLength(6);
});
