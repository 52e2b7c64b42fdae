import { quoted } from '../../errors.ts';
import { filterProblem } from '../../topic.ts';
import { isReservedUserName, nameProblem, parseRules, topicProblem } from '../rules/parse-rules.ts';
import { ANONYMOUS, EVERYBODY, type Rule } from '../rules/rule.ts';

/** A line that means something else here, or that mosquitto would not read either. */
export interface AclLineProblem {
  readonly line: number;
  readonly problem: string;
}

export interface AclFile {
  /** In the order in which they have to be asked. */
  readonly rules: readonly Rule[];
  readonly problems: readonly AclLineProblem[];
}

/**
 * Reads an ACL file of mosquitto as rules that decide as mosquitto 2 does: of the lines of a user those that deny come
 * first, then the others, then the patterns, again those that deny first. What no line allows is refused.
 *
 * A line that has no equal allows nothing; if it denies, it denies more. What differs on purpose: mosquitto
 * lets everybody subscribe and leaves out what they may not have, which here needs -acl-partial; and a name with a `/` in
 * the place of `%u` or `%c` matches nothing here.
 */
export function parseAclFile(text: string): AclFile {
  const reader = new Reader();
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    reader.read(line.trimEnd(), index + 1);
  }
  return { rules: parseRules(reader.forms(), 'store'), problems: reader.problems };
}

type Access = 'deny' | 'read' | 'write' | 'readwrite';

/** How an access is called in a rule; in this order. */
const ACCESSES: Record<Access, { effect: 'allow' | 'deny'; actions: string[] }> = {
  deny: { effect: 'deny', actions: ['publish', 'subscribe'] },
  readwrite: { effect: 'allow', actions: ['publish', 'subscribe'] },
  read: { effect: 'allow', actions: ['subscribe'] },
  write: { effect: 'allow', actions: ['publish'] },
};

/** The topics of one user, or of the patterns, by what is said of them. */
type Topics = Map<Access, string[]>;

class Reader {
  readonly problems: AclLineProblem[] = [];
  readonly #byUser = new Map<string, Topics>();
  readonly #patterns: Topics = new Map();
  /** Whose lines are read; undefined where those are left out. */
  #user: string | undefined = ANONYMOUS;

  read(line: string, number: number): void {
    if (line === '' || line.startsWith('#')) return;
    const tell = (problem: string) => void this.problems.push({ line: number, problem });
    const [, word, rest = ''] = /^ *([^ ]+) *(.*)$/s.exec(line) ?? [];
    if (word === 'user') this.#readUser(rest.trim(), tell);
    else if (word === 'topic' || word === 'pattern') this.#readTopic(rest, word === 'pattern', tell);
    else tell('begins with neither user, topic nor pattern');
  }

  /** What was read, as rules are written. */
  forms(): Record<string, unknown>[] {
    const users = [...this.#byUser].flatMap(([user, topics]) => formsOf(user, topics));
    return [...users, ...formsOf(EVERYBODY, this.#patterns)];
  }

  #readUser(name: string, tell: (problem: string) => void): void {
    const problem = isReservedUserName(name) ? 'stands for others here' : nameProblem(name);
    this.#user = problem === undefined ? name : undefined;
    if (problem !== undefined) tell(`the name of the user ${problem}: its lines are left out`);
  }

  #readTopic(rest: string, isPattern: boolean, tell: (problem: string) => void): void {
    const [, first = '', topic] = /^([^ ]+)(?: +(.*))?$/s.exec(rest) ?? [];
    const access = topic === undefined ? 'readwrite' : first;
    if (!Object.hasOwn(ACCESSES, access)) {
      tell(`${quoted(access)} is none of read, write, readwrite, deny`);
      return;
    }
    const filter = equalOf(topic ?? first, isPattern, access === 'deny', tell);
    const topics = isPattern ? this.#patterns : this.#topicsOfUser();
    if (filter !== undefined && topics !== undefined) addTo(topics, access as Access, filter);
  }

  #topicsOfUser(): Topics | undefined {
    if (this.#user === undefined) return undefined;
    const topics = this.#byUser.get(this.#user) ?? new Map<Access, string[]>();
    this.#byUser.set(this.#user, topics);
    return topics;
  }
}

/** The filter of a rule that says the same, or undefined where a line is left out. */
function equalOf(
  topic: string,
  isPattern: boolean,
  denies: boolean,
  tell: (problem: string) => void,
): string | undefined {
  const wrong = filterProblem(topic);
  if (wrong !== undefined) {
    tell(`topic ${quoted(topic)}: ${wrong}`);
    return undefined;
  }
  const isLiteral = !isPattern && /%[uc]/.test(topic);
  const problem = isLiteral ? 'in a rule %u and %c always stand for names' : topicProblem(topic);
  if (problem === undefined) return topic;
  const wider = denies ? withoutVariables(topic) : undefined;
  const what = wider === undefined ? 'the line is left out' : `denied is ${quoted(wider)}`;
  tell(`topic ${quoted(topic)}: ${problem}; ${what}`);
  return wider;
}

/** A filter that matches all that a filter which has no equal could. */
function withoutVariables(topic: string): string {
  const levels = topic.split('/').map((level) => (/%[uc]/.test(level) ? '+' : level));
  const wider = levels.join('/');
  return topicProblem(wider) === undefined ? wider : '#';
}

function addTo(topics: Topics, access: Access, filter: string): void {
  const list = topics.get(access);
  if (list === undefined) topics.set(access, [filter]);
  else list.push(filter);
}

function formsOf(user: string, topics: Topics): Record<string, unknown>[] {
  return Object.entries(ACCESSES).flatMap(([access, { effect, actions }]) => {
    const list = topics.get(access as Access);
    return list === undefined ? [] : [{ [effect]: actions, users: [user], topics: list }];
  });
}
