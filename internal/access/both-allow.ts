import type { Identity } from './identity.ts';
import { type Action, type Coverage, openPolicy, type Policy, type Resource } from './policy.ts';

type Telling = Policy & Required<Pick<Policy, 'coverage'>>;

/** The policy that allows what both of two allow. The second says how much of a filter that is. */
export function bothAllow(one: Policy, other: Telling): Policy {
  // Each message asks for the epoch, so there is no layer where none is needed.
  return one === openPolicy ? other : new BothPolicy(one, other);
}

/** A class for the reason that the one in allow-partly.ts is one. */
class BothPolicy implements Policy {
  readonly #one: Policy;
  readonly #other: Telling;

  constructor(one: Policy, other: Telling) {
    this.#one = one;
    this.#other = other;
  }

  get epoch(): number {
    return this.#one.epoch + this.#other.epoch;
  }

  get isOpen(): boolean {
    return this.#one.isOpen && this.#other.isOpen;
  }

  may(...question: Parameters<Policy['may']>): string | undefined {
    return this.#one.may(...question) ?? this.#other.may(...question);
  }

  decidingRule(identity: Identity, action: Action, resource: Resource) {
    const [one, other] = [this.#one, this.#other];
    const decides = one.may(identity, action, resource) === undefined ? other : one;
    return decides.decidingRule?.(identity, action, resource);
  }

  coverage(identity: Identity, action: Action, filter: string): Coverage {
    const refusal = this.#one.may(identity, action, { kind: 'topic', name: filter });
    return refusal === undefined ? this.#other.coverage(identity, action, filter) : 'none';
  }

  onChange(listener: () => void): () => void {
    const ends = [this.#one.onChange(listener), this.#other.onChange(listener)];
    return () => {
      for (const end of ends) end();
    };
  }
}
