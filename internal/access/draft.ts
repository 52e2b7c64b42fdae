import { quoted } from '../errors.ts';
import { AccessError } from './access-error.ts';
import type { DeclaredAccess, OrderedRule, StoredAccess, StoredAccessChange } from './access-store.ts';
import { checkUser } from './check-entries.ts';
import type { Limit } from './limits/limit.ts';
import { parseRule, RuleError } from './rules/parse-rules.ts';
import { type Rule, ruleForm } from './rules/rule.ts';
import type { ReplacedPassword, StoredPassword } from './users/passwords.ts';
import type { User } from './users/user.ts';

/** A change of what the store has. */
export type AccessChange =
  /** Refused where there is one of that name. */
  | { readonly kind: 'add-user'; readonly user: Omit<User, 'origin'> }
  /** Takes the place of one of that name. */
  | { readonly kind: 'put-user'; readonly user: Omit<User, 'origin'> }
  | { readonly kind: 'alter-user'; readonly name: string; readonly fields: Partial<UserFields> }
  /** Refused where the user has another password by now. */
  | ReplacedPassword
  | { readonly kind: 'remove-user'; readonly name: string }
  /** Takes the place of one with that id, where it stands unless a place is named; a new one comes last. */
  | { readonly kind: 'put-rule'; readonly rule: NewRule; readonly place?: RulePlace }
  /** Refused where there is none of that id. What is left out stays: the rule itself, or where it stands. */
  | { readonly kind: 'alter-rule'; readonly id: string; readonly rule?: NewRule; readonly place?: RulePlace }
  | { readonly kind: 'remove-rule'; readonly id: string }
  | { readonly kind: 'put-limit'; readonly limit: Omit<Limit, 'origin'> }
  /** Refused where there is none of its id. */
  | { readonly kind: 'alter-limit'; readonly limit: Omit<Limit, 'origin'> }
  | { readonly kind: 'remove-limit'; readonly id: string };

/** A rule before somebody keeps it. */
export type NewRule = Rule extends infer Each ? (Each extends Rule ? Omit<Each, 'origin'> : never) : never;

export type UserFields = Pick<User, 'isEnabled' | 'groups' | 'password' | 'scram'>;

/** Among the rules of the store; those of the file are asked before all of them. */
export type RulePlace = 'first' | 'last' | { readonly before: string };

/** What the store has, while changes are made to it that may yet be refused. */
export class Draft {
  readonly #users: Map<string, User>;
  readonly #limits: Map<string, Limit>;
  readonly #rules: OrderedRule[];
  readonly #declared: { users: Set<string>; rules: Set<string>; limits: Set<string> };
  readonly #written = new Map<string, StoredAccessChange>();

  constructor(stored: StoredAccess, declared: DeclaredAccess | undefined) {
    this.#users = new Map(stored.users.map((user) => [user.name, user]));
    this.#limits = new Map(stored.limits.map((limit) => [limit.id, limit]));
    this.#rules = [...stored.rules];
    this.#declared = {
      users: new Set(declared?.users.map(({ name }) => name)),
      rules: new Set(declared?.rules.map(({ id }) => id)),
      limits: new Set(declared?.limits.map(({ id }) => id)),
    };
  }

  /** @throws AccessError */
  apply(change: AccessChange): void {
    switch (change.kind) {
      case 'add-user':
        this.#addUser(change.user);
        break;
      case 'put-user':
        this.#putUser(change.user);
        break;
      case 'alter-user':
        this.#putUser({ ...this.#user(change.name), ...change.fields });
        break;
      case 'replace-password':
        this.#replacePassword(change.name, change.before, change.fields);
        break;
      case 'remove-user':
        this.#removeUser(change.name);
        break;
      case 'put-rule':
        this.#putRule(checkedRule({ ...change.rule, origin: 'store' } as Rule), change.place);
        break;
      case 'alter-rule':
        this.#alterRule(change.id, change);
        break;
      case 'remove-rule':
        this.#rules.splice(this.#ruleIndex(change.id), 1);
        this.#note({ kind: 'rule', name: change.id, value: undefined });
        break;
      case 'put-limit':
        this.#putLimit({ ...change.limit, origin: 'store' });
        break;
      case 'alter-limit':
        this.#checkLimit(change.limit.id);
        this.#putLimit({ ...change.limit, origin: 'store' });
        break;
      case 'remove-limit':
        this.#removeLimit(change.id);
    }
  }

  /** What the store then has, and what is to be written for that. */
  finished(): { stored: StoredAccess; written: StoredAccessChange[] } {
    return {
      stored: { users: [...this.#users.values()], rules: this.#rules, limits: [...this.#limits.values()] },
      written: [...this.#written.values()],
    };
  }

  #addUser(user: Omit<User, 'origin'>): void {
    if (this.#users.has(user.name))
      throw new AccessError('exists', `there is a user ${quoted(user.name)} already`);
    this.#putUser(user);
  }

  #replacePassword(name: string, before: string, fields: StoredPassword): void {
    const user = this.#user(name);
    if (user.password !== before)
      throw new AccessError('invalid', `user ${quoted(name)}: the password was changed meanwhile`);
    this.#putUser({ ...user, ...fields });
  }

  #removeUser(name: string): void {
    this.#user(name);
    this.#users.delete(name);
    this.#note({ kind: 'user', name, value: undefined });
  }

  #putUser(given: Omit<User, 'origin'>): void {
    const user: User = { ...given, origin: 'store' };
    this.#refuseDeclared('users', user.name, 'the user');
    checkUser(user);
    this.#users.set(user.name, user);
    this.#note({ kind: 'user', name: user.name, value: user });
  }

  #putRule(rule: Rule, place: RulePlace | undefined): void {
    this.#refuseDeclared('rules', rule.id, 'the rule');
    const at = this.#rules.findIndex((each) => each.rule.id === rule.id);
    if (at !== -1 && place === undefined) {
      this.#setRule(at, { order: this.#rules[at]!.order, rule });
      return;
    }
    if (at !== -1) this.#rules.splice(at, 1);
    const index = this.#placeOf(place ?? 'last');
    this.#rules.splice(index, 0, { order: this.#orderAt(index), rule });
    this.#note({ kind: 'rule', name: rule.id, value: this.#rules[index]! });
  }

  #alterRule(id: string, { rule, place }: { rule?: NewRule; place?: RulePlace }): void {
    const before = this.#rules[this.#ruleIndex(id)]!.rule;
    this.#putRule(rule === undefined ? before : checkedRule({ ...rule, id, origin: 'store' } as Rule), place);
  }

  #setRule(index: number, ordered: OrderedRule): void {
    this.#rules[index] = ordered;
    this.#note({ kind: 'rule', name: ordered.rule.id, value: ordered });
  }

  #placeOf(place: RulePlace): number {
    if (place === 'first') return 0;
    if (place === 'last') return this.#rules.length;
    return this.#ruleIndex(place.before);
  }

  /** A number between those of the neighbours of a place; where there is none left, all get new ones. */
  #orderAt(index: number): number {
    const before = this.#rules[index - 1]?.order;
    const behind = this.#rules[index]?.order;
    if (before === undefined) return (behind ?? 1) - 1;
    if (behind === undefined) return before + 1;
    const middle = (before + behind) / 2;
    if (middle > before && middle < behind) return middle;
    for (const [at, { rule }] of this.#rules.entries())
      this.#setRule(at, { order: at < index ? at : at + 1, rule });
    return index;
  }

  #putLimit(limit: Limit): void {
    this.#refuseDeclared('limits', limit.id, 'the limit');
    this.#limits.set(limit.id, limit);
    this.#note({ kind: 'limit', name: limit.id, value: limit });
  }

  #removeLimit(id: string): void {
    this.#checkLimit(id);
    this.#limits.delete(id);
    this.#note({ kind: 'limit', name: id, value: undefined });
  }

  #checkLimit(id: string): void {
    this.#refuseDeclared('limits', id, 'the limit');
    if (!this.#limits.has(id)) throw new AccessError('not-found', `there is no limit ${quoted(id)}`);
  }

  #user(name: string): User {
    this.#refuseDeclared('users', name, 'the user');
    const user = this.#users.get(name);
    if (user === undefined) throw new AccessError('not-found', `there is no user ${quoted(name)}`);
    return user;
  }

  #ruleIndex(id: string): number {
    this.#refuseDeclared('rules', id, 'the rule');
    const index = this.#rules.findIndex(({ rule }) => rule.id === id);
    if (index === -1) throw new AccessError('not-found', `there is no rule ${quoted(id)}`);
    return index;
  }

  #refuseDeclared(kind: 'users' | 'rules' | 'limits', name: string, what: string): void {
    if (!this.#declared[kind].has(name)) return;
    throw new AccessError(
      'declared',
      `${what} ${quoted(name)} is declared in the file of -users: change it there`,
    );
  }

  #note(change: StoredAccessChange): void {
    this.#written.set(`${change.kind}/${change.name}`, change);
  }
}

/** @throws AccessError `invalid`. */
function checkedRule(rule: Rule): Rule {
  try {
    return parseRule(ruleForm(rule), rule.origin, rule.id);
  } catch (error) {
    if (error instanceof RuleError) throw new AccessError('invalid', error.problems.join('; '));
    throw error;
  }
}
