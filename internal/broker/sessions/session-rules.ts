import { Access } from '../../access/access.ts';
import type { Identity } from '../../access/identity.ts';
import type { Policy } from '../../access/policy.ts';
import type { Message } from '../delivery/publication.ts';

/** What the owners of sessions may have, as the rules are now. Answers are remembered until the rules change. */
export class SessionRules {
  readonly #policy: Policy;
  readonly #accesses = new WeakMap<Identity, Access>();

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** Whether everybody may have everything, so that nobody has to be asked about. */
  get isOpen(): boolean {
    return this.#policy.isOpen;
  }

  /** Whether subscriptions may be wider than what is allowed, so that each topic is asked about. */
  get isPartial(): boolean {
    return this.#policy.isPartial === true && !this.#policy.isOpen;
  }

  /** Why an owner may not be subscribed to a filter; undefined where it may. */
  filterRefusal(owner: Identity, filter: string): string | undefined {
    return this.#of(owner).filterRefusal(filter);
  }

  /** Whether an owner may get messages of a topic live. */
  mayGet(owner: Identity, topic: string): boolean {
    return this.#of(owner).may('subscribe', 'topic', topic);
  }

  /**
   * Whether an owner may still have a message that waited for it: the rules allow its topic, or all of a filter that it came
   * by, which is how a policy may put it that knows filters only.
   */
  mayHave(owner: Identity, { topic }: Message, filters: () => Iterable<string>): boolean {
    if (this.mayGet(owner, topic)) return true;
    const access = this.#of(owner);
    for (const filter of filters()) if (access.coverage('subscribe', filter) === 'all') return true;
    return false;
  }

  /** Why an owner may not publish to a topic; undefined where it may. */
  publishRefusal(owner: Identity, topic: string): string | undefined {
    return this.#of(owner).refusal('publish', 'topic', topic);
  }

  #of(owner: Identity): Access {
    let access = this.#accesses.get(owner);
    if (access === undefined) {
      access = new Access(owner, this.#policy);
      this.#accesses.set(owner, access);
    }
    return access;
  }

  /** The rule by which a subscription is refused; undefined where no rule does. */
  filterRule(owner: Identity, filter: string): string | undefined {
    return this.#of(owner).filterRule(filter);
  }

  /** The rule by which an owner may not publish to a topic. */
  publishRule(owner: Identity, topic: string): string | undefined {
    return this.#of(owner).decidingRule('publish', 'topic', topic);
  }
}
