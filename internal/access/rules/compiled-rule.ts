import type { Action, ResourceKind } from '../policy.ts';
import { globTest, type NameTest } from './globs.ts';
import { type HostTest, hostTest } from './hosts.ts';
import type { KafkaPattern, KafkaRule, ResourceRule, Rule } from './rule.ts';
import { actionsOf } from './rule-actions.ts';
import {
  hasVariables,
  patternOf,
  patternOfLog,
  patternOfLogPrefix,
  patternsOf,
  type TopicPattern,
  templateOf,
} from './topic-pattern.ts';
import type { Subject } from './variables.ts';

/** A rule in the form in which it is asked: for each kind of resource the actions that it is about, and which resources. */
export interface CompiledRule {
  readonly rule: Rule;
  /** Its place in the list, from 0. */
  readonly order: number;
  readonly isAllow: boolean;
  /** Undefined: from anywhere. */
  readonly isFrom: HostTest | undefined;
  readonly topics: TopicsOfRule;
  /** Whether clients are meant when they connect; by their id, which is what the test is given. */
  readonly connect: NameTest | undefined;
  readonly others: ReadonlyMap<OtherKind, NamedResources>;
}

export type OtherKind = Exclude<ResourceKind, 'topic'>;

export interface NamedResources {
  readonly actions: ReadonlySet<Action>;
  readonly isMeant: NameTest;
}

export interface TopicsOfRule {
  readonly actions: ReadonlySet<Action>;
  /** Patterns that are the same for everybody. */
  readonly patterns: readonly TopicPattern[];
  /** Those that depend on names of the client; undefined where there are none. */
  readonly patternsFor: ((who: Subject) => readonly TopicPattern[]) | undefined;
}

export function compileRule(rule: Rule, order: number): CompiledRule {
  const { effect, hosts } = rule;
  return {
    rule,
    order,
    isAllow: effect === 'allow',
    isFrom: hosts && hostTest(hosts, effect),
    ...(rule.kafka === undefined ? resourcesOf(rule) : resourcesOfKafka(rule)),
  };
}

type Resources = Pick<CompiledRule, 'topics' | 'connect' | 'others'>;

const anyName: NameTest = () => true;
const NO_TOPICS: TopicsOfRule = { actions: new Set(), patterns: [], patternsFor: undefined };

function resourcesOf(rule: ResourceRule): Resources {
  const { effect, consumerGroups, transactionalIds, sessions } = rule;
  const actions = actionsOf(rule);
  const others = new Map<OtherKind, NamedResources>();
  const add = (kind: OtherKind, globs: readonly string[] | undefined) => {
    if (globs !== undefined) others.set(kind, { actions, isMeant: globTest(globs, effect) });
  };
  if (isAboutAll(rule)) return resourcesOfAll(actions);
  add('group', consumerGroups);
  add('transactional-id', transactionalIds);
  add('session', sessions);
  if (rule.broker || rule.actions.includes('admin')) others.set('broker', brokerOf(rule, actions));
  return { topics: topicsOf(rule, actions), connect: connectOf(rule), others };
}

/** `admin` is about the broker even where the rule names other resources, and then nothing else of the rule is. */
function brokerOf(rule: ResourceRule, actions: ReadonlySet<Action>): NamedResources {
  const isMeant = anyName;
  return rule.broker
    ? { actions, isMeant }
    : { actions: actionsOf({ ...rule, actions: ['admin'] }), isMeant };
}

/** Which clients a rule is about when they connect: all, or those whose sessions it names. */
function connectOf({ effect, actions, sessions, broker }: ResourceRule): NameTest | undefined {
  if (!actions.includes('connect') && !(actions.includes('all') && (broker || sessions))) return undefined;
  return sessions === undefined || broker ? anyName : globTest(sessions, effect);
}

function topicsOf({ effect, topics = [], broker }: ResourceRule, actions: ReadonlySet<Action>): TopicsOfRule {
  const templates = topics.map(templateOf);
  const [own, common] = [true, false].map((wanted) =>
    templates.filter((one) => hasVariables(one) === wanted),
  );
  const patterns = common!.flatMap((one) => patternsOf(one, effect, NOBODY));
  // Who may create on the broker may create any topic.
  if (topics.length === 0 && broker && actions.has('create')) return ANY_CREATED;
  const patternsFor = (who: Subject) => own!.flatMap((one) => patternsOf(one, effect, who));
  return { actions, patterns, patternsFor: own!.length === 0 ? undefined : patternsFor };
}

const NOBODY: Subject = { user: undefined, clientId: '' };
const ANY_CREATED: TopicsOfRule = {
  actions: new Set<Action>(['create']),
  patterns: [patternOf('#')],
  patternsFor: undefined,
};

/** A rule for all actions that names no resource is about all of them. */
function isAboutAll({
  actions,
  topics,
  consumerGroups,
  transactionalIds,
  sessions,
  broker,
}: ResourceRule): boolean {
  const named = [topics, consumerGroups, transactionalIds, sessions, broker];
  return actions.includes('all') && named.every((one) => one === undefined);
}

function resourcesOfAll(actions: ReadonlySet<Action>): Resources {
  const kinds = ['group', 'transactional-id', 'session', 'broker'] as const;
  const everything: TopicPattern = { levels: [], rest: 'anything', matchesHidden: true };
  return {
    topics: { actions, patterns: [everything], patternsFor: undefined },
    connect: anyName,
    others: new Map(kinds.map((kind) => [kind, { actions, isMeant: anyName }])),
  };
}

function resourcesOfKafka(rule: KafkaRule): Resources {
  const { resource } = rule.kafka;
  const actions = actionsOf(rule);
  if (resource === 'topic') {
    const topics = { actions, patterns: [topicPatternOf(rule.kafka)], patternsFor: undefined };
    return { topics, connect: undefined, others: new Map() };
  }
  const kind = resource === 'cluster' ? 'broker' : resource;
  const isMeant = resource === 'cluster' ? anyName : nameTestOf(rule.kafka);
  // As in Kafka, a topic may be created by whoever may create any; being denied that says nothing of this topic.
  const createsAny = kind === 'broker' && rule.effect === 'allow' && actions.has('create');
  return {
    topics: createsAny ? ANY_CREATED : NO_TOPICS,
    connect: undefined,
    others: new Map([[kind, { actions, isMeant }]]),
  };
}

function topicPatternOf({ pattern, name }: KafkaPattern): TopicPattern {
  if (pattern === 'prefixed') return patternOfLogPrefix(name);
  return name === '*' ? patternOf('#') : patternOfLog(name);
}

function nameTestOf({ pattern, name }: KafkaPattern): NameTest {
  if (pattern === 'prefixed') return (asked) => asked.startsWith(name);
  return name === '*' ? anyName : (asked) => asked === name;
}
