import { deflateRawSync, inflateRawSync } from 'node:zlib';
import {
  type AccessStore,
  OutdatedAccessError,
  type StoredAccess,
  type StoredAccessChange,
} from '../access/access-store.ts';
import type { Logger } from '../broker/broker.ts';
import { sharedAccessNewsMs } from '../limits/persistence.ts';
import type { Entry, EntryChange, EntryStore } from '../store/entry-store.ts';
import type { SharedChange, SharedTable } from '../store/shared-table.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import { AccessEntries } from './access-entries.ts';

/** The key of all users, rules and limits in their table. */
const KEY = 'access';
const LENGTH_BYTES = 4;

/**
 * Users, rules and limits that the nodes of a cluster share, as one value: nobody reads a part of them. A node changes it only
 * where it knows the last change.
 */
export class SharedAccess implements AccessStore {
  readonly #table: SharedTable;
  readonly #logger: Logger;
  readonly #entries: AccessEntries;
  #known = new Map<string, Uint8Array>();
  #sequence = 0;
  #changed: () => Promise<void> = async () => {};
  #heard = Promise.withResolvers<void>();

  private constructor(table: SharedTable, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
    const store: EntryStore = {
      putEntries: (changes) => this.#put(changes),
      readEntries: async (after) => this.#readBehind(after),
    };
    this.#entries = new AccessEntries(store);
  }

  /** @throws StoreError; Error where what the cluster has cannot be read. */
  static async open(table: SharedTable, logger: Logger): Promise<SharedAccess> {
    const access = new SharedAccess(table, logger);
    let problem: Error | undefined;
    let isOpen = false;
    await table.open((change) => {
      if (change.key !== KEY) throw new Error('it is not of users, rules and limits');
      try {
        access.#take(change);
      } catch (error) {
        // What was read before stays: less would allow more.
        if (isOpen) access.#tell(error as Error);
        else problem = error as Error;
      }
    });
    isOpen = true;
    if (problem !== undefined) throw problem;
    return access;
  }

  follow(changed: () => Promise<void>): void {
    this.#changed = changed;
  }

  read(): Promise<StoredAccess> {
    return this.#entries.read();
  }

  async write(changes: readonly StoredAccessChange[]): Promise<void> {
    await this.#entries.write(changes);
  }

  #readBehind(after: string): Entry[] {
    const entries = Array.from(this.#known, ([key, value]) => ({ key, value }));
    return entries.filter(({ key }) => key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async #put(changes: readonly EntryChange[]): Promise<void> {
    const next = new Map(this.#known);
    for (const { key, value } of changes) {
      if (value === undefined) next.delete(key);
      else next.set(key, value);
    }
    const before = this.#sequence;
    const sequence = await this.#table.swap(KEY, before, encoded(next));
    if (sequence === undefined) {
      if (this.#sequence === before) await this.#untilHeard();
      throw new OutdatedAccessError();
    }
    this.#known = next;
    this.#sequence = sequence;
  }

  /** @throws Error where it cannot be read. */
  #take({ value, sequence }: SharedChange): void {
    if (sequence <= this.#sequence) return;
    this.#known = value === undefined ? new Map() : decoded(value);
    this.#sequence = sequence;
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
    this.#changed().catch((error: Error) => this.#tell(error));
  }

  /** @throws StoreUnavailableError where the change that another node made does not come. */
  async #untilHeard(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      const reason = 'another node changed users or rules, and this one has not heard of it yet';
      timer = setTimeout(() => reject(new StoreUnavailableError('failed', reason)), sharedAccessNewsMs);
    });
    await Promise.race([this.#heard.promise, silence]).finally(() => clearTimeout(timer));
  }

  #tell({ message }: Error): void {
    this.#logger.error({ error: message }, 'the new users of the cluster are not used; those before stay');
  }
}

/** All entries one behind the other, each with the lengths of its parts. */
function encoded(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [key, value] of entries) {
    const name = Buffer.from(key);
    const lengths = Buffer.alloc(2 * LENGTH_BYTES);
    lengths.writeUInt32BE(name.length, 0);
    lengths.writeUInt32BE(value.length, LENGTH_BYTES);
    parts.push(lengths, name, value);
  }
  return deflateRawSync(Buffer.concat(parts));
}

/** @throws Error where that is not what was written. */
function decoded(value: Uint8Array): Map<string, Uint8Array> {
  const bytes = inflateRawSync(value);
  const entries = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const start = at + 2 * LENGTH_BYTES;
    const middle = start + bytes.readUInt32BE(at);
    const end = middle + bytes.readUInt32BE(at + LENGTH_BYTES);
    if (end > bytes.length) throw new Error('the shared users are cut off');
    entries.set(bytes.toString('utf8', start, middle), bytes.subarray(middle, end));
    at = end;
  }
  return entries;
}
