import type { Outcome, ShardMessage, ShardStream, StoredMessage } from '../../internal/cluster/stream.ts';
import type { Clock, ClockTimer } from '../../internal/lib/clock.ts';

/** Random numbers that a seed repeats. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b9) | 0;
  }

  /** From 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  is(probability: number): boolean {
    return this.next() < probability;
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }
}

/** A world without a machine: time goes on when nothing more happens at the moment. */
export class World {
  readonly chance: Chance;
  nowMs = 0;
  readonly #events: { atMs: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  after(ms: number, run: () => void): void {
    const event = { atMs: this.nowMs + ms, order: this.#order++, run };
    let at = this.#events.length;
    while (at > 0 && this.#events[at - 1].atMs > event.atMs) at--;
    this.#events.splice(at, 0, event);
  }

  /** Lets everything happen, each event with all that follows from it at once. */
  async run(): Promise<void> {
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      this.nowMs = Math.max(this.nowMs, event.atMs);
      event.run();
      await new Promise(setImmediate);
    }
  }
}

/** A machine of the world: it stops for a while, or for good. */
export class Machine implements Clock {
  isDead = false;
  /** When a packet that was sent before arrives: one connection keeps its order. */
  lastArrivalMs = 0;
  readonly #world: World;
  #held: (() => void)[] | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  now(): number {
    return this.#world.nowMs;
  }

  elapsedMs(): number {
    return this.#world.nowMs;
  }

  after(ms: number, run: () => void): ClockTimer {
    let isCancelled = false;
    this.#world.after(ms, () =>
      this.happens(() => {
        if (!isCancelled) run();
      }),
    );
    return {
      cancel() {
        isCancelled = true;
      },
    };
  }

  every(): ClockTimer {
    throw new Error('nothing in a shard comes again and again');
  }

  /** Does it when the machine runs. */
  happens(run: () => void): void {
    if (this.isDead) return;
    if (this.#held === undefined) run();
    else this.#held.push(run);
  }

  pause(ms: number): void {
    if (this.#held !== undefined) return;
    this.#held = [];
    this.#world.after(ms, () => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const run of held) this.happens(run);
    });
  }
}

const CLIENT_TIMEOUT_MS = 5_000;

interface Proposal {
  messages: readonly ShardMessage[];
  /** Tells who asked; undefined where the answer got lost. */
  answer: ((outcome: Outcome) => void) | undefined;
}

/**
 * A stream of JetStream that behaves badly within its rules: it delays, answers late or never, changes its leader, keeps or loses
 * what was proposed, keeps the beginning of a batch only, has replicas that are behind, followers that go deaf, and leaders that do
 * not know that they were replaced.
 */
export class FakeJetStream {
  readonly stored: StoredMessage[] = [];
  /** Whether nothing goes wrong any more. */
  isWell = false;
  readonly #world: World;
  #proposals: Proposal[] = [];
  #isCommitting = false;
  #noLeaderUntilMs = 0;
  /** What a leader that was replaced believes to be the last sequence, until some time. */
  #stale = { last: 0, untilMs: 0 };
  readonly #followers = new Set<() => void>();

  constructor(world: World) {
    this.#world = world;
  }

  /** The stream as a machine reaches it. */
  reachedBy(machine: Machine): ShardStream {
    return {
      lastSequence: () =>
        this.#asks(machine, (answer) => answer(this.#isStale() ? this.#stale.last : this.stored.length)),
      publish: (messages, expectedLast) => this.#publish(machine, messages, expectedLast),
      readBetween: (after, last) => this.#asks(machine, (answer) => this.#read(after, last, answer)),
      follow: (after, take) => this.#follow(machine, after, take),
      changeLeader: async () => this.changeLeader(),
    };
  }

  /** Another leader: some of what was proposed is stored all the same, late, and its sender learns nothing. */
  changeLeader(): void {
    const { chance, nowMs } = this.#world;
    const keptCount = chance.below(this.#proposals.length + 1);
    const kept = this.#proposals.slice(0, keptCount);
    const partly = this.#proposals[keptCount];
    if (partly !== undefined && partly.messages.length > 1 && chance.is(0.3)) {
      const length = 1 + chance.below(partly.messages.length - 1);
      kept.push({ messages: partly.messages.slice(0, length), answer: undefined });
    }
    for (const proposal of kept) proposal.answer = undefined;
    this.#proposals = kept;
    this.#stale = { last: this.stored.length, untilMs: nowMs + chance.between(0, 8_000) };
    this.#noLeaderUntilMs = nowMs + chance.between(100, 6_000);
  }

  #isStale(): boolean {
    const { chance, nowMs } = this.#world;
    return !this.isWell && nowMs < this.#stale.untilMs && chance.is(0.5);
  }

  async #publish(
    machine: Machine,
    messages: readonly ShardMessage[],
    expectedLast: number,
  ): Promise<Outcome> {
    const handle = (answer: (value: Outcome) => void) => {
      if (this.#isStale()) {
        if (expectedLast !== this.#stale.last) answer({ kind: 'refused' });
        return;
      }
      const last = this.#proposals.reduce((sum, each) => sum + each.messages.length, this.stored.length);
      if (expectedLast !== last) return answer({ kind: 'refused' });
      this.#proposals.push({ messages, answer });
      this.#commitLater();
    };
    const asking = this.#asks<Outcome>(machine, handle, { kind: 'unheard' });
    return asking.catch((): Outcome => ({ kind: 'unknown', reason: 'timeout' }));
  }

  /**
   * Sends a question to the leader, and the answer back. Rejects where it takes too long.
   * @param unheard the answer where nobody leads and the servers know it.
   */
  #asks<T>(machine: Machine, handle: (answer: (value: T) => void) => void, unheard?: T): Promise<T> {
    const { chance } = this.#world;
    return new Promise((resolve, reject) => {
      machine.after(CLIENT_TIMEOUT_MS, () => reject(new Error('timeout')));
      const answer = (value: T) => {
        if (!this.isWell && chance.is(0.05)) return;
        this.#world.after(this.#delay(), () => machine.happens(() => resolve(value)));
      };
      // A connection that was made anew may overtake the one before.
      const isNewConnection = chance.is(0.03);
      const arrivesMs = Math.max(
        this.#world.nowMs + this.#delay(),
        isNewConnection ? 0 : machine.lastArrivalMs,
      );
      machine.lastArrivalMs = arrivesMs;
      this.#world.after(arrivesMs - this.#world.nowMs, () => {
        if (this.#world.nowMs >= this.#noLeaderUntilMs) handle(answer);
        else if (unheard !== undefined && chance.is(0.5)) answer(unheard);
      });
    });
  }

  #delay(): number {
    const { chance } = this.#world;
    if (this.isWell) return 1;
    return chance.is(0.1) ? chance.between(10, 3_000) : chance.between(0.1, 10);
  }

  #commitLater(): void {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    const isAfterElection = this.#world.nowMs < this.#noLeaderUntilMs;
    const ms = isAfterElection ? this.#noLeaderUntilMs - this.#world.nowMs : this.#delay();
    this.#world.after(ms, () => {
      this.#isCommitting = false;
      const proposal = this.#proposals.shift();
      if (proposal !== undefined) this.#commit(proposal);
      if (this.#proposals.length > 0) this.#commitLater();
    });
  }

  #commit({ messages, answer }: Proposal): void {
    for (const message of messages) this.stored.push({ ...message, sequence: this.stored.length + 1 });
    answer?.({ kind: 'stored', last: this.stored.length });
    for (const look of this.#followers) look();
  }

  #read(after: number, last: number, answer: (messages: StoredMessage[]) => void): void {
    const { chance } = this.#world;
    const isBehind = !this.isWell && chance.is(0.2);
    if (!isBehind && last <= this.stored.length) answer(this.stored.slice(after, last));
  }

  #follow(machine: Machine, after: () => number, take: (message: StoredMessage) => boolean): () => void {
    const { chance } = this.#world;
    let next = after() + 1;
    let isDeaf = false;
    let isLooking = false;
    const look = () => {
      if (isLooking || isDeaf) return;
      isLooking = true;
      this.#world.after(this.#delay(), () => {
        isLooking = false;
        if (!this.isWell && chance.is(0.03)) return goDeaf();
        machine.happens(handOver);
      });
    };
    const goDeaf = () => {
      isDeaf = true;
      machine.after(chance.between(2_000, 4_000), () => {
        isDeaf = false;
        next = after() + 1;
        look();
      });
    };
    const handOver = () => {
      while (next <= this.stored.length) {
        // All is here, so a message that does not follow never will.
        if (!take(this.stored[next - 1])) return this.#followers.delete(look);
        next++;
      }
    };
    this.#followers.add(look);
    look();
    return () => this.#followers.delete(look);
  }
}
