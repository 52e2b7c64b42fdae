import { isRefusal } from './authenticator.ts';
import type { AccessDirectory, AccessSnapshot } from './directory.ts';
import type { Identity } from './identity.ts';
import type { Action, Coverage, Policy, Resource } from './policy.ts';
import { type Decision, type RulePolicy, ruleText } from './rules/rule-policy.ts';
import type { Standing } from './standing.ts';

/** The policy of a broker that has a directory: its rules, for users as the directory has them now. */
export class DirectoryPolicy implements Policy {
  readonly #rules: RulePolicy;
  readonly #standing: Standing;

  constructor(
    directory: Pick<AccessDirectory, 'current' | 'onChange'>,
    standing: Standing,
    rules: RulePolicy,
  ) {
    this.#rules = rules;
    this.#standing = standing;
    const follow = () => rules.replace(directory.current.rules, directory.current.isProtected);
    follow();
    directory.onChange(follow);
  }

  /** The same policy with other users and rules, which never change: what it would say if these held. */
  with(current: AccessSnapshot): DirectoryPolicy {
    const fixed = { current, onChange: () => () => {} };
    return new DirectoryPolicy(fixed, this.#standing.with(fixed), this.#rules.empty());
  }

  get epoch(): number {
    return this.#rules.epoch;
  }

  get isOpen(): boolean {
    return this.#rules.isOpen;
  }

  may(identity: Identity, action: Action, resource: Resource): string | undefined {
    const present = this.#standing.of(identity);
    return isRefusal(present) ? present.reason : this.#rules.may(present, action, resource);
  }

  decidingRule(identity: Identity, action: Action, resource: Resource): string | undefined {
    return ruleText(this.explain(identity, action, resource));
  }

  coverage(identity: Identity, action: Action, filter: string): Coverage {
    const present = this.#standing.of(identity);
    return isRefusal(present) ? 'none' : this.#rules.coverage(present, action, filter);
  }

  /** Which rule decides, and what. */
  explain(identity: Identity, action: Action, resource: Resource): Decision {
    const present = this.#standing.of(identity);
    if (!isRefusal(present)) return this.#rules.explain(present, action, resource);
    return { isAllowed: false, rule: undefined, position: undefined, reason: present.reason };
  }

  onChange(listener: () => void): () => void {
    return this.#rules.onChange(listener);
  }
}
