import type { Identity } from '../identity.ts';
import type { Action } from '../policy.ts';
import { type CompiledRule, compileRule, type OtherKind } from './compiled-rule.ts';
import type { PatternEntry } from './coverage.ts';
import { ANONYMOUS, EVERYBODY, type Rule } from './rule.ts';
import { earlier, mergeByOrder, TopicIndex } from './topic-index.ts';
import type { TopicPattern } from './topic-pattern.ts';

/** A pattern of topics with the rule that it is of. */
export interface RuleEntry extends PatternEntry {
  readonly compiled: CompiledRule;
}

/**
 * A list of rules, to be asked about one client after the other: rules are kept by the users and groups that they name, so
 * that a client meets only those that are for it, however many there are for others.
 */
export class RuleIndex {
  readonly #everybody: RulesOfSubject;
  readonly #anonymous: RulesOfSubject;
  readonly #byUser: ReadonlyMap<string, RulesOfSubject>;
  readonly #byGroup: ReadonlyMap<string, RulesOfSubject>;
  readonly #views = new WeakMap<Identity, RulesOfClient>();

  constructor(rules: readonly Rule[]) {
    const compiled = rules.map(compileRule);
    const all = bySubject(compiled, ({ users }) => users);
    this.#everybody = all.get(EVERYBODY) ?? NO_RULES;
    this.#anonymous = all.get(ANONYMOUS) ?? NO_RULES;
    // Somebody who is really called so is not everybody, and not nobody.
    all.delete(EVERYBODY);
    all.delete(ANONYMOUS);
    this.#byUser = all;
    this.#byGroup = bySubject(compiled, ({ groups }) => groups);
  }

  /** The rules that are for a client. */
  of(who: Identity): RulesOfClient {
    let view = this.#views.get(who);
    if (view === undefined) {
      view = new RulesOfClient(this.#subjectsOf(who), who);
      this.#views.set(who, view);
    }
    return view;
  }

  /** Whether a rule lets anonymous clients in by naming them. */
  namesAnonymous(who: Identity): boolean {
    return this.#anonymous.rules.some(({ isAllow, isFrom }) => isAllow && (isFrom?.(who.remote) ?? true));
  }

  #subjectsOf({ user, groups }: Identity): RulesOfSubject[] {
    const own = user === undefined ? this.#anonymous : this.#byUser.get(user);
    const all = [this.#everybody, own, ...new Set(groups.map((group) => this.#byGroup.get(group)))];
    return all.filter((one) => one !== undefined && one.rules.length > 0) as RulesOfSubject[];
  }
}

function bySubject(
  rules: readonly CompiledRule[],
  namesOf: (rule: Rule) => readonly string[] | undefined,
): Map<string, RulesOfSubject> {
  const lists = new Map<string, CompiledRule[]>();
  for (const compiled of rules) {
    for (const name of namesOf(compiled.rule) ?? []) {
      const list = lists.get(name);
      if (list === undefined) lists.set(name, [compiled]);
      else list.push(compiled);
    }
  }
  return new Map([...lists].map(([name, list]) => [name, new RulesOfSubject(list)]));
}

/** The rules that name one user or one group. What is the same for all their clients is put together once. */
class RulesOfSubject {
  readonly rules: readonly CompiledRule[];
  /** Rules that are for some of the clients only, or have patterns with their names. */
  readonly dependent: readonly CompiledRule[];
  readonly #indexes = new Map<Action, TopicIndex<RuleEntry>>();
  readonly #byKind = new Map<OtherKind, readonly CompiledRule[]>();

  constructor(rules: readonly CompiledRule[]) {
    this.rules = rules;
    this.dependent = rules.filter(({ isFrom, topics }) => isFrom ?? topics.patternsFor);
  }

  /** The patterns that are the same for everybody. */
  index(action: Action): TopicIndex<RuleEntry> {
    let index = this.#indexes.get(action);
    if (index === undefined) {
      const common = this.rules.filter(({ isFrom, topics }) => !isFrom && topics.actions.has(action));
      index = new TopicIndex(common.flatMap((rule) => entriesOf(rule, rule.topics.patterns)));
      this.#indexes.set(action, index);
    }
    return index;
  }

  about(kind: OtherKind): readonly CompiledRule[] {
    let rules = this.#byKind.get(kind);
    if (rules === undefined) {
      rules = this.rules.filter(({ others }) => others.has(kind));
      this.#byKind.set(kind, rules);
    }
    return rules;
  }
}

const NO_RULES = new RulesOfSubject([]);

/** What rules there are for one client. */
export class RulesOfClient {
  readonly #subjects: readonly RulesOfSubject[];
  readonly #who: Identity;
  readonly #own = new Map<Action, TopicIndex<RuleEntry>>();

  constructor(subjects: readonly RulesOfSubject[], who: Identity) {
    this.#subjects = subjects;
    this.#who = who;
  }

  /** The first pattern that matches a topic, which is given by its levels. */
  firstFor(action: Action, topic: readonly string[]): RuleEntry | undefined {
    let found = this.#ownIndex(action).first(topic);
    for (const subject of this.#subjects) found = earlier(found, subject.index(action).first(topic));
    return found;
  }

  /** All patterns that may match a topic of a filter, in order. */
  near(action: Action, filter: TopicPattern): readonly RuleEntry[] {
    const lists = this.#subjects.map((subject) => subject.index(action).near(filter));
    return mergeByOrder([this.#ownIndex(action).near(filter), ...lists]);
  }

  /** The first rule about an action on something that is no topic. */
  firstNamed(kind: OtherKind, action: Action, name: string): CompiledRule | undefined {
    return this.#first(
      (subject) => subject.about(kind),
      ({ others }) => {
        const { actions, isMeant } = others.get(kind)!;
        return actions.has(action) && isMeant(name, this.#who);
      },
    );
  }

  /** The first rule about clients like this one that connect. */
  firstForConnect(): CompiledRule | undefined {
    const { clientId } = this.#who;
    return this.#first(
      (subject) => subject.rules,
      ({ connect }) => connect?.(clientId, this.#who) ?? false,
    );
  }

  #first(
    rulesOf: (subject: RulesOfSubject) => readonly CompiledRule[],
    isMeant: (rule: CompiledRule) => boolean,
  ): CompiledRule | undefined {
    let found: CompiledRule | undefined;
    for (const subject of this.#subjects) {
      const first = rulesOf(subject).find((rule) => this.#isFor(rule) && isMeant(rule));
      found = earlier(found, first);
    }
    return found;
  }

  #isFor({ isFrom }: CompiledRule): boolean {
    return isFrom?.(this.#who.remote) ?? true;
  }

  /** The patterns that depend on this client. */
  #ownIndex(action: Action): TopicIndex<RuleEntry> {
    let index = this.#own.get(action);
    if (index === undefined) {
      const rules = mergeByOrder(this.#subjects.map(({ dependent }) => dependent));
      index = new TopicIndex(
        rules
          .filter((rule) => rule.topics.actions.has(action) && this.#isFor(rule))
          .flatMap((rule) => entriesOf(rule, this.#patternsOf(rule))),
      );
      this.#own.set(action, index);
    }
    return index;
  }

  #patternsOf({ isFrom, topics }: CompiledRule): readonly TopicPattern[] {
    const own = topics.patternsFor?.(this.#who) ?? [];
    return isFrom === undefined ? own : [...topics.patterns, ...own];
  }
}

function entriesOf(compiled: CompiledRule, patterns: readonly TopicPattern[]): RuleEntry[] {
  const { order, isAllow } = compiled;
  return patterns.map((pattern) => ({ order, isAllow, pattern, compiled }));
}
