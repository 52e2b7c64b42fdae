import { describe, expect, it } from 'vitest';
import type { Leader } from '../log/leadership.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import {
  decodeBatches,
  encodeBatches,
  type ForwardedBatch,
  type ForwardedOutcome,
} from './forwarded-batches.ts';
import { Forwarder } from './forwarder.ts';

const batch = (text: string, count = 1): UnplacedBatch => ({
  bytes: new Uint8Array(Buffer.from(text)),
  count,
  maxTimestamp: 1,
});
const textOf = ({ batch: { bytes } }: ForwardedBatch) => Buffer.from(bytes).toString();

/** A leader that stores each batch once, as producers number them; `answers` says what becomes of a round. */
function leading(answers: (round: number) => 'answered' | 'lost' | ForwardedOutcome = () => 'answered') {
  const stored: string[] = [];
  const offsets = new Map<string, number>();
  const rounds: string[][] = [];
  let producers = 0;
  let leader: Leader = 2;
  const store = (batches: readonly ForwardedBatch[]): ForwardedOutcome[] =>
    batches.map((forwarded) => {
      const { id, firstSequence } = forwarded.batch.producer!;
      const key = `${forwarded.partition}/${id}/${firstSequence}`;
      if (!offsets.has(key)) {
        offsets.set(key, stored.length);
        stored.push(textOf(forwarded));
      }
      return { offset: offsets.get(key)! };
    });
  const forwarder = new Forwarder({
    shardOf: (partition) => partition % 2,
    leaderOf: () => leader,
    producerId: async () => ++producers,
    async exchange(_node, batches) {
      rounds.push(batches.map(textOf));
      const answer = answers(rounds.length);
      if (typeof answer === 'object') return batches.map(() => answer);
      const outcomes = store(batches);
      return answer === 'answered' ? outcomes : undefined;
    },
    append: async (batches) => store(batches),
  });
  const lead = (now: Leader) => {
    leader = now;
  };
  return { forwarder, stored, rounds, lead };
}

describe('batches that another node has to write', () => {
  it('go in rounds, in their order, five of a partition at a time', async () => {
    const { forwarder, stored, rounds } = leading();
    const texts = Array.from({ length: 12 }, (_, index) => `${index}`);
    const offsets = await Promise.all(texts.map((text) => forwarder.forward(4, batch(text))));
    expect(offsets).toEqual(texts.map(Number));
    expect(stored).toEqual(texts);
    expect(rounds.map((round) => round.length)).toEqual([5, 5, 2]);
  });

  it('are written once where an answer is lost, by another leader too', async () => {
    const { forwarder, stored, rounds, lead } = leading((round) => {
      if (round === 1) lead('here');
      return 'lost';
    });
    const offsets = await Promise.all(['a', 'b', 'c'].map((text) => forwarder.forward(4, batch(text))));
    expect(offsets).toEqual([0, 1, 2]);
    expect(stored).toEqual(['a', 'b', 'c']);
    expect(rounds.length).toBe(1);
  });

  it('wait for a leader, and for one that is ready', async () => {
    const refusal = { code: 'not-leader', message: 'not yet' } as const;
    const { forwarder, stored, lead } = leading((round) => (round < 3 ? refusal : 'answered'));
    lead('nobody');
    const forwarded = forwarder.forward(4, batch('a'));
    setTimeout(() => lead(2), 150);
    expect(await forwarded).toBe(0);
    expect(stored).toEqual(['a']);
  });

  it('are those of a new producer where the leader does not know what came before', async () => {
    const refusal = { code: 'out-of-order', message: 'a batch before it is missing' } as const;
    const { forwarder, stored } = leading((round) => (round === 2 ? refusal : 'answered'));
    expect(await forwarder.forward(4, batch('a', 3))).toBe(0);
    expect(await forwarder.forward(4, batch('b'))).toBe(1);
    expect(stored).toEqual(['a', 'b']);
  });

  it('are refused with what their leader says of them', async () => {
    const refusal = { code: 'invalid', message: 'too large' } as const;
    const { forwarder, stored } = leading((round) => (round === 1 ? refusal : 'answered'));
    await expect(forwarder.forward(4, batch('a'))).rejects.toMatchObject({
      code: 'invalid',
      message: 'too large',
    });
    expect(await forwarder.forward(4, batch('b'))).toBe(0);
    expect(stored).toEqual(['b']);
  });
});

describe('a packet of batches', () => {
  it('brings each with all that its leader has to know', () => {
    const batches: ForwardedBatch[] = [
      {
        partition: 3,
        batch: { ...batch('one', 2), isPublished: true, producer: { id: 7, epoch: 1, firstSequence: 4 } },
      },
      {
        partition: 11,
        batch: {
          ...batch('', 2),
          isPublished: false,
          numbered: { id: -(2n ** 62n), runs: [{ first: 8, count: 2 }], after: 3 },
        },
      },
    ];
    const read = decodeBatches(encodeBatches(batches));
    expect(read).toEqual([batches[0], { partition: 11, batch: { ...batches[1]!.batch } }]);
  });

  it('is refused where it is cut off', () => {
    const packet = encodeBatches([{ partition: 3, batch: batch('one') }]);
    for (let length = 0; length < packet.length; length++) {
      expect(() => decodeBatches(packet.subarray(0, length))).toThrow();
    }
  });
});
