import type { Identity } from '../../internal/access/identity.ts';
import type { Action } from '../../internal/access/policy.ts';
import type { Rule } from '../../internal/access/rules/rule.ts';

/**
 * Decides by looking: which rule is the first that is about a topic, and for a filter the same for each topic of a small
 * world. It shares no code with the policy, and knows nothing of indexes, intersections or order by levels.
 */
export class RulesOracle {
  readonly #rules: readonly Rule[];
  readonly #who: Identity;
  readonly #answers = new Map<string, boolean>();

  constructor(rules: readonly Rule[], who: Identity) {
    this.#rules = rules;
    this.#who = who;
  }

  /** Whether an action on a topic is allowed. */
  may(action: Action, topic: string): boolean {
    const key = `${action} ${topic}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = this.#decide(action, topic);
      this.#answers.set(key, answer);
    }
    return answer;
  }

  #decide(action: Action, topic: string): boolean {
    const first = this.#rules.find(
      (rule) => this.#isFor(rule) && isAbout(rule, action) && this.#names(rule, topic),
    );
    return first?.effect === 'allow';
  }

  /** How many of the topics that a filter matches are allowed, and how many are not. */
  count(action: Action, filter: string, topics: readonly string[]): { allowed: number; refused: number } {
    const matched = matchedBy(filter, topics);
    const allowed = matched.filter((topic) => this.may(action, topic)).length;
    return { allowed, refused: matched.length - allowed };
  }

  #isFor({ users = [], groups = [] }: Rule): boolean {
    const { user, groups: own } = this.#who;
    if (users.includes('*') || groups.some((group) => own.includes(group))) return true;
    return users.some((name) => (name === 'anonymous' ? user === undefined : name === user));
  }

  #names(rule: Rule, topic: string): boolean {
    if (rule.kafka !== undefined) {
      const { resource, pattern, name } = rule.kafka;
      if (resource !== 'topic' || topic.startsWith('$')) return false;
      if (pattern === 'prefixed')
        return topic.replaceAll('/', '.').startsWith(name) && !hasDotWithin(topic, name);
      return name === '*' || topic === name.replaceAll('.', '/');
    }
    return (rule.topics ?? []).some((filter) => this.#matches(rule, filter, topic));
  }

  #matches(rule: Rule, filter: string, topic: string): boolean {
    const { user, clientId } = this.#who;
    const variables: string[] = filter.match(/%[uc]/g) ?? [];
    const values: Record<string, string> = { '%u': user ?? '', '%c': clientId };
    if (user === undefined && variables.includes('%u')) return false;
    const bad = variables.find((name) => !/^[^$/+#*\s][^/+#*\n\r\0]*$/.test(values[name]!));
    if (bad !== undefined) {
      if (rule.effect === 'allow') return false;
      // The level with the first such name, and whatever comes there.
      const above = filter.slice(0, filter.indexOf(bad)).split('/').slice(0, -1);
      if (above.length === 0) return true;
      const filled = above.join('/').replaceAll(/%[uc]/g, (name) => values[name]!);
      return regexOf(`${filled}/#`).test(topic) && !isPassedOver(`${filled}/#`, topic);
    }
    const filled = filter.replaceAll(/%[uc]/g, (name) => values[name]!);
    const isClean = variables.every((name) => /^[\w-]+$/.test(values[name]!));
    const spellings = [filled];
    if (isClean || rule.effect === 'deny')
      spellings.push(filled.replaceAll(/[^\w./+#-]/g, '_').replaceAll('.', '/'));
    return spellings.some((one) => regexOf(one).test(topic) && !isPassedOver(one, topic));
  }
}

/** A prefix of Kafka's is about logs, which live topics with dots are not. */
function hasDotWithin(topic: string, prefix: string): boolean {
  return topic.slice(0, prefix.length).includes('.');
}

function isPassedOver(filter: string, topic: string): boolean {
  return topic.startsWith('$') && /^[+#]/.test(filter);
}

const matchedTopics = new Map<string, string[]>();

function matchedBy(filter: string, topics: readonly string[]): string[] {
  let matched = matchedTopics.get(filter);
  if (matched === undefined) {
    matched = topics.filter((topic) => regexOf(filter).test(topic) && !isPassedOver(filter, topic));
    if (matchedTopics.size > 10_000) matchedTopics.clear();
    matchedTopics.set(filter, matched);
  }
  return matched;
}

const regexes = new Map<string, RegExp>();

/** A filter as a regular expression. */
function regexOf(filter: string): RegExp {
  let regex = regexes.get(filter);
  if (regex === undefined) {
    const source = filter
      .replaceAll(/[.*?^${}()|[\]\\]/g, '\\$&')
      .replace(/^#$/, '.*')
      .replace(/\/#$/, '(/.*)?')
      .replaceAll(/(?<=^|\/)\+(?=\/|$|\()/g, '[^/]*');
    regex = new RegExp(`^${source}$`, 's');
    if (regexes.size > 100_000) regexes.clear();
    regexes.set(filter, regex);
  }
  return regex;
}

function isAbout({ actions, effect }: Rule, action: Action): boolean {
  return actions.some((word) => {
    const [means, implies] = ABOUT[word] ?? ['', ''];
    return means.split(' ').includes(action) || (effect === 'allow' && implies.split(' ').includes(action));
  });
}

const EVERYTHING =
  'publish subscribe read write create delete alter alter-configs describe describe-configs admin';

const ABOUT: Partial<Record<string, [means: string, implies: string]>> = {
  publish: ['publish write', 'describe'],
  subscribe: ['subscribe read', 'describe'],
  create: ['create', ''],
  delete: ['delete', 'describe'],
  alter: ['alter alter-configs', 'describe describe-configs'],
  describe: ['describe describe-configs', ''],
  all: [EVERYTHING, ''],
  Read: ['read subscribe', 'describe'],
  Write: ['write publish', 'describe'],
  Create: ['create', ''],
  Delete: ['delete', 'describe'],
  Alter: ['alter', 'describe'],
  Describe: ['describe', ''],
  DescribeConfigs: ['describe-configs', ''],
  AlterConfigs: ['alter-configs', 'describe-configs'],
  All: [EVERYTHING, ''],
};
