import { nameForLog, quoted } from '../../errors.ts';
import { innerFilter } from '../../topic.ts';
import type { Identity } from '../identity.ts';
import type { Action, Coverage, Policy, Resource } from '../policy.ts';
import type { CompiledRule } from './compiled-rule.ts';
import { coverageOf } from './coverage.ts';
import { describeRule, type Rule } from './rule.ts';
import { type RuleEntry, RuleIndex } from './rule-index.ts';
import { patternOf } from './topic-pattern.ts';

/** What the rules say, and why. */
export interface Decision {
  readonly isAllowed: boolean;
  /** The rule that decides; undefined where none does, so that the default holds. */
  readonly rule: Rule | undefined;
  /** The place of the rule in the list, from 1. */
  readonly position: number | undefined;
  /** In words that the client may see. */
  readonly reason: string;
}

export interface RulePolicyOptions {
  /**
   * The topic after which the log is called that a live topic is kept in, where that is not the topic itself: several topics
   * may have to share a log, because its name cannot tell them apart (log/names.ts). Whoever publishes writes to both.
   */
  readonly sharedLogOf?: (topic: string) => string | undefined;
}

/**
 * The policy of a list of rules: the first one that is about an action decides. Once there are users, what no rule decides is
 * refused. A subscription is allowed only if every topic that its filter matches is.
 */
export class RulePolicy implements Policy {
  readonly #sharedLogOf: (topic: string) => string | undefined;
  readonly #listeners = new Set<() => void>();
  #index = new RuleIndex([]);
  #isOpen = true;
  #epoch = 0;

  constructor(options: RulePolicyOptions = {}) {
    this.#sharedLogOf = options.sharedLogOf ?? (() => undefined);
  }

  /** A policy like this one that has no rules yet. */
  empty(): RulePolicy {
    return new RulePolicy({ sharedLogOf: this.#sharedLogOf });
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Nobody can be told from anybody, and nothing is forbidden. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Puts other rules in the place of those that hold.
   *
   * @param hasUsers whether clients can show who they are, so that what no rule allows is refused.
   */
  replace(rules: readonly Rule[], hasUsers: boolean): void {
    this.#index = new RuleIndex(rules);
    this.#isOpen = rules.length === 0 && !hasUsers;
    this.#epoch++;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  may(identity: Identity, action: Action, resource: Resource): string | undefined {
    const { isAllowed, reason } = this.explain(identity, action, resource);
    return isAllowed ? undefined : reason;
  }

  decidingRule(identity: Identity, action: Action, resource: Resource): string | undefined {
    return ruleText(this.explain(identity, action, resource));
  }

  /** Which rule decides, and what. */
  explain(who: Identity, action: Action, { kind, name }: Resource): Decision {
    if (this.#isOpen) return OPEN;
    if (action === 'connect') return this.#explainConnect(who);
    if (kind !== 'topic') return decided(this.#index.of(who).firstNamed(kind, action, name));
    if (action === 'subscribe') return this.#explainFilter(who, name);
    const decision = this.#explainTopic(who, action, name);
    return action === 'publish' && decision.isAllowed ? this.#explainLog(who, name, decision) : decision;
  }

  coverage(who: Identity, action: Action, filter: string): Coverage {
    if (this.#isOpen) return 'all';
    const inner = withoutShare(filter);
    if (isReplay(inner)) {
      return this.#replayRefusal(who, inner) ? 'none' : this.coverage(who, action, innerFilter(inner));
    }
    const pattern = patternOf(inner);
    const entries = this.#index.of(who).near(action, pattern);
    const { refused, isAllowedSomewhere } = coverageOf(pattern, entries, false, true);
    if (refused === undefined) return 'all';
    return isAllowedSomewhere ? 'partly' : 'none';
  }

  /** Whose credentials were right may connect, unless a rule says no; an anonymous client only if a rule says yes. */
  #explainConnect(who: Identity): Decision {
    const rule = this.#index.of(who).firstForConnect();
    if (rule !== undefined) return decided(rule);
    const isAllowed = who.user !== undefined || this.#index.namesAnonymous(who);
    const reason = isAllowed ? NOTHING_AGAINST : 'clients have to show who they are';
    return { isAllowed, rule: undefined, position: undefined, reason };
  }

  #explainTopic(who: Identity, action: Action, topic: string): Decision {
    return decided(this.#index.of(who).firstFor(action, topic.split('/'))?.compiled);
  }

  #explainLog(who: Identity, topic: string, decision: Decision): Decision {
    const log = this.#sharedLogOf(topic);
    if (log === undefined) return decision;
    const ofLog = this.#explainTopic(who, 'write', log);
    if (ofLog.isAllowed) return decision;
    return { ...ofLog, reason: `it is kept in the log of ${quoted(log)}: ${ofLog.reason}` };
  }

  #explainFilter(who: Identity, filter: string): Decision {
    const inner = withoutShare(filter);
    if (isReplay(inner)) {
      return this.#replayRefusal(who, inner) ?? this.#explainFilter(who, innerFilter(inner));
    }
    if (!/[+#]/.test(inner)) return this.#explainTopic(who, 'subscribe', inner);
    return this.#explainWildcards(who, inner, false) ?? ALLOWED_WHOLLY;
  }

  /** A filter that asks for history is allowed where what it asks for is, unless a rule on `$replay` says no. */
  #replayRefusal(who: Identity, filter: string): Decision | undefined {
    return this.#explainWildcards(who, filter, true);
  }

  /** Why not all of a filter is allowed; undefined where it is. */
  #explainWildcards(who: Identity, filter: string, otherwise: boolean): Decision | undefined {
    const pattern = patternOf(filter);
    const entries = this.#index.of(who).near('subscribe', pattern);
    const { refused } = coverageOf<RuleEntry>(pattern, entries, otherwise, false);
    if (refused === undefined) return undefined;
    if (refused.isTooComplex)
      return { ...NO_RULE, reason: 'the rules are too complex to tell for this filter' };
    const decision = decided(refused.by?.compiled);
    return refused.topic === filter
      ? decision
      : { ...decision, reason: `it matches ${quoted(refused.topic)}: ${decision.reason}` };
  }
}

/** The rule of a decision as people read it; undefined where none decided. */
export function ruleText({ rule, position }: Decision): string | undefined {
  if (rule === undefined) return undefined;
  return `rule ${position}, ${rule.id}: ${nameForLog(describeRule(rule, false), MAX_SHOWN_CHARACTERS)}`;
}

const NOTHING_AGAINST = 'no rule is against it';
const OPEN: Decision = {
  isAllowed: true,
  rule: undefined,
  position: undefined,
  reason: 'there are no users and no rules',
};
const NO_RULE: Decision = {
  isAllowed: false,
  rule: undefined,
  position: undefined,
  reason: 'no rule allows it',
};
const ALLOWED_WHOLLY: Decision = {
  ...NO_RULE,
  isAllowed: true,
  reason: 'everything that it matches is allowed',
};

/** The decision of a rule, or that there is none. */
function decided(compiled: CompiledRule | undefined): Decision {
  if (compiled === undefined) return NO_RULE;
  const { rule, order, isAllow } = compiled;
  return {
    isAllowed: isAllow,
    rule,
    position: order + 1,
    get reason() {
      return ruleText(this)!;
    },
  };
}

/** Of a rule with many topics the client is told the beginning. */
const MAX_SHOWN_CHARACTERS = 200;

function withoutShare(filter: string): string {
  return filter.startsWith('$share/') ? innerFilter(filter) : filter;
}

function isReplay(filter: string): boolean {
  return filter.startsWith('$replay/') && innerFilter(filter) !== filter;
}
