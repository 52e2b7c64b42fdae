import { innerFilter } from '../topic.ts';
import type { Identity } from './identity.ts';
import { type Action, openPolicy, type Policy, type Resource } from './policy.ts';

/**
 * The short form of a policy for an app that embeds a broker: three questions that cover every door. Each answer is
 * `undefined` for yes, or the reason for no in words that the client may see.
 */
export interface Guard {
  mayConnect(who: Identity): string | undefined;
  /** Also asked before a log is written to, created, altered or deleted. */
  mayPublish(who: Identity, topic: string): string | undefined;
  /**
   * The filter that decides which topics match: of a shared or replayed one, what stands behind group or start. Also asked
   * before a log is read or described.
   */
  maySubscribe(who: Identity, filter: string): string | undefined;
}

/** The guard that refuses nothing; to be spread into one that refuses something. */
export const allowAll: Guard = {
  mayConnect: () => undefined,
  mayPublish: () => undefined,
  maySubscribe: () => undefined,
};

/**
 * A guard as a policy, beside the rules of the broker where it has any: what both allow is allowed. Topics are what a guard
 * knows; everything else is allowed to whoever may connect, because a client that reaches no topic can do nothing with a group or a
 * session of its own.
 */
export function policyOfGuard(guard: Guard, rules: Policy = openPolicy): Policy {
  return new GuardedPolicy(guard, rules);
}

class GuardedPolicy implements Policy {
  readonly isOpen = false;
  /** The rules say how much of a filter is allowed; a guard alone cannot tell. */
  readonly coverage: Policy['coverage'];
  readonly #guard: Guard;
  readonly #rules: Policy;

  constructor(guard: Guard, rules: Policy) {
    this.#guard = guard;
    this.#rules = rules;
    const coverage = rules.coverage?.bind(rules);
    this.coverage =
      coverage &&
      ((who, action, filter) =>
        this.#refusal(who, action, { kind: 'topic', name: filter }) === undefined
          ? coverage(who, action, filter)
          : 'none');
  }

  get epoch(): number {
    return this.#rules.epoch;
  }

  may(who: Identity, action: Action, resource: Resource): string | undefined {
    return this.#refusal(who, action, resource) ?? this.#rules.may(who, action, resource);
  }

  decidingRule(who: Identity, action: Action, resource: Resource): string | undefined {
    if (this.#refusal(who, action, resource) !== undefined) return undefined;
    return this.#rules.decidingRule?.(who, action, resource);
  }

  onChange(listener: () => void): () => void {
    return this.#rules.onChange(listener);
  }

  #refusal(who: Identity, action: Action, resource: Resource): string | undefined {
    return resource.kind === 'topic'
      ? QUESTIONS[action](this.#guard, who, resource)
      : this.#guard.mayConnect(who);
  }
}

type Question = (guard: Guard, who: Identity, resource: Resource) => string | undefined;

const asPublisher: Question = (guard, who, { name }) => guard.mayPublish(who, name);
const asSubscriber: Question = (guard, who, { name }) => guard.maySubscribe(who, innerFilter(name));

const QUESTIONS: Record<Action, Question> = {
  connect: (guard, who) => guard.mayConnect(who),
  publish: asPublisher,
  write: asPublisher,
  create: asPublisher,
  delete: asPublisher,
  alter: asPublisher,
  'alter-configs': asPublisher,
  admin: asPublisher,
  subscribe: asSubscriber,
  read: asSubscriber,
  describe: asSubscriber,
  'describe-configs': asSubscriber,
};
