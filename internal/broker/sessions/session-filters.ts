import { parseShared } from '../../topic.ts';
import type { Member } from '../routing/targets.ts';
import { Share, type ShareOwner } from './share.ts';
import { MOST_COMPARED, type Subscription, Subscriptions } from './subscription.ts';

/** The filters that a session has, each with the subscription that it stands for, and who receives the messages of each. */
export class SessionFilters {
  readonly #owner: ShareOwner;
  /** All of them, while they are few: most clients have one, and there are many clients. */
  #few: Subscription[] = [];
  /** All of them, once they were many. */
  #many: Map<string, Subscription> | undefined;
  #unshared: Subscriptions | undefined;
  #shares: Map<string, Share> | undefined;

  constructor(owner: ShareOwner) {
    this.#owner = owner;
  }

  get count(): number {
    return this.#many?.size ?? this.#few.length;
  }

  /** In the order in which they began. */
  all(): Iterable<Subscription> {
    return this.#many?.values() ?? this.#few;
  }

  get(filter: string): Subscription | undefined {
    if (this.#many !== undefined) return this.#many.get(filter);
    return this.#few.find((one) => one.filter === filter);
  }

  /** Those that are not shared; undefined where there never were any. */
  get unshared(): Subscriptions | undefined {
    return this.#unshared;
  }

  get hasShared(): boolean {
    return this.#shares !== undefined && this.#shares.size > 0;
  }

  /** The receiver of the messages of a filter: the session, or its share of a group. */
  memberOf(filter: string): Member {
    return this.#shares?.get(filter) ?? this.#owner;
  }

  /** Puts a subscription in the place of the one with the same filter, if there is one. */
  set(subscription: Subscription): void {
    const { filter } = subscription;
    const before = this.get(filter);
    this.#keep(subscription, before);
    if (parseShared(filter) === undefined) {
      this.#unshared ??= new Subscriptions();
      if (before !== undefined) this.#unshared.remove(before);
      this.#unshared.add(subscription);
      return;
    }
    this.#shares ??= new Map();
    const share = this.#shares.get(filter);
    if (share === undefined) this.#shares.set(filter, new Share(this.#owner, subscription));
    else share.subscription = subscription;
  }

  delete(subscription: Subscription): void {
    const { filter } = subscription;
    if (this.#many === undefined) this.#few = this.#few.filter((one) => one !== subscription);
    else this.#many.delete(filter);
    if (this.#shares?.delete(filter) !== true) this.#unshared?.remove(subscription);
  }

  #keep(subscription: Subscription, before: Subscription | undefined): void {
    if (this.#many === undefined && before === undefined && this.#few.length === MOST_COMPARED) {
      this.#many = new Map(this.#few.map((one) => [one.filter, one]));
      this.#few = [];
    }
    if (this.#many !== undefined) this.#many.set(subscription.filter, subscription);
    else if (before !== undefined) this.#few[this.#few.indexOf(before)] = subscription;
    // An array that is written out has no room for more.
    else if (this.#few.length === 0) this.#few = [subscription];
    else this.#few.push(subscription);
  }
}
