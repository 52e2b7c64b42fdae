import type { Limit } from './limits/limit.ts';
import type { Rule } from './rules/rule.ts';
import type { User } from './users/user.ts';

/** Where users, rules and limits last that were not declared in a file. */
export interface AccessStore {
  /** @throws Error where something of it cannot be read: a part of the rules is worse than none. */
  read(): Promise<StoredAccess>;
  /**
   * Makes changes last, all of them or none.
   *
   * @param isEmptyThen whether the store has neither users nor rules nor limits after them.
   * @throws StoreError; OutdatedAccessError
   */
  write(changes: readonly StoredAccessChange[], isEmptyThen: boolean): Promise<void>;
  /** Calls `changed` when others have changed it, where there are any, and tells what it rejects with. */
  follow?(changed: () => Promise<void>): void;
}

/** Others have changed the store since it was read: it is to be read again. */
export class OutdatedAccessError extends Error {
  override readonly name = 'OutdatedAccessError';
}

export interface StoredAccess {
  users: User[];
  rules: OrderedRule[];
  limits: Limit[];
}

/** What a file declares, checked. */
export interface DeclaredAccess {
  readonly users: readonly User[];
  readonly rules: readonly Rule[];
  readonly limits: readonly Limit[];
}

/** A rule with its place: those with smaller numbers are asked first. */
export interface OrderedRule {
  readonly order: number;
  readonly rule: Rule;
}

/** Undefined forgets what has the name. */
export type StoredAccessChange =
  | { readonly kind: 'user'; readonly name: string; readonly value: User | undefined }
  | { readonly kind: 'rule'; readonly name: string; readonly value: OrderedRule | undefined }
  | { readonly kind: 'limit'; readonly name: string; readonly value: Limit | undefined };

/** The store of a broker that keeps nothing. */
export const keepsNothing: AccessStore = {
  read: async () => ({ users: [], rules: [], limits: [] }),
  write: async () => {},
};
