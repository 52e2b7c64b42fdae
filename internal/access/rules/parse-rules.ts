import { isIP } from 'node:net';
import { nameForLog, quoted } from '../../errors.ts';
import { suggestion } from '../../lib/nearest.ts';
import { maxGlobStars, maxRuleNameCharacters, maxRules } from '../../limits/access.ts';
import { filterProblem, innerFilter } from '../../topic.ts';
import {
  ANONYMOUS,
  type Effect,
  EVERYBODY,
  KAFKA_OPERATIONS,
  KAFKA_PATTERNS,
  KAFKA_RESOURCES,
  type KafkaPattern,
  RESOURCE_LISTS,
  RULE_ACTIONS,
  type Rule,
  type RuleAction,
  UNIX_HOST,
} from './rule.ts';

/** Rules that are not well formed: every problem, each with its place. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads a list of rules as it stands in a file or in the store. A rule without an `id` is called after its origin and its
 * place.
 *
 * @throws RuleError with all problems.
 */
export function parseRules(list: unknown, origin: Rule['origin']): Rule[] {
  if (!Array.isArray(list)) throw new RuleError(['rules: is a list']);
  if (list.length > maxRules) throw new RuleError([`rules: has at most ${maxRules} rules`]);
  const problems: string[] = [];
  const places = new Map<string, number>();
  const rules = list.map((form, index) => {
    const rule = readRule(form, origin, `${origin}-${index + 1}`, (problem) =>
      problems.push(`rule ${index + 1}${problem}`),
    );
    const earlier = rule && places.get(rule.id);
    if (earlier !== undefined)
      problems.push(`rule ${index + 1}: has the id of rule ${earlier}, ${quoted(rule!.id)}`);
    else if (rule !== undefined) places.set(rule.id, index + 1);
    return rule;
  });
  if (problems.length > 0) throw new RuleError(problems);
  return rules as Rule[];
}

/**
 * Reads one rule.
 *
 * @param id what it is called if it does not say so itself.
 * @throws RuleError with all problems.
 */
export function parseRule(form: unknown, origin: Rule['origin'], id: string): Rule {
  const problems: string[] = [];
  const rule = readRule(form, origin, id, (problem) => problems.push(`rule ${nameForLog(id)}${problem}`));
  if (rule === undefined || problems.length > 0) throw new RuleError(problems);
  return rule;
}

/** Tells a problem, which begins with what of the rule it is about. */
type Tell = (problem: string) => void;

function readRule(form: unknown, origin: Rule['origin'], defaultId: string, tell: Tell): Rule | undefined {
  if (typeof form !== 'object' || form === null || Array.isArray(form)) {
    tell(': is a group of keys, such as allow, users and topics');
    return undefined;
  }
  const fields = new Map(Object.entries(form).filter(([, value]) => value !== undefined));
  const id = fields.get('id') ?? defaultId;
  if (typeof id !== 'string' || !/^[A-Za-z0-9._:-]{1,64}$/.test(id)) {
    tell(", id: is 1 to 64 letters, digits, '.', '_', ':' and '-'");
    return undefined;
  }
  const named: Tell = (problem) => tell(`${fields.has('id') ? ` (${id})` : ''}${problem}`);
  for (const key of fields.keys()) {
    if (!RULE_KEYS.has(key))
      named(
        `: has no key ${quoted(key)}${suggestion(key, RULE_KEYS)}; its keys are ${[...RULE_KEYS].join(', ')}`,
      );
  }
  const effect = effectOf(fields, named);
  if (effect === undefined) return undefined;
  const subjects = readSubjects(fields, named);
  const base = { id, origin, effect, ...subjects };
  return fields.has('kafka') ? readKafkaRule(base, fields, named) : readResourceRule(base, fields, named);
}

/** The keys of a rule in a file. */
export const RULE_KEYS: ReadonlySet<string> = new Set([
  'id',
  'allow',
  'deny',
  'users',
  'groups',
  'hosts',
  ...RESOURCE_LISTS,
  'broker',
  'kafka',
]);

type Fields = ReadonlyMap<string, unknown>;
type Base = Pick<Rule, 'id' | 'origin' | 'effect' | 'users' | 'groups' | 'hosts'>;

function effectOf(fields: Fields, tell: Tell): Effect | undefined {
  if (fields.has('allow') !== fields.has('deny')) return fields.has('allow') ? 'allow' : 'deny';
  tell(': has either allow or deny, with a list of actions');
  return undefined;
}

function readSubjects(fields: Fields, tell: Tell): Pick<Rule, 'users' | 'groups' | 'hosts'> {
  const users = readList(fields, 'users', tell, nameProblem);
  const groups = readList(fields, 'groups', tell, nameProblem);
  const hosts = readList(fields, 'hosts', tell, hostProblem);
  if (!fields.has('users') && !fields.has('groups'))
    tell(`: says whom it is for: users or groups; users: ['${EVERYBODY}'] is everybody`);
  return {
    ...(users && { users }),
    ...(groups && { groups }),
    ...(hosts && !hosts.includes(EVERYBODY) && { hosts }),
  };
}

function readResourceRule(base: Base, fields: Fields, tell: Tell): Rule {
  const actions = readList(fields, base.effect, tell, oneOf(RULE_ACTIONS)) as RuleAction[] | undefined;
  const topics = readList(fields, 'topics', tell, topicProblem);
  const [consumerGroups, transactionalIds] = (['consumerGroups', 'transactionalIds'] as const).map((key) =>
    readList(fields, key, tell, globProblem),
  );
  const sessions = readList(fields, 'sessions', tell, sessionProblem);
  if (fields.has('broker') && fields.get('broker') !== true) tell(', broker: is true, or left out');
  if (actions !== undefined) tellUnused(actions, fields, tell);
  return {
    ...base,
    actions: actions ?? [],
    ...(topics && { topics }),
    ...(consumerGroups && { consumerGroups }),
    ...(transactionalIds && { transactionalIds }),
    ...(sessions && { sessions }),
    ...(fields.has('broker') && { broker: true as const }),
  };
}

/** What each kind of resource can be used for. */
const USES: Record<string, ReadonlySet<RuleAction>> = {
  topics: new Set(['publish', 'subscribe', 'create', 'delete', 'alter', 'describe']),
  consumerGroups: new Set(['subscribe', 'delete', 'alter', 'describe']),
  transactionalIds: new Set(['publish', 'describe']),
  sessions: new Set(['connect', 'delete', 'alter', 'describe']),
  broker: new Set(['connect', 'admin', 'publish', 'create', 'alter', 'describe']),
};

/** An action without a resource, or a resource without an action, is a mistake of whoever wrote the rule. */
function tellUnused(actions: readonly RuleAction[], fields: Fields, tell: Tell): void {
  const isAll = actions.includes('all');
  if (isAll) return;
  const resources = Object.keys(USES).filter((key) => fields.has(key));
  for (const action of actions) {
    if (action === 'connect' || action === 'admin') continue;
    if (resources.some((key) => USES[key]!.has(action))) continue;
    const usable = Object.keys(USES).filter((key) => USES[key]!.has(action));
    tell(`: ${action} needs a resource: ${usable.join(', ')}`);
  }
  for (const key of resources) {
    if (actions.some((action) => USES[key]!.has(action))) continue;
    tell(`, ${key}: none of its actions is about these; they are for ${[...USES[key]!].join(', ')}`);
  }
}

function readKafkaRule(base: Base, fields: Fields, tell: Tell): Rule {
  for (const key of [...RESOURCE_LISTS, 'broker']) {
    if (fields.has(key)) tell(`, ${key}: stands in another rule than kafka`);
  }
  const actions = readList(fields, base.effect, tell, oneOf(KAFKA_OPERATIONS));
  if (actions !== undefined && actions.length !== 1) tell(`, ${base.effect}: is one operation of Kafka`);
  const kafka = readKafkaPattern(fields.get('kafka'), (problem) => tell(`, kafka: ${problem}`));
  return { ...base, actions: actions as never, kafka };
}

function readKafkaPattern(form: unknown, tell: Tell): KafkaPattern {
  const { resource, pattern = 'literal', name, ...rest } = (form ?? {}) as Record<string, unknown>;
  for (const key of Object.keys(rest))
    tell(`has no key ${quoted(key)}; its keys are resource, pattern, name`);
  const resourceProblem = oneOf(KAFKA_RESOURCES)(resource) ?? kafkaNameProblem(resource, pattern, name);
  if (resourceProblem !== undefined) tell(resourceProblem);
  const patternProblem = oneOf(KAFKA_PATTERNS)(pattern);
  if (patternProblem !== undefined) tell(patternProblem);
  return { resource, pattern, name } as KafkaPattern;
}

/** Says what is wrong with the name of an ACL binding of Kafka, or undefined where nothing is. */
export function kafkaNameProblem(resource: unknown, pattern: unknown, name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return 'a resource has a name';
  const problem = textProblem(name);
  if (problem !== undefined) return problem;
  if (resource === 'cluster' && (name !== 'kafka-cluster' || pattern !== 'literal'))
    return "the cluster is called kafka-cluster, and its pattern is 'literal'";
  const isEverything = pattern === 'literal' && name === '*';
  if (resource === 'topic' && !isEverything && !/^[A-Za-z0-9._-]+$/.test(name))
    return `no topic can be called ${quoted(name)}: it has letters, digits, '.', '_' and '-'`;
  return undefined;
}

/** Reads a list of strings; a single string is a list of one. */
function readList(
  fields: Fields,
  key: string,
  tell: Tell,
  problemOf: (entry: unknown) => string | undefined,
): string[] | undefined {
  if (!fields.has(key)) return undefined;
  const value = fields.get(key);
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) tell(`, ${key}: is empty`);
  for (const [index, entry] of list.entries()) {
    const problem = typeof entry === 'string' ? problemOf(entry) : 'is no text';
    if (problem === undefined) continue;
    const place = list.length > 1 ? ` ${index + 1}` : '';
    tell(`, ${key}${place}: ${typeof entry === 'string' ? `${quoted(entry)}: ` : ''}${problem}`);
  }
  return list.every((entry) => typeof entry === 'string') ? [...new Set(list)] : undefined;
}

function oneOf(words: readonly string[]): (entry: unknown) => string | undefined {
  return (entry) => (words.includes(entry as string) ? undefined : `is one of ${words.join(', ')}`);
}

/** Says what is wrong with the name of a user or a group in a rule. */
export function nameProblem(name: unknown): string | undefined {
  return textProblem(name as string);
}

function textProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > maxRuleNameCharacters) return `has at most ${maxRuleNameCharacters} characters`;
  if (/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(text))
    return 'has control characters, line breaks or half a character';
  return undefined;
}

function hostProblem(host: unknown): string | undefined {
  const text = host as string;
  if (text === UNIX_HOST || text === EVERYBODY || isNetwork(text)) return undefined;
  return `is an address, a network such as 10.0.0.0/8, or ${UNIX_HOST}`;
}

/** Whether a text is an IP address, with or without the length of a prefix. */
export function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128));
}

/** Says what is wrong with a filter of a rule, or undefined where nothing is. */
export function topicProblem(entry: unknown): string | undefined {
  const filter = entry as string;
  if (innerFilter(filter) !== filter && filter.startsWith('$share'))
    return 'a rule names the filter itself; it is meant for shared subscriptions too';
  return filterProblem(filter) ?? textProblemOfPattern(filter) ?? variableProblem(filter);
}

function textProblemOfPattern(pattern: string): string | undefined {
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(pattern) ? 'has control characters or line breaks' : undefined;
}

/**
 * Two variables in one level would let names flow together: `%u-%c` is `a-b-c` for the user `a` with the client id `b-c`,
 * which they choose, and for the user `a-b`.
 */
function variableProblem(pattern: string): string | undefined {
  const isDoubled = pattern.split('/').some((level) => (level.match(/%[uc]/g) ?? []).length > 1);
  return isDoubled ? 'a level has one of %u and %c, once' : undefined;
}

function globProblem(entry: unknown): string | undefined {
  const glob = entry as string;
  if (/%[uc]/.test(glob)) return '%u and %c stand in topics, and %u in sessions';
  return textProblem(glob) ?? starsProblem(glob);
}

function starsProblem(glob: string): string | undefined {
  const stars = glob.split('*').length - 1;
  return stars > maxGlobStars ? `has at most ${maxGlobStars} stars` : undefined;
}

function sessionProblem(entry: unknown): string | undefined {
  const glob = entry as string;
  if (glob.includes('%c')) return 'a session is a client id; %u may stand in it';
  return textProblem(glob) ?? starsProblem(glob) ?? variableProblem(glob);
}

/** Whether a name stands for somebody else than the user who is called so. */
export function isReservedUserName(name: string): boolean {
  return name === EVERYBODY || name === ANONYMOUS;
}
