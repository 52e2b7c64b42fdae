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
    access: new FakeStored(),
  };

  /** As one node sees them. */
  ofNode(): SharedTables {
    const { retained, access } = this.#stored;
    return {
      retained: new FakeTable(retained),
      access: new FakeTable(access),
    };
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
  #listener: SharedListener = () => {};

  constructor(stored: FakeStored) {
    this.#stored = stored;
  }

  async open(listener: SharedListener): Promise<void> {
    for (const change of this.#stored.last.values()) listener(change);
    this.#listener = listener;
    this.#stored.tables.add(this);
  }

  tell(change: SharedChange): void {
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
    return this.#stored.store(this, key, value);
  }

  async #answer(): Promise<void> {
    await new Promise(setImmediate);
    if (this.#stored.isAway) throw new StoreUnavailableError('failed', 'nobody answers');
  }
}
