import {
  type AccessStore,
  type DeclaredAccess,
  OutdatedAccessError,
  type StoredAccess,
  type StoredAccessChange,
} from './access-store.ts';
import { checkCounts } from './check-entries.ts';
import { type AccessChange, Draft } from './draft.ts';
import type { Limit } from './limits/limit.ts';
import type { Rule } from './rules/rule.ts';
import { rulesInOrder } from './rules/rule-order.ts';
import type { User } from './users/user.ts';

export type { DeclaredAccess } from './access-store.ts';
export type { AccessChange, NewRule, RulePlace } from './draft.ts';

/** Who may be let in and do what, at one moment. It never changes; a change makes a new one. */
export interface AccessSnapshot {
  readonly users: ReadonlyMap<string, User>;
  /** In the order in which they are asked: those of the file before those of the store. */
  readonly rules: readonly Rule[];
  readonly limits: readonly Limit[];
  /** Grows with each change. */
  readonly epoch: number;
  /**
   * Whether users and rules decide. It never becomes false again while the broker runs: whoever takes the last user away
   * does not mean to open the broker to everybody.
   */
  readonly isProtected: boolean;
}

/**
 * All users, rules and limits of a broker: those of the store, which the tools and Kafka's APIs change, and those that a
 * file declares, which wins for what it names. Whoever asks reads {@link current}.
 */
export class AccessDirectory {
  readonly #store: AccessStore;
  readonly #listeners = new Set<() => void>();
  #stored: StoredAccess;
  #declared: DeclaredAccess | undefined;
  #current: AccessSnapshot;
  #lastEdit: Promise<void> = Promise.resolve();

  private constructor(store: AccessStore, stored: StoredAccess, isProtected: boolean) {
    this.#store = store;
    this.#stored = stored;
    this.#current = merged(stored, undefined, 0, isProtected);
  }

  /**
   * @param isProtected whether clients can show who they are though nobody is named here.
   * @throws Error where the store cannot be read.
   */
  static async open(store: AccessStore, isProtected = false): Promise<AccessDirectory> {
    const directory = new AccessDirectory(store, await readFrom(store), isProtected);
    store.follow?.(() => directory.#inOrder(() => directory.#takeUp()));
    return directory;
  }

  get current(): AccessSnapshot {
    return this.#current;
  }

  /** Calls `listener` after each change of {@link current}; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Makes all of the changes or none. They are visible, and it resolves, when they last.
   *
   * @throws AccessError where one of them is refused; StoreError where they could not be kept.
   */
  edit(changes: readonly AccessChange[]): Promise<void> {
    return this.#inOrder(() => this.#edit(changes));
  }

  /**
   * Puts what a file declares in the place of what it declared before.
   *
   * @throws AccessError, and then nothing has changed.
   */
  replaceFile(declared: DeclaredAccess): void {
    const next = merged(this.#stored, declared, this.#current.epoch + 1, this.#current.isProtected);
    checkCounts(next.users, next.rules, next.limits);
    this.#declared = declared;
    this.#publish(next);
  }

  /**
   * What {@link current} would be after changes, which are not made.
   *
   * @throws AccessError where one of them would be refused.
   */
  after(changes: readonly AccessChange[]): AccessSnapshot {
    return this.#drafted(changes).next;
  }

  /** One after the other. */
  #inOrder(change: () => Promise<void>): Promise<void> {
    const done = this.#lastEdit.then(change);
    this.#lastEdit = done.catch(() => {});
    return done;
  }

  async #edit(changes: readonly AccessChange[]): Promise<void> {
    for (;;) {
      const { stored, written } = this.#drafted(changes);
      if (written.length === 0) return;
      if (await this.#isWritten(stored, written)) return;
      await this.#takeUp();
    }
  }

  /** @returns false where others have changed the store meanwhile. */
  async #isWritten(stored: StoredAccess, written: readonly StoredAccessChange[]): Promise<boolean> {
    const isEmptyThen = stored.users.length + stored.rules.length + stored.limits.length === 0;
    try {
      await this.#store.write(written, isEmptyThen);
    } catch (error) {
      if (error instanceof OutdatedAccessError) return false;
      throw error;
    }
    this.#use(stored);
    return true;
  }

  /** Others have changed the store. */
  async #takeUp(): Promise<void> {
    this.#use(await readFrom(this.#store));
  }

  #use(stored: StoredAccess): void {
    this.#stored = stored;
    // The file may have been read anew meanwhile.
    const { epoch, isProtected } = this.#current;
    this.#publish(merged(stored, this.#declared, epoch + 1, isProtected));
  }

  #drafted(changes: readonly AccessChange[]): ReturnType<Draft['finished']> & { next: AccessSnapshot } {
    const draft = new Draft(this.#stored, this.#declared);
    for (const change of changes) draft.apply(change);
    const { stored, written } = draft.finished();
    const { epoch, isProtected } = this.#current;
    const next = merged(stored, this.#declared, epoch + 1, isProtected);
    checkCounts(next.users, next.rules, next.limits);
    return { stored, written, next };
  }

  #publish(next: AccessSnapshot): void {
    this.#current = next;
    for (const listener of this.#listeners) listener();
  }
}

async function readFrom(store: AccessStore): Promise<StoredAccess> {
  const stored = await store.read();
  return { ...stored, rules: stored.rules.sort((one, other) => one.order - other.order) };
}

function merged(
  stored: StoredAccess,
  declared: DeclaredAccess | undefined,
  epoch: number,
  wasProtected: boolean,
): AccessSnapshot {
  const users = new Map(stored.users.map((user) => [user.name, user]));
  for (const user of declared?.users ?? []) users.set(user.name, user);
  const declaredRules = declared?.rules ?? [];
  const storedRules = stored.rules.map(({ rule }) => rule);
  const rules = rulesInOrder(declaredRules, notNamed(declaredRules, storedRules));
  const declaredLimits = declared?.limits ?? [];
  const limits = [...declaredLimits, ...notNamed(declaredLimits, stored.limits)];
  const isProtected = wasProtected || declared !== undefined || users.size > 0 || rules.length > 0;
  return { users, rules, limits, epoch, isProtected };
}

/** What the store has and the file does not name. */
function notNamed<T extends { readonly id: string }>(declared: readonly T[], stored: readonly T[]): T[] {
  const named = new Set(declared.map(({ id }) => id));
  return stored.filter(({ id }) => !named.has(id));
}
