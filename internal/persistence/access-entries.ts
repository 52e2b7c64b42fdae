import { crc32 } from 'node:zlib';
import type { AccessStore, OrderedRule, StoredAccess, StoredAccessChange } from '../access/access-store.ts';
import type { Limit } from '../access/limits/limit.ts';
import { parseRule } from '../access/rules/parse-rules.ts';
import { ruleForm } from '../access/rules/rule.ts';
import type { ScramKeys, ScramMechanism, User } from '../access/users/user.ts';
import { storeRestoreBytes } from '../limits/persistence.ts';
import type { Entry, EntryStore } from '../store/entry-store.ts';
import { ACCESS_SEAL_KEY, accessKey, KeyKind, parseAccessKey } from './entry-keys.ts';
import { bodyOf, VERSION_BYTE, versionOf } from './entry-version.ts';

/**
 * Users, rules and limits as entries of a store:
 *
 *     entry    [version:1][CRC-32 of key and JSON:4][JSON]     version 1 without the checksum
 *     seal     [version:1][CRC-32 of key and JSON:4][{"count":…,"sum":…}]
 *
 * A flipped bit that leaves JSON would change whom a rule is for, and an entry that is gone would be a rule less. So each has
 * a checksum, and the seal, which is written with each change, says how many there are and the sum of their checksums.
 */
export class AccessEntries implements AccessStore {
  readonly #entries: EntryStore;
  /** Of the entries that the store has. */
  #checksums = new Map<string, number>();

  constructor(entries: EntryStore) {
    this.#entries = entries;
  }

  /** @throws Error that names the entry which cannot be read, or says that some are missing. */
  async read(): Promise<StoredAccess> {
    const found: StoredAccess = { users: [], rules: [], limits: [] };
    const checksums = new Map<string, number>();
    let seal: Seal | undefined;
    let isSealed = false;
    for await (const entry of this.#all()) {
      const { body, checksum } = readable(entry, () => opened(entry));
      isSealed ||= versionOf(entry.value) >= SEALED_SINCE;
      if (entry.key === ACCESS_SEAL_KEY) {
        seal = body as Seal;
        continue;
      }
      checksums.set(entry.key, checksum);
      readable(entry, () => take(entry.key, body, found));
    }
    if (isSealed) checkSeal(seal, sealOf(checksums));
    this.#checksums = checksums;
    return found;
  }

  async write(changes: readonly StoredAccessChange[]): Promise<void> {
    const checksums = new Map(this.#checksums);
    const written = changes.map((change) => {
      const key = accessKey(change.kind, change.name);
      const value = change.value === undefined ? undefined : encoded(key, bodyOfChange(change));
      if (value === undefined) checksums.delete(key);
      else checksums.set(key, checksumIn(value));
      return { key, value };
    });
    const seal = { key: ACCESS_SEAL_KEY, value: encoded(ACCESS_SEAL_KEY, sealOf(checksums)) };
    await this.#entries.putEntries([...written, seal]);
    this.#checksums = checksums;
  }

  async *#all(): AsyncGenerator<Entry> {
    let after: string = KeyKind.access;
    for (;;) {
      const page = await this.#entries.readEntries(after, storeRestoreBytes);
      for (const entry of page) {
        if (!entry.key.startsWith(`${KeyKind.access}/`)) return;
        yield entry;
        after = entry.key;
      }
      if (page.length === 0) return;
    }
  }
}

/** Since this version entries have a checksum, and a seal beside them. */
const SEALED_SINCE = 2;
const CHECKSUM_BYTES = 4;

/** What all entries together have to be. */
interface Seal {
  count: number;
  sum: number;
}

function sealOf(checksums: ReadonlyMap<string, number>): Seal {
  let sum = 0;
  for (const checksum of checksums.values()) sum = (sum + checksum) % 2 ** 32;
  return { count: checksums.size, sum };
}

/** @throws Error where entries are missing, or are not those that were written last. */
function checkSeal(seal: Seal | undefined, found: Seal): void {
  if (seal?.count === found.count && seal.sum === found.sum) return;
  const expected = seal === undefined ? 'an unknown number' : String(seal.count);
  throw new Error(
    `the store is damaged: it has ${found.count} users, rules and limits of ${expected}, or older ones; restore it from a backup`,
  );
}

function readable<T>({ key }: Entry, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const shown = JSON.stringify(key.slice(0, 80));
    throw new Error(`the stored entry ${shown} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** @throws Error where it is not what was written. */
function opened({ key, value, isDamaged }: Entry): { body: object; checksum: number } {
  const body = bodyOf(value);
  if (versionOf(value) < SEALED_SINCE && !isDamaged)
    return { body: JSON.parse(textOf(body)), checksum: crcOf(key, body) };
  const json = body.subarray(CHECKSUM_BYTES);
  const checksum = crcOf(key, json);
  if (isDamaged || body.length < CHECKSUM_BYTES || checksum !== checksumIn(value))
    throw new Error('it is damaged: its checksum is another one; restore the store from a backup');
  return { body: JSON.parse(textOf(json)), checksum };
}

function encoded(key: string, body: object): Uint8Array {
  const json = Buffer.from(JSON.stringify(body));
  const head = Buffer.of(VERSION_BYTE, 0, 0, 0, 0);
  head.writeUInt32BE(crcOf(key, json), 1);
  return Buffer.concat([head, json]);
}

function crcOf(key: string, json: Uint8Array): number {
  return crc32(json, crc32(key));
}

function checksumIn(value: Uint8Array): number {
  return Buffer.from(value.buffer, value.byteOffset, value.length).readUInt32BE(1);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function take(key: string, body: object, found: StoredAccess): void {
  const { kind, name } = parseAccessKey(key);
  if (kind === 'user') found.users.push(userOf(name, body as StoredUser));
  else if (kind === 'rule') found.rules.push(ruleOf(name, body as StoredRule));
  else found.limits.push({ ...(body as Omit<Limit, 'id' | 'origin'>), id: name, origin: 'store' });
}

function bodyOfChange(change: StoredAccessChange): object {
  const { kind, value } = change;
  if (kind === 'user') return storedUser(value!);
  if (kind === 'rule') return storedRule(value!);
  const { id: _, origin: __, ...limit } = value!;
  return limit;
}

interface StoredUser {
  isEnabled: boolean;
  groups: string[];
  password?: string;
  scram: Partial<Record<ScramMechanism, StoredKeys>>;
}

/** Bytes are base64. */
interface StoredKeys {
  salt: string;
  iterations: number;
  storedKey: string;
  serverKey: string;
}

function storedUser({ isEnabled, groups, password, scram }: User): StoredUser {
  const keys = Object.entries(scram).map(([mechanism, each]) => [mechanism, storedKeys(each)]);
  return { isEnabled, groups: [...groups], password, scram: Object.fromEntries(keys) };
}

function storedKeys({ salt, iterations, storedKey, serverKey }: ScramKeys): StoredKeys {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return { salt: text(salt), iterations, storedKey: text(storedKey), serverKey: text(serverKey) };
}

function userOf(name: string, { isEnabled, groups, password, scram }: StoredUser): User {
  if (typeof isEnabled !== 'boolean' || !Array.isArray(groups)) throw new Error('it is no user');
  const keys = Object.entries(scram).map(([mechanism, each]) => [mechanism, keysOf(each)]);
  return { name, isEnabled, groups, password, scram: Object.fromEntries(keys), origin: 'store' };
}

function keysOf({ salt, iterations, storedKey, serverKey }: StoredKeys): ScramKeys {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
  return { salt: bytes(salt), iterations, storedKey: bytes(storedKey), serverKey: bytes(serverKey) };
}

interface StoredRule {
  order: number;
  /** As it stands in a file. */
  rule: Record<string, unknown>;
}

function storedRule({ order, rule }: OrderedRule): StoredRule {
  return { order, rule: ruleForm(rule) };
}

function ruleOf(id: string, { order, rule }: StoredRule): OrderedRule {
  if (!Number.isFinite(order)) throw new Error('it has no place');
  return { order, rule: parseRule(rule, 'store', id) };
}
