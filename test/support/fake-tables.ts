import type {
  SharedChange,
  SharedListener,
  SharedTable,
  SharedTables,
} from '../../internal/store/shared-table.ts';
import { StoreUnavailableError } from '../../internal/store/store-error.ts';

type TableName = keyof SharedTables;

/** The tables of a cluster in one process, which each node opens for itself. */
export class FakeTables {
  readonly #stored: Record<TableName, FakeStored> = {
    retained: new FakeStored(),
    wills: new FakeStored(),
    access: new FakeStored(),
  };

  /** As one node sees them. @param isCutOff whether it reaches nobody at the moment. */
  ofNode(isCutOff: () => boolean): SharedTables & { catchUp(): void } {
    const { retained, wills, access } = this.#stored;
    const tables = {
      retained: new FakeTable(retained, isCutOff),
      wills: new FakeTable(wills, isCutOff),
      access: new FakeTable(access, isCutOff),
    };
    const catchUp = () => {
      for (const table of Object.values(tables)) table.catchUp();
    };
    return { ...tables, catchUp };
  }

  /** Called when a value was swapped, and its node has not heard of that yet. */
  set afterSwap(run: (() => void) | undefined) {
    for (const stored of Object.values(this.#stored)) stored.afterSwap = run;
  }

  /** The last values of the wills. */
  get wills(): Uint8Array[] {
    return [...this.#stored.wills.last.values()].flatMap(({ value }) => value ?? []);
  }

  /** Whether what is put fails, as it does without NATS. */
  set isAway(isAway: boolean) {
    for (const stored of Object.values(this.#stored)) stored.isAway = isAway;
  }
}

class FakeStored {
  readonly last = new Map<string, SharedChange>();
  readonly tables = new Set<FakeTable>();
  sequence = 0;
  isAway = false;
  afterSwap: (() => void) | undefined;

  store(by: FakeTable, key: string, value: Uint8Array | undefined): number {
    const change = { key, value: value?.slice(), sequence: ++this.sequence };
    this.last.set(key, change);
    // The others hear of it in a later turn, in its order.
    setImmediate(() => {
      for (const table of this.tables) if (table !== by) table.tell(change);
    });
    return change.sequence;
  }
}

/** A table as one node sees it. */
class FakeTable implements SharedTable {
  readonly maxBytes = 7 * 1024 * 1024;
  readonly #stored: FakeStored;
  readonly #isCutOff: () => boolean;
  #listener: SharedListener = () => {};
  #heard = 0;

  constructor(stored: FakeStored, isCutOff: () => boolean) {
    this.#stored = stored;
    this.#isCutOff = isCutOff;
  }

  async open(listener: SharedListener): Promise<void> {
    for (const change of this.#stored.last.values()) listener(change);
    this.#listener = listener;
    this.#stored.tables.add(this);
    this.#heard = this.#stored.sequence;
  }

  /** Hears what it missed while it was cut off. */
  catchUp(): void {
    const missed = [...this.#stored.last.values()].filter(({ sequence }) => sequence > this.#heard);
    for (const change of missed.sort((a, b) => a.sequence - b.sequence)) this.tell(change);
  }

  tell(change: SharedChange): void {
    if (this.#isCutOff()) return;
    this.#heard = change.sequence;
    // As with the other: what this node has put since then is what counts.
    if (change.sequence >= (this.#stored.last.get(change.key)?.sequence ?? 0)) this.#listener(change);
  }

  async put(key: string, value: Uint8Array | undefined): Promise<number> {
    await this.#answer();
    return this.#stored.store(this, key, value);
  }

  async swap(key: string, sequence: number, value: Uint8Array | undefined): Promise<number | undefined> {
    await this.#answer();
    if ((this.#stored.last.get(key)?.sequence ?? 0) !== sequence) return undefined;
    const stored = this.#stored.store(this, key, value);
    this.#stored.afterSwap?.();
    if (this.#isCutOff()) throw new StoreUnavailableError('failed', 'nobody answers');
    return stored;
  }

  async get(key: string): Promise<SharedChange | undefined> {
    await this.#answer();
    return this.#stored.last.get(key);
  }

  async #answer(): Promise<void> {
    await new Promise(setImmediate);
    if (this.#stored.isAway || this.#isCutOff()) throw new StoreUnavailableError('failed', 'nobody answers');
  }
}
