import type { Identity } from './identity.ts';
import type { Action, Policy, Resource } from './policy.ts';

/**
 * A policy that also allows a subscription of which only a part is allowed. Whoever delivers asks about each topic then, so
 * that nobody gets more than the other policy allows.
 */
export function allowPartly(policy: Policy): Policy {
  return new PartialPolicy(policy);
}

/** A class, because the runtime makes getters of an object literal cost ten times as much, and each message asks for them. */
class PartialPolicy implements Policy {
  readonly isPartial = true;
  readonly coverage: Policy['coverage'];
  readonly decidingRule: Policy['decidingRule'];
  readonly #policy: Policy;

  constructor(policy: Policy) {
    this.#policy = policy;
    this.coverage = policy.coverage?.bind(policy);
    this.decidingRule = policy.decidingRule?.bind(policy);
  }

  get epoch(): number {
    return this.#policy.epoch;
  }

  get isOpen(): boolean {
    return this.#policy.isOpen;
  }

  may(identity: Identity, action: Action, resource: Resource): string | undefined {
    const refusal = this.#policy.may(identity, action, resource);
    if (refusal === undefined || action !== 'subscribe' || resource.kind !== 'topic') return refusal;
    return this.coverage?.(identity, action, resource.name) === 'partly' ? undefined : refusal;
  }

  onChange(listener: () => void): () => void {
    return this.#policy.onChange(listener);
  }
}
