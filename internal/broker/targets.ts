import type { Channel, Receiver } from './channel.ts';

/** The members of `$share/GROUP/FILTER`: each message goes to one of them, in turn. */
export class ShareGroup {
  readonly #members: Channel[] = [];
  #next = 0;

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  add(member: Channel): void {
    if (!this.#members.includes(member)) this.#members.push(member);
  }

  remove(member: Channel): boolean {
    const index = this.#members.indexOf(member);
    if (index < 0) return false;
    this.#members.splice(index, 1);
    return true;
  }

  /** Whose turn it is. A member that cannot take messages now is passed over while another one can. */
  pick(): Channel {
    const count = this.#members.length;
    for (let tried = 0; tried < count; tried++) {
      const member = this.#members[this.#next++ % count]!;
      if (!member.isFull && !member.isSlow) return member;
    }
    return this.#members[this.#next++ % count]!;
  }
}

/** Somebody who wants every message but is no subscriber: a log. */
export class Tap {
  readonly receiver: Receiver;

  constructor(receiver: Receiver) {
    this.receiver = receiver;
  }
}

/** Who is registered in the trie. */
export type Target = Channel | ShareGroup | Tap;

/**
 * Where a topic leads. Interned: between two changes of any subscription, topics that lead to the same targets
 * share one object, so that a run is cut by comparing references.
 */
export interface TargetSet {
  readonly channels: readonly Channel[];
  readonly taps: readonly Tap[];
  /** A message for a group goes to one member; runs with groups are therefore cut into single messages. */
  readonly groups: readonly ShareGroup[];
}

export const NO_TARGETS: TargetSet = { channels: [], taps: [], groups: [] };

/** Finds the one object for each set of targets. */
export class TargetInterner {
  readonly #numbers = new WeakMap<Target, number>();
  readonly #sets = new Map<string, TargetSet>();
  #nextNumber = 0;

  intern(targets: ReadonlySet<Target>): TargetSet {
    if (targets.size === 0) return NO_TARGETS;
    const sorted = [...targets].sort((a, b) => this.#numberOf(a) - this.#numberOf(b));
    const key = sorted.map((target) => this.#numberOf(target)).join();
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = {
        channels: sorted.filter(
          (target) => !(target instanceof ShareGroup || target instanceof Tap),
        ) as Channel[],
        taps: sorted.filter((target) => target instanceof Tap),
        groups: sorted.filter((target) => target instanceof ShareGroup),
      };
      this.#sets.set(key, set);
    }
    return set;
  }

  /** Forgets every set; for when a subscription has changed. */
  clear(): void {
    this.#sets.clear();
  }

  #numberOf(target: Target): number {
    let number = this.#numbers.get(target);
    if (number === undefined) {
      number = this.#nextNumber++;
      this.#numbers.set(target, number);
    }
    return number;
  }
}
