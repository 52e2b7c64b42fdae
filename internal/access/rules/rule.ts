/**
 * Who may do what: one list of rules for all doors. The first rule that is about somebody, what they do and what with,
 * decides. Once there are users, what no rule decides is refused.
 *
 * In a file a rule reads like this (`parse-rules.ts` reads it, {@link ruleForm} writes it):
 *
 *     - allow: [publish, subscribe]
 *       groups: [devices]
 *       topics: ['devices/%u/#']
 */
export type Rule = ResourceRule | KafkaRule;

export type Effect = 'allow' | 'deny';

interface RuleBase {
  /** Names the rule in refusals and to the tools. */
  readonly id: string;
  /** The declarative file, or what the tools and Kafka's clients made. */
  readonly origin: 'store' | 'file';
  readonly effect: Effect;
  /** Whom the rule is for: names of users, {@link EVERYBODY}, {@link ANONYMOUS}. A rule has users, groups or both. */
  readonly users?: readonly string[];
  /** Groups of users; who is in one of them or among the users is meant. */
  readonly groups?: readonly string[];
  /** Addresses, networks (`10.0.0.0/8`) and `unix`; a client of any other place is not meant. Undefined: any place. */
  readonly hosts?: readonly string[];
}

/** A rule about resources as tinymq names them. */
export interface ResourceRule extends RuleBase {
  readonly actions: readonly RuleAction[];
  /** MQTT filters. `%u` stands for the name of the user, `%c` for the client id. */
  readonly topics?: readonly string[];
  /** Globs of names of Kafka's consumer groups. */
  readonly consumerGroups?: readonly string[];
  /** Globs. */
  readonly transactionalIds?: readonly string[];
  /** Globs of client ids, with `%u`: where they are given, `connect` is about clients of these ids only. */
  readonly sessions?: readonly string[];
  readonly broker?: true;
  readonly kafka?: undefined;
}

/** A rule that a client of Kafka made: one of its ACL bindings, which can be listed as it was made (`kafka-patterns.ts`). */
export interface KafkaRule extends RuleBase {
  readonly actions: readonly [KafkaOperation];
  readonly kafka: KafkaPattern;
}

/** What an ACL binding of Kafka is about. */
export interface KafkaPattern {
  readonly resource: (typeof KAFKA_RESOURCES)[number];
  /** `literal` is the name itself, or everything if that is `*`; `prefixed` is all that begins with the name. */
  readonly pattern: (typeof KAFKA_PATTERNS)[number];
  readonly name: string;
}

/** In the place of a user's name: everybody, anonymous clients among them. */
export const EVERYBODY = '*';

/** In the place of a user's name: clients that showed no credentials. */
export const ANONYMOUS = 'anonymous';

/** In the place of a host: clients that come by a unix socket. */
export const UNIX_HOST = 'unix';

/**
 * What a rule allows or denies. `publish` and `subscribe` are meant on every door: by the first a client publishes live
 * and produces to the log, by the second it subscribes, fetches and reads again. `connect` and `admin` are about the
 * broker, so they need no resource.
 */
export const RULE_ACTIONS = [
  'connect',
  'publish',
  'subscribe',
  'create',
  'delete',
  'alter',
  'describe',
  'admin',
  'all',
] as const;
export type RuleAction = (typeof RULE_ACTIONS)[number];

/** Kafka's operations, as its own tools spell them. */
export const KAFKA_OPERATIONS = [
  'All',
  'Read',
  'Write',
  'Create',
  'Delete',
  'Alter',
  'Describe',
  'ClusterAction',
  'DescribeConfigs',
  'AlterConfigs',
  'IdempotentWrite',
] as const;
export type KafkaOperation = (typeof KAFKA_OPERATIONS)[number];

export const KAFKA_RESOURCES = ['topic', 'group', 'cluster', 'transactional-id'] as const;
export const KAFKA_PATTERNS = ['literal', 'prefixed'] as const;

/** The keys of a rule that name resources, each a list of patterns. */
export const RESOURCE_LISTS = ['topics', 'consumerGroups', 'transactionalIds', 'sessions'] as const;

/** A rule as it stands in a file and in the store. `origin` is not part of it. */
export function ruleForm(rule: Rule): Record<string, unknown> {
  const { id, effect, actions, users, groups, hosts } = rule;
  const form: Record<string, unknown> = { id, [effect]: [...actions], users, groups, hosts };
  if (rule.kafka !== undefined) form.kafka = { ...rule.kafka };
  else {
    for (const key of RESOURCE_LISTS) form[key] = rule[key];
    form.broker = rule.broker;
  }
  return Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined));
}

/** A rule in plain words: `deny subscribe on topics secret/#`. Whom it is for is left out where clients read it. */
export function describeRule(rule: Rule, withSubjects = true): string {
  const words = [rule.effect, rule.actions.join(', '), onWhat(rule)];
  if (withSubjects) words.push(forWhom(rule));
  return words.filter((word) => word !== '').join(' ');
}

function onWhat(rule: Rule): string {
  if (rule.kafka !== undefined) {
    const { resource, pattern, name } = rule.kafka;
    if (resource === 'cluster') return 'on the cluster';
    return pattern === 'prefixed' ? `on ${resource}s that begin with ${name}` : `on ${resource} ${name}`;
  }
  const parts = RESOURCE_LISTS.flatMap((key) => {
    const names = rule[key];
    return names === undefined ? [] : [`${LIST_WORDS[key]} ${names.join(', ')}`];
  });
  if (rule.broker) parts.push('the broker');
  return parts.length === 0 ? '' : `on ${parts.join(' and ')}`;
}

function forWhom({ users, groups, hosts }: Rule): string {
  const whom = [];
  if (users !== undefined) whom.push(users.includes(EVERYBODY) ? 'everybody' : `users ${users.join(', ')}`);
  if (groups !== undefined) whom.push(`groups ${groups.join(', ')}`);
  const from = hosts === undefined ? '' : ` from ${hosts.join(', ')}`;
  return `for ${whom.join(' and ')}${from}`;
}

const LIST_WORDS: Record<(typeof RESOURCE_LISTS)[number], string> = {
  topics: 'topics',
  consumerGroups: 'consumer groups',
  transactionalIds: 'transactional ids',
  sessions: 'sessions',
};
