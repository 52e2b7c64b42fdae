import type { AccessStore, OrderedRule, StoredAccess, StoredAccessChange } from '../access/access-store.ts';
import type { Limit } from '../access/limits/limit.ts';
import { parseRule } from '../access/rules/parse-rules.ts';
import { ruleForm } from '../access/rules/rule.ts';
import type { ScramKeys, ScramMechanism, User } from '../access/users/user.ts';
import { storeRestoreBytes } from '../limits/persistence.ts';
import type { Entry, EntryStore } from '../store/entry-store.ts';
import { accessKey, KeyKind, parseAccessKey } from './entry-keys.ts';
import { bodyOf, VERSION_BYTE } from './entry-version.ts';

/** Users, rules and limits as entries of a store: each is JSON behind the byte of its version. */
export class AccessEntries implements AccessStore {
  readonly #entries: EntryStore;

  constructor(entries: EntryStore) {
    this.#entries = entries;
  }

  /** @throws Error that names the entry which cannot be read. */
  async read(): Promise<StoredAccess> {
    const found: StoredAccess = { users: [], rules: [], limits: [] };
    let after: string = KeyKind.access;
    for (;;) {
      const page = await this.#entries.readEntries(after, storeRestoreBytes);
      for (const entry of page) {
        if (!entry.key.startsWith(`${KeyKind.access}/`)) return found;
        take(entry, found);
        after = entry.key;
      }
      if (page.length === 0) return found;
    }
  }

  async write(changes: readonly StoredAccessChange[]): Promise<void> {
    await this.#entries.putEntries(
      changes.map((change) => ({
        key: accessKey(change.kind, change.name),
        value: change.value === undefined ? undefined : encoded(bodyOfChange(change)),
      })),
    );
  }
}

function take({ key, value }: Entry, found: StoredAccess): void {
  try {
    const { kind, name } = parseAccessKey(key);
    const body = JSON.parse(Buffer.from(bodyOf(value)).toString()) as object;
    if (kind === 'user') found.users.push(userOf(name, body as StoredUser));
    else if (kind === 'rule') found.rules.push(ruleOf(name, body as StoredRule));
    else found.limits.push({ ...(body as Omit<Limit, 'id' | 'origin'>), id: name, origin: 'store' });
  } catch (error) {
    const shown = JSON.stringify(key.slice(0, 80));
    throw new Error(`the stored entry ${shown} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function bodyOfChange(change: StoredAccessChange): object {
  const { kind, value } = change;
  if (kind === 'user') return storedUser(value!);
  if (kind === 'rule') return storedRule(value!);
  const { id: _, origin: __, ...limit } = value!;
  return limit;
}

function encoded(body: object): Uint8Array {
  return Buffer.concat([Uint8Array.of(VERSION_BYTE), Buffer.from(JSON.stringify(body))]);
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
