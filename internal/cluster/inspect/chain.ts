import { type BatchFacts, type FloorFacts, factsOf } from '../messages.ts';

/** Offsets of a partition that no server has. */
export interface LostOffsets {
  readonly partition: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

interface Chain {
  /** Where the batches that were seen end. */
  next: number | undefined;
  readonly gaps: { from: number; to: number }[];
  floor: FloorFacts | undefined;
  /** Whether nobody knows any more where the partition begins. */
  isFloorLost: boolean;
}

/** The batches of each partition of a shard, in their order: offsets follow on each other, so what is missing shows. */
export class Chains {
  readonly #chains = new Map<number, Chain>();

  /** @param subject within the shard. */
  see(subject: string, text: string): void {
    const facts = factsOf({ subject, facts: text });
    if (facts === undefined) return;
    if (facts.kind === 'batch') this.#seeBatch(facts);
    else if (facts.kind === 'floor') this.#chainOf(facts.partition).floor = facts;
    else if (facts.kind === 'deleted') this.#chains.delete(facts.partition);
  }

  /** What is missing, but for what retention took. */
  lost(): LostOffsets[] {
    return [...this.#chains].flatMap(([partition, { gaps, next, floor, isFloorLost }]) => {
      const [first] = gaps;
      const begin = isFloorLost && first?.from === 0 ? first.to : 0;
      const { firstOffset = begin, nextOffset = 0 } = floor ?? {};
      // What is behind the last batch shows only where a floor says that there was more.
      const end = { from: next ?? firstOffset, to: nextOffset };
      return [...gaps, end]
        .map(({ from, to }) => ({ partition, firstOffset: Math.max(from, firstOffset), lastOffset: to - 1 }))
        .filter((lost) => lost.firstOffset <= lost.lastOffset);
    });
  }

  /** No server can read where a partition begins: what is missing before its first batch says nothing. */
  loseFloor(partition: number): void {
    this.#chainOf(partition).isFloorLost = true;
  }

  /** Where the batches of a partition end that were seen. */
  endOf(partition: number): number {
    const { next, floor } = this.#chains.get(partition) ?? {};
    return next ?? floor?.nextOffset ?? 0;
  }

  #seeBatch({ partition, baseOffset, lastOffset }: BatchFacts): void {
    const chain = this.#chainOf(partition);
    const expected = chain.next ?? 0;
    if (baseOffset > expected) chain.gaps.push({ from: expected, to: baseOffset });
    chain.next = Math.max(expected, lastOffset + 1);
  }

  #chainOf(partition: number): Chain {
    let chain = this.#chains.get(partition);
    if (chain === undefined) {
      chain = { next: undefined, gaps: [], floor: undefined, isFloorLost: false };
      this.#chains.set(partition, chain);
    }
    return chain;
  }
}
