import { describe, expect, it } from 'vitest';
import { ProducerStates, SequenceError } from './producer-states.ts';

/** States that know producer 7, epoch 1, of these batches of ten. */
function statesWith(...firstSequences: number[]): ProducerStates {
  const states = new ProducerStates(10);
  firstSequences.forEach((firstSequence, index) => {
    states.add({ id: 7, epoch: 1, firstSequence }, 10, index * 10, 1_000);
  });
  return states;
}

describe('the sequence of an idempotent producer', () => {
  it('may begin anywhere where the producer is not known', () => {
    expect(statesWith().check({ id: 7, epoch: 3, firstSequence: 4711 }, 1)).toBeUndefined();
  });

  it('goes on behind its last batch', () => {
    expect(statesWith(0).check({ id: 7, epoch: 1, firstSequence: 10 }, 5)).toBeUndefined();
  });

  it.each([5, 11, 20, 9])('is refused where %i follows on 0 to 9', (firstSequence) => {
    const check = () => statesWith(0).check({ id: 7, epoch: 1, firstSequence }, 10);
    expect(check).toThrow(SequenceError);
    expect(check).toThrow('where 10 comes next');
  });

  it('goes round behind 2^31 - 1', () => {
    const states = statesWith(2 ** 31 - 4);
    expect(states.check({ id: 7, epoch: 1, firstSequence: 6 }, 1)).toBeUndefined();
    expect(() => states.check({ id: 7, epoch: 1, firstSequence: 0 }, 1)).toThrow('where 6 comes next');
  });

  it.each([0, 10, 20, 30, 40])('knows again one of the last five batches, that from %i', (firstSequence) => {
    const known = statesWith(0, 10, 20, 30, 40).check({ id: 7, epoch: 1, firstSequence }, 10);
    expect(known?.baseOffset).toBe(firstSequence);
  });

  it('does not know the one before these', () => {
    const check = () => statesWith(0, 10, 20, 30, 40, 50).check({ id: 7, epoch: 1, firstSequence: 0 }, 10);
    expect(check).toThrow('where 60 comes next');
  });

  it('begins at 0 in a newer epoch, and is refused in an older one', () => {
    expect(statesWith(0).check({ id: 7, epoch: 2, firstSequence: 0 }, 1)).toBeUndefined();
    expect(() => statesWith(0).check({ id: 7, epoch: 2, firstSequence: 10 }, 1)).toThrow(
      'begins epoch 2 with 10',
    );
    expect(() => statesWith(0).check({ id: 7, epoch: 0, firstSequence: 10 }, 1)).toThrow(
      'epoch 1, and this is 0',
    );
  });
});

describe('what is kept of producers', () => {
  it('comes back from what was stored', () => {
    const states = statesWith(0);
    const { stored } = states.add({ id: 7, epoch: 1, firstSequence: 10 }, 10, 10, 2_000);
    const restored = new ProducerStates(10);
    restored.restore([stored, { id: 8n, state: new Uint8Array([9, 9]) }]);
    expect(restored.size).toBe(1);
    expect(restored.check({ id: 7, epoch: 1, firstSequence: 0 }, 10)?.baseOffset).toBe(0);
    expect(restored.check({ id: 7, epoch: 1, firstSequence: 20 }, 10)).toBeUndefined();
    expect(() => restored.check({ id: 7, epoch: 1, firstSequence: 30 }, 10)).toThrow(SequenceError);
  });

  it('is forgotten when a producer was quiet for long, the quietest first where there are too many', () => {
    const states = new ProducerStates(2);
    for (const id of [1, 2, 3, 4]) states.add({ id, epoch: 0, firstSequence: 0 }, 1, id, id * 1_000);
    states.add({ id: 1, epoch: 0, firstSequence: 1 }, 1, 9, 5_000);
    expect(states.takeExpired(2_500)).toEqual([2n, 3n]);
    expect(states.takeExpired(2_500)).toEqual([]);
    expect(states.takeExpired(4_500)).toEqual([4n]);
  });
});
