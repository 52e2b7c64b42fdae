import type { Refusal } from './authenticator.ts';
import type { AccessSnapshot } from './directory.ts';
import type { Identity } from './identity.ts';
import { isSame } from './users/password-hash.ts';
import type { ReplacedPassword } from './users/passwords.ts';
import { SCRAM_MECHANISMS, type ScramKeys, type User } from './users/user.ts';

type Secrets = Pick<User, 'password' | 'scram'>;

/** Who is let in, as the directory has them now: users may be removed, disabled or put into other groups while they are here. */
export class Standing {
  readonly #directory: { readonly current: AccessSnapshot };
  /** Hashes that took the place of others of the same password, by the name of their user. */
  readonly #replaced = new Map<string, ReplacedPassword>();
  /** With what those were let in whom the directory knew, in the form in which it was found to hold last. */
  readonly #credentials: WeakMap<Identity, Secrets>;
  /** Those whose groups have changed, as they are now. */
  #regrouped = new WeakMap<Identity, Identity>();
  #epoch = 0;

  constructor(
    directory: { readonly current: AccessSnapshot },
    credentials: WeakMap<Identity, Secrets> = new WeakMap(),
  ) {
    this.#directory = directory;
    this.#credentials = credentials;
  }

  /** How those who are here would stand with other users. */
  with(directory: { readonly current: AccessSnapshot }): Standing {
    return new Standing(directory, this.#credentials);
  }

  /** Remembers that somebody was let in by the password that the directory had then: by now it may have another. */
  letIn(identity: Identity, shown: Secrets): void {
    this.#credentials.set(identity, shown);
  }

  /** Remembers that a hash is another one of the same password, before the directory has it. */
  replacing(change: ReplacedPassword): void {
    this.#replaced.set(change.name, change);
  }

  /** Who somebody is now, or why they may not be here any more. */
  of(identity: Identity): Identity | Refusal {
    const user = this.#userOf(identity);
    const shown = this.#credentials.get(identity);
    if (user === undefined)
      return shown === undefined ? identity : { reason: 'the user was removed; it may not be here any more' };
    if (!user.isEnabled) return { reason: 'the user was disabled' };
    if (shown !== undefined && shown !== user) {
      if (!haveSameSecrets(user, shown) && !this.#isReplaced(user, shown))
        return { reason: 'the password of the user was changed; log in with the new one' };
      this.#credentials.set(identity, user);
    }
    // Groups that a token or a certificate gave stay.
    const groups = shown === undefined ? [...new Set([...user.groups, ...identity.groups])] : user.groups;
    return this.#withGroups(identity, groups);
  }

  #isReplaced({ name, password }: User, shown: Secrets): boolean {
    const change = this.#replaced.get(name);
    return change !== undefined && change.before === shown.password && change.fields.password === password;
  }

  #userOf({ user }: Identity): User | undefined {
    return user === undefined ? undefined : this.#directory.current.users.get(user);
  }

  #withGroups(identity: Identity, groups: readonly string[]): Identity {
    if (hasGroups(identity, groups)) return identity;
    const { epoch } = this.#directory.current;
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#regrouped = new WeakMap();
    }
    let present = this.#regrouped.get(identity);
    if (present === undefined) {
      present = { ...identity, groups };
      this.#regrouped.set(identity, present);
    }
    return present;
  }
}

function hasGroups(identity: Identity, groups: readonly string[]): boolean {
  return (
    identity.groups === groups ||
    (identity.groups.length === groups.length && groups.every((group) => identity.groups.includes(group)))
  );
}

function haveSameSecrets(one: Secrets, other: Secrets): boolean {
  const ofBoth = SCRAM_MECHANISMS.map((mechanism) => [one.scram[mechanism], other.scram[mechanism]] as const);
  return one.password === other.password && ofBoth.every(([keys, others]) => areOfSamePassword(keys, others));
}

/** The salt is new with each password, so that one of the keys is enough. */
function areOfSamePassword(one: ScramKeys | undefined, other: ScramKeys | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return isSame(one.storedKey, other.storedKey);
}
