import type { Receipt } from '../../broker/delivery/receipt.ts';
import type { Routes } from '../../broker/routing/routes.ts';
import { interestWaitMs, newsBytes } from '../../limits/links.ts';
import { parseShared } from '../../topic.ts';
import type { InterestPacket } from './packets.ts';

export interface OwnInterestParts {
  readonly routes: Routes;
  /** The other nodes that are there. */
  peers(): Iterable<number>;
  send(packet: InterestPacket, node: number): void;
}

/** Subscriptions that wait until all nodes know a version. */
interface Awaiting {
  readonly version: number;
  receipts: Receipt[];
  timer: NodeJS.Timeout | undefined;
}

/**
 * Tells the other nodes which filters this one has subscribers of: what changed in a turn, or all to whoever missed something.
 * Whoever subscribed is answered when they know it.
 */
export class OwnInterest {
  readonly #parts: OwnInterestParts;
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();
  readonly #endListening: () => void;
  /** Which version each node knows. */
  readonly #known = new Map<number, number>();
  /** For what is not told yet. */
  #untold: Receipt[] = [];
  #awaiting: Awaiting[] = [];
  #isScheduled = false;
  version = 0;

  constructor(parts: OwnInterestParts) {
    this.#parts = parts;
    const { routes } = parts;
    this.#endListening = routes.subscribed.onChange((filter, isWanted) => this.#noteChange(filter, isWanted));
    routes.holdUntilKnown = (receipt) => this.#hold(receipt);
  }

  close(): void {
    this.#parts.routes.holdUntilKnown = undefined;
    this.#endListening();
    for (const awaiting of this.#awaiting) letGo(awaiting);
    this.#awaiting = [];
    for (const receipt of this.#untold) receipt.letGo();
    this.#untold = [];
  }

  /** Tells a node all filters. */
  tellAll(node: number): void {
    const all = [...this.#parts.routes.subscribed.filters()].filter(isRoutable);
    const pieces = [...inPieces(all)];
    const last = pieces.pop() ?? [];
    for (const [part, added] of pieces.entries()) this.#parts.send({ added, removed: [], part }, node);
    this.#parts.send({ version: this.version, added: last, removed: [], parts: pieces.length }, node);
  }

  /** A node knows all filters up to a version. */
  known(node: number, version: number): void {
    this.#known.set(node, version);
    this.#look();
  }

  /** Nobody waits any more for a node that is gone. */
  forget(node: number): void {
    this.#known.delete(node);
    this.#look();
  }

  #noteChange(filter: string, isWanted: boolean): void {
    if (!isRoutable(filter)) return;
    (isWanted ? this.#removed : this.#added).delete(filter);
    (isWanted ? this.#added : this.#removed).add(filter);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#tellChanges());
  }

  #tellChanges(): void {
    this.#isScheduled = false;
    for (const added of inPieces([...this.#added])) this.#tell({ added, removed: [] });
    for (const removed of inPieces([...this.#removed])) this.#tell({ added: [], removed });
    this.#added.clear();
    this.#removed.clear();
    const receipts = this.#untold;
    this.#untold = [];
    if (receipts.length > 0) this.#await(receipts);
  }

  #tell(change: Pick<InterestPacket, 'added' | 'removed'>): void {
    const since = this.version++;
    for (const id of this.#parts.peers()) this.#parts.send({ ...change, since, version: this.version }, id);
  }

  #hold(receipt: Receipt): void {
    if (!this.#isScheduled && this.#isKnown(this.version)) return;
    receipt.hold();
    if (this.#isScheduled) this.#untold.push(receipt);
    else this.#await([receipt]);
  }

  #await(receipts: Receipt[]): void {
    const awaiting: Awaiting = { version: this.version, receipts, timer: undefined };
    awaiting.timer = setTimeout(() => letGo(awaiting), interestWaitMs);
    this.#awaiting.push(awaiting);
    this.#look();
  }

  #look(): void {
    const { length } = this.#awaiting;
    if (length === 0) return;
    this.#awaiting = this.#awaiting.filter((awaiting) => {
      const isOver = awaiting.receipts.length === 0 || this.#isKnown(awaiting.version);
      if (isOver) letGo(awaiting);
      return !isOver;
    });
  }

  #isKnown(version: number): boolean {
    for (const id of this.#parts.peers()) if ((this.#known.get(id) ?? -1) < version) return false;
    return true;
  }
}

function letGo(awaiting: Awaiting): void {
  clearTimeout(awaiting.timer);
  const { receipts } = awaiting;
  awaiting.receipts = [];
  for (const receipt of receipts) receipt.letGo();
}

/** What a broker tells of itself stays with it. */
function isRoutable(filter: string): boolean {
  return !(parseShared(filter)?.filter ?? filter).startsWith('$');
}

/** Texts in pieces that a packet holds, however much longer JSON makes them. */
export function* inPieces<T>(all: readonly T[], textOf: (each: T) => string = String): Generator<T[]> {
  let piece: T[] = [];
  let bytes = 0;
  for (const each of all) {
    const size = 6 * textOf(each).length + 64;
    if (piece.length > 0 && bytes + size > newsBytes) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(each);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}
