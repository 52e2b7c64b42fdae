import {
  claimEveryMs,
  claimPatienceMs,
  giveAgainMs,
  leavePatienceMs,
  settledNodeMs,
} from '../limits/cluster.ts';
import { NOBODY } from './messages.ts';
import type { Peers } from './peers.ts';
import { planOwners } from './plan-owners.ts';
import type { Shard } from './shard.ts';

export interface ClaimsParts {
  readonly self: number;
  /** In the order of their numbers. */
  readonly shards: readonly Shard[];
  readonly peers: Peers;
  /** Told of each shard that this node came to own, and for how many seconds it had no owner. */
  readonly claimed: (seconds: number) => void;
}

/** Sees to it that each shard has an owner, and that nodes own about as many of them. */
export class Claims {
  readonly #parts: ClaimsParts;
  readonly #timer: NodeJS.Timeout;
  /** By shard, since when it lacks an owner. */
  readonly #ownerlessSinceMs = new Map<number, number>();
  /** By node, what it was given last, and when. */
  readonly #given = new Map<number, { shard: Shard; atMs: number }>();
  #isClosed = false;
  #isMoving = false;

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.look(), claimEveryMs).unref();
  }

  /** Something has happened that may leave a shard without its owner. */
  look(): void {
    const { shards, peers } = this.#parts;
    if (this.#isClosed || !peers.hasBegun || peers.isLeaving || peers.isDeaf) return;
    const owners = shards.map((shard) => this.#ownerOf(shard));
    this.#claimOwnerless(owners);
    void this.#moveOne(owners);
  }

  /** Gives away what this node owns. Resolves when others have it, if there are any. */
  async leave(): Promise<void> {
    this.close();
    const { shards, peers } = this.#parts;
    await peers.leave();
    await Promise.all(shards.map((shard) => shard.stepDown()));
    const until = performance.now() + leavePatienceMs;
    const isOwned = (shard: Shard) => typeof shard.leader === 'number';
    while (peers.candidates(0).length > 0 && !shards.every(isOwned) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
  }

  #claimOwnerless(owners: readonly (number | undefined)[]): void {
    const { self, shards, peers } = this.#parts;
    const candidates = peers.candidates(0);
    const plan = planOwners(owners, candidates);
    const nowMs = performance.now();
    for (const [number, shard] of shards.entries()) {
      if (owners[number] !== undefined) {
        this.#ownerlessSinceMs.delete(number);
        continue;
      }
      const sinceMs = this.#ownerlessSinceMs.get(number) ?? nowMs;
      this.#ownerlessSinceMs.set(number, sinceMs);
      // One that this node was writing before is known best here.
      const place = shard.state.owner === self ? 0 : placeOf(self, plan[number]!, candidates);
      if (nowMs - sinceMs >= place * claimPatienceMs) void this.#claim(shard, sinceMs);
    }
  }

  async #claim(shard: Shard, sinceMs: number): Promise<void> {
    const isOwnerless = () => this.#ownerOf(shard) === undefined;
    if (await shard.claim(isOwnerless)) this.#parts.claimed((performance.now() - sinceMs) / 1_000);
  }

  /** Steps down from one shard that is to be another node's, which then claims it. */
  async #moveOne(owners: readonly (number | undefined)[]): Promise<void> {
    const { self, shards } = this.#parts;
    if (this.#isMoving) return;
    const plan = planOwners(owners, this.#takers());
    for (const [number, shard] of shards.entries()) {
      const to = plan[number]!;
      if (shard.leader !== 'here' || to === self) continue;
      this.#given.set(to, { shard, atMs: performance.now() });
      return this.#give(shard);
    }
  }

  /** This node, and those that were there for a while, but for whom has just not taken what was given to them. */
  #takers(): number[] {
    const { self, peers } = this.#parts;
    const takers = new Set([self, ...peers.candidates(settledNodeMs)]);
    for (const [node, { shard, atMs }] of this.#given) {
      if (performance.now() - atMs >= giveAgainMs) this.#given.delete(node);
      else if (shard.leader === 'here') takers.delete(node);
    }
    return [...takers];
  }

  async #give(shard: Shard): Promise<void> {
    this.#isMoving = true;
    try {
      await shard.stepDown();
    } finally {
      this.#isMoving = false;
    }
  }

  /** Undefined for a shard that somebody has to claim. */
  #ownerOf({ leader, state: { owner } }: Shard): number | undefined {
    const { self, peers } = this.#parts;
    if (leader === 'here') return self;
    return owner === self || owner === NOBODY || peers.isGone(owner) ? undefined : owner;
  }
}

/** How often is looked whether others have taken over. */
const LOOK_AGAIN_MS = 20;

/** How many others are to claim a shard before a node does. */
function placeOf(node: number, first: number, candidates: readonly number[]): number {
  const others = candidates.filter((each) => each !== first).sort((a, b) => a - b);
  return [first, ...others].indexOf(node);
}
