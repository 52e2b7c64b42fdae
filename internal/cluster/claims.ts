import { createHash } from 'node:crypto';
import {
  claimEveryMs,
  claimPatienceMs,
  giveAgainMs,
  leavePatienceMs,
  settledNodeMs,
} from '../limits/cluster.ts';
import { NOBODY } from './messages.ts';
import type { Peers } from './peers.ts';
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
  /** By shard, to whom it was given, and when. */
  readonly #given = new Map<number, { to: number; atMs: number }>();
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
    for (const [number, shard] of shards.entries()) this.#lookAt(number, shard);
    void this.#moveOne();
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

  #lookAt(number: number, shard: Shard): void {
    const { self, peers } = this.#parts;
    const { owner } = shard.state;
    const isOwned = shard.leader === 'here' || (owner !== self && owner !== NOBODY && !peers.isGone(owner));
    if (isOwned) {
      this.#ownerlessSinceMs.delete(number);
      return;
    }
    const nowMs = performance.now();
    const sinceMs = this.#ownerlessSinceMs.get(number) ?? nowMs;
    this.#ownerlessSinceMs.set(number, sinceMs);
    // One that this node was writing before is known best here.
    const place = owner === self ? 0 : this.#order(number, 0).indexOf(self);
    if (nowMs - sinceMs >= place * claimPatienceMs) void this.#claim(shard, sinceMs);
  }

  async #claim(shard: Shard, sinceMs: number): Promise<void> {
    if (await shard.claim()) this.#parts.claimed((performance.now() - sinceMs) / 1_000);
  }

  /** Steps down from one shard whose first in order is another node, which then claims it. */
  async #moveOne(): Promise<void> {
    if (this.#isMoving) return;
    for (const [number, shard] of this.#parts.shards.entries()) {
      const to = shard.leader === 'here' ? this.#betterThanHere(number) : undefined;
      if (to === undefined) continue;
      this.#given.set(number, { to, atMs: performance.now() });
      return this.#give(shard);
    }
  }

  /** The node that a shard of this one is for, unless it was given that one just now and did not take it. */
  #betterThanHere(number: number): number | undefined {
    const { self } = this.#parts;
    const [first] = this.#order(number, settledNodeMs, self);
    if (first === self) return undefined;
    const given = this.#given.get(number);
    const didNotTakeIt = given?.to === first && performance.now() - given.atMs < giveAgainMs;
    return didNotTakeIt ? undefined : first;
  }

  async #give(shard: Shard): Promise<void> {
    this.#isMoving = true;
    try {
      await shard.stepDown();
    } finally {
      this.#isMoving = false;
    }
  }

  /** Who may own a shard, in the order that all nodes agree on who hear the same ones. */
  #order(shard: number, minAgeMs: number, self?: number): number[] {
    const candidates = new Set(this.#parts.peers.candidates(minAgeMs));
    if (self !== undefined) candidates.add(self);
    return [...candidates]
      .map((node) => ({ node, weight: weightOf(shard, node) }))
      .sort((a, b) => a.weight - b.weight)
      .map(({ node }) => node);
  }
}

/** How often is looked whether others have taken over. */
const LOOK_AGAIN_MS = 20;

function weightOf(shard: number, node: number): number {
  return createHash('sha256').update(`${shard}/${node}`).digest().readUIntBE(0, 6);
}
