import type { Identity } from '../access/identity.ts';
import type { Logger } from '../broker/broker.ts';
import type { DelayedMessage } from '../broker/delayed-messages.ts';
import { Receipt } from '../broker/delivery/receipt.ts';
import type { Clock } from '../lib/clock.ts';
import { nodeWillsAfterMs, sharedPutsAtOnce } from '../limits/persistence.ts';
import type { SharedChange, SharedTable } from '../store/shared-table.ts';
import { decodeSharedWill, encodeSharedWill, type SharedWill, sharedWillKey } from './shared-will-record.ts';

/** What is known of the nodes of a cluster. */
export interface NodesOfWills {
  readonly self: number;
  readonly others: readonly { readonly id: number }[];
  /** Who coordinates groups; it publishes the wills of nodes that are gone, too. */
  readonly coordinator: unknown;
  readonly isCutOff: boolean;
  readonly cutOffs: number;
  isThere(node: number): Promise<boolean>;
}

export interface OthersWillsParts {
  readonly table: SharedTable;
  readonly nodes: NodesOfWills;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A will of another node. Its message stays in the table until it is published. */
interface OthersWill extends Pick<SharedWill, 'by' | 'isTaken'> {
  readonly node: number;
  readonly clientId: string;
  sequence: number;
  dueAtMs: number | undefined;
  delayMs: number;
  /** The user who left it. */
  user: string | undefined;
  /** Whether this node is just changing it. */
  isBusy: boolean;
  isPublished: boolean;
  /** Since when whoever was about to publish it is gone. */
  takerGoneMs: number | undefined;
}

/**
 * The wills of the clients of other nodes. When a node is gone, the one that coordinates groups publishes those of its clients, each
 * after its delay, unless the client comes to another node before. Each is taken by a change that only one node can make, then
 * published, then deleted: a node that ends in between leaves one that is taken, which is published again rather than lost.
 */
export class OthersWills {
  readonly #table: SharedTable;
  readonly #nodes: NodesOfWills;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #byNode = new Map<number, Map<string, OthersWill>>();
  readonly #byClient = new Map<string, Set<OthersWill>>();
  /** By the node, since when it is not there. */
  readonly #goneSinceMs = new Map<number, number>();
  #isLooking = false;
  /** Publishes one here. Set before there are any. */
  publish: (clientId: string, will: DelayedMessage, receipt: Receipt) => void = () => {};

  constructor({ table, nodes, clock, logger }: OthersWillsParts) {
    this.#table = table;
    this.#nodes = nodes;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** @throws Error where it cannot be read. */
  take(node: number, clientId: string, { value, sequence }: SharedChange): void {
    const before = this.#byNode.get(node)?.get(clientId);
    if (before !== undefined && sequence <= before.sequence) return;
    if (value === undefined) {
      if (before !== undefined) this.#forget(before);
      return;
    }
    const facts = factsOf(decodeSharedWill(value));
    if (before !== undefined) Object.assign(before, facts, { sequence });
    else {
      const added = { isBusy: false, isPublished: false, takerGoneMs: undefined };
      this.#add({ node, clientId, sequence, ...facts, ...added });
    }
  }

  /** Looks which nodes are gone, and publishes what is due of theirs where that is for this node to do. */
  look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#look()
      .catch((error) => this.#tell(error, 'wills of a node that is gone cannot be published now'))
      .finally(() => {
        this.#isLooking = false;
      });
  }

  /**
   * A client connects to this node. What it left on a node that is gone is published before it is let in, or not wanted any more.
   * A node that is there sees to that itself.
   */
  comesBack({ clientId, user }: Identity): Promise<void> | undefined {
    const wills = this.#byClient.get(clientId);
    if (wills === undefined || this.#nodes.isCutOff) return undefined;
    const own = [...wills].filter((will) => will.user === undefined || will.user === user);
    return own.length === 0 ? undefined : this.#allBack(own);
  }

  async #allBack(wills: readonly OthersWill[]): Promise<void> {
    await Promise.all(
      wills.map((will) =>
        this.#back(will).catch((error) => this.#tell(error, 'a will of a client that is back stays for now')),
      ),
    );
  }

  async #back(will: OthersWill): Promise<void> {
    if (await this.#nodes.isThere(will.node)) return;
    if (this.#nodes.isCutOff || will.isBusy || will.isTaken) return;
    if (this.#dueAtMs(will) > this.#clock.now()) await this.#delete(will);
    else await this.#publish(will);
  }

  async #look(): Promise<void> {
    const { self, others, isCutOff, coordinator } = this.#nodes;
    if (isCutOff) this.#goneSinceMs.clear();
    const there = new Set([self, ...others.map(({ id }) => id)]);
    const nowMs = this.#clock.elapsedMs();
    for (const node of this.#goneSinceMs.keys()) {
      if (there.has(node) || !this.#byNode.has(node)) this.#goneSinceMs.delete(node);
    }
    if (isCutOff) return;
    for (const [node, wills] of this.#byNode) {
      if (there.has(node)) continue;
      const sinceMs = this.#goneSinceMs.get(node);
      if (sinceMs === undefined) this.#goneSinceMs.set(node, nowMs);
      else if (coordinator === 'here' && nowMs - sinceMs >= nodeWillsAfterMs) {
        await this.#lookAt(node, [...wills.values()], there);
      }
    }
  }

  async #lookAt(node: number, wills: readonly OthersWill[], there: ReadonlySet<number>): Promise<void> {
    if (await this.#nodes.isThere(node)) return;
    for (let at = 0; at < wills.length && !this.#nodes.isCutOff; at += sharedPutsAtOnce) {
      const some = wills.slice(at, at + sharedPutsAtOnce);
      await Promise.all(some.map((will) => this.#lookAtOne(will, there)));
    }
  }

  async #lookAtOne(will: OthersWill, there: ReadonlySet<number>): Promise<void> {
    if (will.isBusy) return;
    if (will.isTaken && will.by !== this.#nodes.self && !this.#isTakerGone(will, there)) return;
    if (will.isPublished) await this.#delete(will);
    else if (will.isTaken || this.#dueAtMs(will) <= this.#clock.now()) await this.#publish(will);
    // Whoever looks after this node need not know since when the other one is gone.
    else if (will.dueAtMs === undefined) await this.#change(will, { dueAtMs: this.#dueAtMs(will) });
  }

  #isTakerGone(will: OthersWill, there: ReadonlySet<number>): boolean {
    const nowMs = this.#clock.elapsedMs();
    will.takerGoneMs = there.has(will.by) ? undefined : (will.takerGoneMs ?? nowMs);
    return will.takerGoneMs !== undefined && nowMs - will.takerGoneMs >= nodeWillsAfterMs;
  }

  /** Of a client that was there when its node went, the delay begins with that. */
  #dueAtMs({ node, dueAtMs, delayMs }: OthersWill): number {
    if (dueAtMs !== undefined) return dueAtMs;
    const nowMs = this.#clock.elapsedMs();
    const goneForMs = nowMs - (this.#goneSinceMs.get(node) ?? nowMs);
    return this.#clock.now() - goneForMs + delayMs;
  }

  async #publish(will: OthersWill): Promise<void> {
    const taken = await this.#change(will, { isTaken: true });
    if (taken === undefined) return;
    const { node, clientId } = will;
    const receipt = new Receipt();
    will.isBusy = true;
    will.isPublished = true;
    this.#logger.debug({ node }, 'a will of a node that is gone is published');
    this.publish(clientId, taken.will, receipt);
    receipt.whenSettled(() => {
      will.isBusy = false;
      this.#delete(will).catch((error) => this.#tell(error, 'a will that is published stays for now'));
    });
  }

  /** Undefined where another node was faster, whose change is heard of. */
  async #change(
    will: OthersWill,
    { isTaken = false, dueAtMs }: { isTaken?: boolean; dueAtMs?: number },
  ): Promise<SharedWill | undefined> {
    const { self } = this.#nodes;
    will.isBusy = true;
    try {
      const key = sharedWillKey(will.node, will.clientId);
      const last = await this.#table.get(key);
      if (last?.value === undefined || last.sequence !== will.sequence) return undefined;
      const { will: stored } = decodeSharedWill(last.value);
      const next = { by: self, isTaken, will: { ...stored, dueAtMs: dueAtMs ?? stored.dueAtMs } };
      const sequence = await this.#table.swap(key, last.sequence, encodeSharedWill(next));
      if (sequence === undefined) return undefined;
      Object.assign(will, factsOf(next), { sequence });
      return next;
    } finally {
      will.isBusy = false;
    }
  }

  async #delete(will: OthersWill): Promise<void> {
    will.isBusy = true;
    try {
      const key = sharedWillKey(will.node, will.clientId);
      const sequence = await this.#table.swap(key, will.sequence, undefined);
      if (sequence !== undefined) this.#forget(will);
    } finally {
      will.isBusy = false;
    }
  }

  #add(will: OthersWill): void {
    const { node, clientId } = will;
    const ofNode = this.#byNode.get(node) ?? new Map<string, OthersWill>();
    this.#byNode.set(node, ofNode.set(clientId, will));
    const ofClient = this.#byClient.get(clientId) ?? new Set();
    this.#byClient.set(clientId, ofClient.add(will));
  }

  #forget(will: OthersWill): void {
    const { node, clientId } = will;
    const ofNode = this.#byNode.get(node);
    if (ofNode?.get(clientId) !== will) return;
    ofNode.delete(clientId);
    if (ofNode.size === 0) this.#byNode.delete(node);
    const ofClient = this.#byClient.get(clientId)!;
    ofClient.delete(will);
    if (ofClient.size === 0) this.#byClient.delete(clientId);
  }

  #tell(error: unknown, line: string): void {
    this.#logger.warn({ error: (error as Error).message }, line);
  }
}

function factsOf({ by, isTaken, will }: SharedWill) {
  const { dueAtMs, delayMs, owner } = will;
  return { by, isTaken, dueAtMs, delayMs, user: owner?.user };
}
