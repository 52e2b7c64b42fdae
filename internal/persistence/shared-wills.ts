import { setTimeout as pause } from 'node:timers/promises';
import type { Identity } from '../access/identity.ts';
import type { Logger } from '../broker/broker.ts';
import type { DelayedMessage } from '../broker/delayed-messages.ts';
import type { Receipt } from '../broker/delivery/receipt.ts';
import { clientOfWill, willKeyOf } from '../broker/sessions/will.ts';
import type { WillHost, WillStore } from '../broker/sessions/wills.ts';
import type { Clock, ClockTimer } from '../lib/clock.ts';
import { ownWillRetryMs, willsLookMs } from '../limits/persistence.ts';
import type { EntryChange } from '../store/entry-store.ts';
import type { SharedChange, SharedTable } from '../store/shared-table.ts';
import { type NodesOfWills, OthersWills } from './others-wills.ts';
import {
  decodeSharedWill,
  encodeSharedWill,
  parseSharedWillKey,
  sharedWillKey,
} from './shared-will-record.ts';
import { EntriesOfTable } from './table-entries.ts';
import { WriteQueue } from './write-queue.ts';

export interface SharedWillsParts {
  readonly table: SharedTable;
  readonly nodes: NodesOfWills;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What this node knows of a will of its own in the table. */
interface Own {
  /** Of its last change that has arrived there; 0 while none has. */
  sequence: number;
  /** Whether a change is on its way. */
  isWriting: boolean;
  /** The bytes of the last change, once they are on their way. */
  encoded: Uint8Array | undefined;
  /** How often this node was cut off when it arrived: if that was so again, others may have taken it for gone. */
  cutOffs: number;
}

/**
 * The wills of the clients of this node, where other nodes find them when this one is gone. Who publishes a will of a node that
 * may count as gone takes it out of the table before, so that nobody else does: this node too, if it comes back.
 */
export class SharedWills implements WillStore {
  readonly #table: SharedTable;
  readonly #nodes: NodesOfWills;
  readonly #queue: WriteQueue;
  readonly #others: OthersWills;
  readonly #own = new Map<string, Own>();
  readonly #beat: ClockTimer;
  #host: WillHost | undefined;
  #isClosed = false;

  constructor({ table, nodes, clock, logger }: SharedWillsParts) {
    this.#table = table;
    this.#nodes = nodes;
    this.#queue = new WriteQueue(new EntriesOfTable((change) => this.#put(change)), logger);
    this.#others = new OthersWills({ table, nodes, clock, logger });
    this.#beat = clock.every(willsLookMs, () => this.#others.look());
  }

  /** Takes up what the cluster has, and follows it. @throws StoreError */
  async open(host: WillHost): Promise<void> {
    this.#host = host;
    this.#others.publish = (...what) => host.publishOf(...what);
    await this.#table.open((change) => this.#take(change));
  }

  putDelayed(key: string, delayed: DelayedMessage, receipt?: Receipt): void {
    const clientId = clientOfWill(key)!;
    // It is published with the end of its session at the latest, which nobody else knows.
    const delayMs = Math.min(delayed.delayMs, this.#host?.expiryMsOf(clientId) ?? delayed.delayMs);
    const before = this.#own.get(key);
    // That of a new connection takes the place of whatever is there.
    const sequence = delayed.dueAtMs === undefined ? 0 : (before?.sequence ?? 0);
    const own: Own = { sequence, isWriting: true, encoded: undefined, cutOffs: 0 };
    this.#own.set(key, own);
    const shared = { by: this.#nodes.self, isTaken: false, will: { ...delayed, delayMs } };
    const bytes = () => {
      own.encoded = encodeSharedWill(shared);
      return own.encoded;
    };
    this.#queue.put(key, bytes, receipt);
  }

  deleteDelayed(key: string): void {
    this.#own.delete(key);
    this.#queue.put(key, () => undefined);
  }

  mayPublish(key: string): true | Promise<boolean> {
    const own = this.#own.get(key);
    const { isCutOff, cutOffs } = this.#nodes;
    if (own === undefined) return true;
    if (!isCutOff && (own.sequence === 0 || own.cutOffs === cutOffs)) return true;
    return this.#takeBack(key, own);
  }

  comesBack(identity: Identity): Promise<void> | undefined {
    return this.#others.comesBack(identity);
  }

  /** Resolves when all changes are in the table, or could not be put there. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#beat.cancel();
    this.#queue.close();
  }

  async #put({ key, value }: EntryChange): Promise<void> {
    const own = this.#own.get(key);
    const tableKey = this.#tableKey(key);
    const { cutOffs } = this.#nodes;
    const isUpdate = value !== undefined && own !== undefined && own.encoded === value && own.sequence > 0;
    const sequence = isUpdate
      ? await this.#update(tableKey, own.sequence, value)
      : await this.#table.put(tableKey, value);
    if (own === undefined || own !== this.#own.get(key) || own.encoded !== value) return;
    if (sequence === undefined) {
      this.#lose(key);
      return;
    }
    Object.assign(own, { sequence, cutOffs, isWriting: false });
  }

  /** Undefined where another node has taken it. */
  async #update(key: string, sequence: number, value: Uint8Array): Promise<number | undefined> {
    for (let known = sequence; ; ) {
      const stored = await this.#table.swap(key, known, value);
      if (stored !== undefined) return stored;
      // What was tried before may have arrived without an answer.
      const last = await this.#table.get(key);
      if (last?.value === undefined || !this.#isOwn(last.value)) return undefined;
      known = last.sequence;
    }
  }

  /** Takes a will out of the table before it is published. Whether it was there, or never came there. */
  async #takeBack(key: string, own: Own): Promise<boolean> {
    const tableKey = this.#tableKey(key);
    this.#own.delete(key);
    this.#queue.forget(key);
    while (!this.#isClosed) {
      try {
        // Its client is back, with another will.
        if (this.#own.has(key)) return true;
        if (!this.#nodes.isCutOff) {
          const last = await this.#table.get(tableKey);
          if (last?.value === undefined) return own.sequence === 0;
          if (!this.#isOwn(last.value)) return false;
          if ((await this.#table.swap(tableKey, last.sequence, undefined)) !== undefined) return true;
        }
      } catch {
        // NATS is away, which is told elsewhere.
      }
      await pause(ownWillRetryMs);
    }
    return false;
  }

  #take(change: SharedChange): void {
    const { node, clientId } = parseSharedWillKey(change.key);
    if (node === this.#nodes.self) this.#takeOwn(willKeyOf(clientId), change);
    else this.#others.take(node, clientId, change);
  }

  /** What others do to it means that they publish it. */
  #takeOwn(key: string, { value, sequence }: SharedChange): void {
    const own = this.#own.get(key);
    if (own === undefined || own.isWriting || sequence <= own.sequence) return;
    if (value === undefined || !this.#isOwn(value)) this.#lose(key);
  }

  #lose(key: string): void {
    this.#own.delete(key);
    this.#host!.lost(clientOfWill(key)!);
  }

  /** What cannot be read nobody else publishes in its place. */
  #isOwn(value: Uint8Array): boolean {
    try {
      return decodeSharedWill(value).by === this.#nodes.self;
    } catch {
      return true;
    }
  }

  #tableKey(key: string): string {
    return sharedWillKey(this.#nodes.self, clientOfWill(key)!);
  }
}
