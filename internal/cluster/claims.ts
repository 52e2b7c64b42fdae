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
}

/** Sees to it that each shard has an owner, and that nodes own about as many of them. */
export class Claims {
  readonly #parts: ClaimsParts;
  readonly #timer: NodeJS.Timeout;
  /** By shard, since when it lacks an owner. */
  readonly #ownerlessSinceMs = new Map<number, number>();
  /** By shard, when it was given away. */
  readonly #givenAtMs = new Map<number, number>();
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
    if (nowMs - sinceMs >= place * claimPatienceMs) void shard.claim();
  }

  /** Steps down from one shard whose first in order is another node, which then claims it. */
  async #moveOne(): Promise<void> {
    if (this.#isMoving) return;
    const { self, shards } = this.#parts;
    const nowMs = performance.now();
    const isBetterElsewhere = (shard: Shard, number: number) =>
      shard.leader === 'here' &&
      nowMs - (this.#givenAtMs.get(number) ?? -giveAgainMs) >= giveAgainMs &&
      this.#order(number, settledNodeMs, self)[0] !== self;
    const number = shards.findIndex(isBetterElsewhere);
    if (number === -1) return;
    this.#isMoving = true;
    this.#givenAtMs.set(number, nowMs);
    try {
      await shards[number]!.stepDown();
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
