import { BrokerError, quoted } from '../errors.ts';
import { innerFilter, parseShared } from '../topic.ts';
import type { Identity } from './identity.ts';
import type { CountName } from './limits/limit.ts';
import { Allowance, type Limits } from './limits/limits.ts';
import { type Action, type Coverage, type Policy, type ResourceKind, THE_BROKER } from './policy.ts';

/**
 * Answers that one connection remembers. Past this many it forgets all of them: a client that asks about ever new names
 * costs a question each time and no memory.
 */
const REMEMBERED_ANSWERS = 1_024;

/**
 * What one connection may do. Answers are remembered until the policy's epoch changes, and then asked for again, so that a
 * change of the rules takes effect with the next message.
 */
export class Access {
  #identity: Identity;
  /** What the client may use; undefined where nothing bounds it. */
  allowance: Allowance | undefined;
  readonly #limits: Limits | undefined;
  readonly #policy: Policy;
  #epoch: number;
  #renewals = 0;
  #answers: Map<string, string | undefined> | undefined;
  /** Of the answers that are no, what decided. */
  #rules: Map<string, string | undefined> | undefined;
  /** Entries of topics that the client may publish to. Each of them may name this set as its permit. */
  #permitted: WeakSet<object> | undefined;

  constructor(identity: Identity, policy: Policy, limits?: Limits) {
    this.#identity = identity;
    this.#limits = limits;
    this.holdToLimits();
    this.#policy = policy;
    this.#epoch = policy.epoch;
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** The client has proved anew who it is: the same user, perhaps in other groups and for longer. */
  renew(identity: Identity): void {
    this.#identity = identity;
    this.allowance?.renew(identity);
    this.#renewals++;
    this.#answers = undefined;
    this.#rules = undefined;
    this.#permitted = undefined;
  }

  /** How many of something the client may have, which is never more than the broker gives anybody. */
  most(name: CountName, atMost: number): number {
    return Math.min(atMost, this.allowance?.least(name) ?? atMost);
  }

  /** Limits there are now hold for this client, also where there were none when it came. */
  holdToLimits(): Allowance | undefined {
    const limits = this.#limits;
    if (this.allowance === undefined && limits !== undefined && !limits.isEmpty) {
      this.allowance = new Allowance(limits, this.#identity);
    }
    return this.allowance;
  }

  /** Changes whenever what was answered before may be wrong. */
  get epoch(): number {
    return this.#policy.epoch + this.#renewals;
  }

  /** Whether everybody may do everything for now, so that nothing has to be looked at. */
  get isOpen(): boolean {
    return this.#policy.isOpen;
  }

  /**
   * Why the client has to go, because what it showed holds no longer; undefined while it holds. Doors ask it now and then,
   * all by the same clock.
   *
   * @param nowMs the time of day.
   */
  expiry(nowMs: number): BrokerError | undefined {
    const { expiresAtMs } = this.identity;
    if (expiresAtMs === undefined || nowMs < expiresAtMs) return undefined;
    return new BrokerError('credentials-expired');
  }

  /** {@link Policy.isPartial}, while anything is forbidden. */
  get isPartial(): boolean {
    return this.#policy.isPartial === true && !this.#policy.isOpen;
  }

  /** Whether the client may have messages of a topic that one of its subscriptions matches. */
  mayGet(topic: string): boolean {
    return !this.isPartial || this.may('subscribe', 'topic', topic);
  }

  /** Undefined where the action is allowed, or the reason why not. */
  refusal(action: Action, kind: ResourceKind, name: string): string | undefined {
    if (this.#policy.isOpen) return undefined;
    this.#forgetOlder();
    this.#answers ??= new Map();
    const key = `${action} ${kind} ${name}`;
    if (this.#answers.has(key)) return this.#answers.get(key);
    const answer = this.#policy.may(this.#identity, action, { kind, name });
    if (this.#answers.size >= REMEMBERED_ANSWERS) {
      this.#answers.clear();
      this.#rules?.clear();
    }
    this.#answers.set(key, answer);
    return answer;
  }

  /** The rule by which {@link refusal} says no; undefined where no rule does. */
  decidingRule(action: Action, kind: ResourceKind, name: string): string | undefined {
    if (this.refusal(action, kind, name) === undefined) return undefined;
    this.#rules ??= new Map();
    const key = `${action} ${kind} ${name}`;
    if (!this.#rules.has(key))
      this.#rules.set(key, this.#policy.decidingRule?.(this.#identity, action, { kind, name }));
    return this.#rules.get(key);
  }

  /**
   * {@link refusal} of a subscription to a filter as the client wrote it: shared, or to history, which rules on `$replay` are
   * about beside those on what is wanted of it.
   */
  filterRefusal(filter: string): string | undefined {
    const unshared = parseShared(filter)?.filter ?? filter;
    const inner = innerFilter(unshared);
    return (
      this.refusal('subscribe', 'topic', inner) ??
      (inner === unshared ? undefined : this.refusal('subscribe', 'topic', unshared))
    );
  }

  /** How much of a filter the client may do something with: `subscribe`, or with logs `read` and `write`. */
  coverage(action: Action, filter: string): Coverage {
    if (this.#policy.isOpen) return 'all';
    if (this.#policy.coverage !== undefined) return this.#policy.coverage(this.#identity, action, filter);
    return this.may(action, 'topic', innerFilter(filter)) ? 'all' : 'none';
  }

  /** Whether there is any topic with which the client may do this; true of a policy that cannot tell. */
  mayAnywhere(action: Action): boolean {
    return this.#policy.coverage === undefined || this.coverage(action, '#') !== 'none';
  }

  /** Whether the client may do this. */
  may(action: Action, kind: ResourceKind, name: string): boolean {
    return this.refusal(action, kind, name) === undefined;
  }

  /** @throws BrokerError `not-authorized`, which names the resource and the reason. */
  check(action: Action, kind: ResourceKind, name: string): void {
    const reason = this.refusal(action, kind, name);
    if (reason === undefined) return;
    const what = kind === 'topic' && action === 'subscribe' ? 'filter' : kind;
    const about = { topic: kind === 'topic' ? name : undefined, rule: this.decidingRule(action, kind, name) };
    throw new BrokerError('not-authorized', `${what} ${quoted(name)}: ${reason}`, about);
  }

  /** Why the client may not be connected; undefined where it may. */
  get connectRefusal(): string | undefined {
    return this.refusal('connect', THE_BROKER.kind, THE_BROKER.name);
  }

  /** {@link check} by {@link filterRefusal}. */
  checkSubscribe(filter: string): void {
    const reason = this.filterRefusal(filter);
    if (reason === undefined) return;
    const about = { topic: filter, rule: this.filterRule(filter) };
    throw new BrokerError('not-authorized', `filter ${quoted(filter)}: ${reason}`, about);
  }

  /** {@link decidingRule} of {@link filterRefusal}. */
  filterRule(filter: string): string | undefined {
    const unshared = parseShared(filter)?.filter ?? filter;
    const inner = innerFilter(unshared);
    const isInner = inner === unshared || !this.may('subscribe', 'topic', inner);
    return this.decidingRule('subscribe', 'topic', isInner ? inner : unshared);
  }

  /** @throws BrokerError `not-authorized`. */
  checkConnect(): void {
    const reason = this.connectRefusal;
    if (reason === undefined) return;
    const rule = this.decidingRule('connect', THE_BROKER.kind, THE_BROKER.name);
    throw new BrokerError('not-authorized', reason, { rule });
  }

  /**
   * {@link check} for a topic that the caller keeps an entry of, as the broker's topic table does: the hot path, a look at the
   * entry for each message. Only where another client has published there since, it is one into a set.
   *
   * @throws BrokerError `not-authorized`.
   */
  checkPublish(entry: { readonly topic: string; permit: object | undefined }): void {
    if (this.#policy.isOpen) return;
    this.#forgetOlder();
    this.#permitted ??= new WeakSet();
    if (entry.permit === this.#permitted) return;
    if (!this.#permitted.has(entry)) {
      this.check('publish', 'topic', entry.topic);
      this.#permitted.add(entry);
    }
    entry.permit = this.#permitted;
  }

  #forgetOlder(): void {
    if (this.#epoch === this.#policy.epoch) return;
    this.#epoch = this.#policy.epoch;
    this.#answers = undefined;
    this.#rules = undefined;
    this.#permitted = undefined;
  }
}
