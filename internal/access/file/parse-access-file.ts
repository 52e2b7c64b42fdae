import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
} from 'yaml';
import { quoted } from '../../errors.ts';
import { suggestion } from '../../lib/nearest.ts';
import { AccessError } from '../access-error.ts';
import type { DeclaredAccess } from '../access-store.ts';
import { checkCounts, userProblem } from '../check-entries.ts';
import { type Limit, parseLimit } from '../limits/limit.ts';
import { parseRule, RuleError } from '../rules/parse-rules.ts';
import type { Rule } from '../rules/rule.ts';
import { parseScramText } from '../users/scram-text.ts';
import type { ScramKeys, ScramMechanism, User } from '../users/user.ts';
import { AccessFileError } from './access-file-error.ts';

/**
 * Reads a declarative file of users and rules, YAML or JSON:
 *
 *     users:
 *       anna:
 *         password: scrypt$16384$8$1$…
 *         scram: [SCRAM-SHA-256$16384:…]
 *         groups: [staff]
 *     rules:
 *       - allow: publish
 *         groups: staff
 *         topics: 'sensors/#'
 *
 * @throws AccessFileError with all problems.
 */
export function parseAccessFile(text: string): DeclaredAccess {
  return new AccessFileReader().read(text);
}

const FILE_KEYS = ['users', 'rules', 'limits'];
const USER_KEYS = ['password', 'scram', 'groups', 'enabled'];

class AccessFileReader {
  readonly #lines = new LineCounter();
  readonly #problems: string[] = [];

  read(text: string): DeclaredAccess {
    const root = this.#rootOf(text);
    this.#end();
    const users: User[] = [];
    const rules: Rule[] = [];
    const limits: Limit[] = [];
    for (const [key, pair] of this.#pairsOf(root!, 'the file')) {
      if (key === 'users') users.push(...this.#usersOf(pair));
      else if (key === 'rules') rules.push(...this.#rulesOf(pair));
      else if (key === 'limits') limits.push(...this.#limitsOf(pair));
      else this.#unknownKey(pair, key, 'the file', FILE_KEYS);
    }
    if (users.length === 0 && rules.length === 0 && this.#problems.length === 0)
      this.#problems.push('it names neither users nor rules');
    this.#end();
    checkCounts(new Map(users.map((user) => [user.name, user])), rules, limits);
    return { users, rules, limits };
  }

  #end(): void {
    if (this.#problems.length > 0) throw new AccessFileError(this.#problems);
  }

  #rootOf(text: string): YAMLMap | undefined {
    if (text.trim() === '') {
      this.#problems.push('it is empty');
      return undefined;
    }
    // JSON that is cut off does not parse; of YAML this is all that can be seen of a file that somebody still writes.
    if (!text.endsWith('\n') && !text.trimEnd().endsWith('}')) {
      this.#problems.push('its last line does not end: it may be cut off');
      return undefined;
    }
    const root = this.#parsed(text);
    if (root === undefined || isMap(root)) return root;
    this.#problems.push(`it is no group of keys; its keys are ${FILE_KEYS.join(', ')}`);
    return undefined;
  }

  #parsed(text: string): unknown {
    const documents = parseDocuments(text, this.#lines);
    if (documents === undefined) this.#problems.push('it is nested too deeply');
    const [document, second] = documents ?? [];
    if (document === undefined) {
      if (documents !== undefined) this.#problems.push('it names neither users nor rules');
      return undefined;
    }
    for (const { message, pos } of [...document.errors, ...document.warnings])
      this.#tell(pos[0], withoutContent(message));
    if (second !== undefined) this.#tell(second.range[0], 'a second document begins; a file has one');
    return this.#problems.length > 0 ? undefined : document.contents;
  }

  #usersOf(pair: Pair): User[] {
    if (isEmpty(pair.value)) return [];
    if (!isMap(pair.value)) {
      this.#tellAt(pair.value ?? pair.key, 'users: is a group of names, each with what belongs to the user');
      return [];
    }
    return this.#pairsOf(pair.value, 'users').flatMap(([name, each]) => this.#userOf(name, each) ?? []);
  }

  #userOf(name: string, pair: Pair): User | undefined {
    if (!isMap(pair.value) && !isEmpty(pair.value)) {
      this.#tellAt(pair.value, `the user ${quoted(name)} is a group of keys: ${USER_KEYS.join(', ')}`);
      return undefined;
    }
    const before = this.#problems.length;
    const where = `the user ${quoted(name)}`;
    const fields = new Map(isMap(pair.value) ? this.#pairsOf(pair.value, where) : []);
    for (const [key, each] of fields) {
      if (!USER_KEYS.includes(key)) this.#unknownKey(each, key, where, USER_KEYS);
    }
    const user: User = {
      name,
      isEnabled: this.#flagOf(fields.get('enabled'), name),
      groups: this.#textsOf(fields.get('groups'), `the groups of ${quoted(name)}`),
      ...this.#passwordOf(fields.get('password'), name),
      scram: this.#scramOf(fields.get('scram'), name),
      origin: 'file',
    };
    const problem = this.#problems.length > before ? undefined : userProblem(user);
    if (problem !== undefined) this.#tellAt(pair.key, `the user ${quoted(name)}: ${problem}`);
    return user;
  }

  #flagOf(pair: Pair | undefined, name: string): boolean {
    if (pair === undefined) return true;
    const value = isScalar(pair.value) ? pair.value.value : undefined;
    if (typeof value === 'boolean') return value;
    this.#tellAt(pair.value ?? pair.key, `enabled of ${quoted(name)} is true or false`);
    return false;
  }

  #passwordOf(pair: Pair | undefined, name: string): { password?: string } {
    if (pair === undefined) return {};
    const value = isScalar(pair.value) ? pair.value.value : undefined;
    if (typeof value === 'string' && value.includes('$')) return { password: value };
    this.#tellAt(pair.value ?? pair.key, `the password of ${quoted(name)} is no hash: ${MAKE_A_HASH}`);
    return {};
  }

  #scramOf(pair: Pair | undefined, name: string): User['scram'] {
    const scram: Partial<Record<ScramMechanism, ScramKeys>> = {};
    for (const text of this.#textsOf(pair, `the scram keys of ${quoted(name)}`)) {
      const parsed = parseScramText(text);
      if (parsed === undefined || parsed.mechanism in scram) {
        const problem = parsed === undefined ? 'are not in their form' : `have ${parsed.mechanism} twice`;
        this.#tellAt(pair!.value, `the scram keys of ${quoted(name)} ${problem}: ${MAKE_A_HASH}`);
      } else {
        scram[parsed.mechanism] = parsed.keys;
      }
    }
    return scram;
  }

  /** A single text is a list of one. */
  #textsOf(pair: Pair | undefined, what: string): string[] {
    if (pair === undefined || isEmpty(pair.value)) return [];
    const items = isSeq(pair.value) ? pair.value.items : [pair.value];
    const texts = items.map((item) => (isScalar(item) ? item.value : undefined));
    if (texts.every((text) => typeof text === 'string')) return texts as string[];
    this.#tellAt(pair.value, `${what} are texts`);
    return [];
  }

  #rulesOf(pair: Pair): Rule[] {
    if (isEmpty(pair.value)) return [];
    if (!isSeq(pair.value)) {
      this.#tellAt(pair.value ?? pair.key, 'rules: is a list');
      return [];
    }
    const lines = new Map<string, number>();
    return pair.value.items.flatMap((item, index) => {
      try {
        const rule = parseRule(this.#plain(item), 'file', `file-${index + 1}`);
        const earlier = lines.get(rule.id);
        if (earlier !== undefined)
          this.#tellAt(item, `rule ${index + 1} has the id of that in line ${earlier}, ${quoted(rule.id)}`);
        lines.set(rule.id, this.#lineOf(item));
        return [rule];
      } catch (error) {
        if (!(error instanceof RuleError)) throw error;
        for (const problem of error.problems) this.#tellAt(item, problem);
        return [];
      }
    });
  }

  /** Each names a user, a group or a client, or nobody, and what it allows. */
  #limitsOf(pair: Pair): Limit[] {
    if (isEmpty(pair.value)) return [];
    if (!isSeq(pair.value)) {
      this.#tellAt(pair.value ?? pair.key, 'limits: is a list');
      return [];
    }
    return pair.value.items.flatMap((item, index) => {
      try {
        return [parseLimit(this.#plain(item), `file-${index + 1}`)];
      } catch (error) {
        if (!(error instanceof AccessError)) throw error;
        this.#tellAt(item, error.message);
        return [];
      }
    });
  }

  /** A node as plain values. */
  #plain(node: unknown): unknown {
    if (isMap(node)) {
      const pairs = this.#pairsOf(node, 'this group');
      return Object.fromEntries(pairs.map(([key, { value }]) => [key, this.#plain(value)]));
    }
    if (isSeq(node)) return node.items.map((item) => this.#plain(item));
    if (isAlias(node)) {
      this.#tellAt(node, 'references (*) are not read here');
      return undefined;
    }
    return isScalar(node) ? node.value : undefined;
  }

  /** The parts of a group by their keys, each once. */
  #pairsOf({ items }: YAMLMap, where: string): [string, Pair][] {
    const pairs = new Map<string, Pair>();
    for (const pair of items) {
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      if (typeof key !== 'string') this.#tellAt(pair.key, 'a key is a text: write it in quotation marks');
      else if (pairs.has(key)) this.#tellAt(pair.key, `${where} has ${quoted(key)} twice`);
      else pairs.set(key, pair);
    }
    return [...pairs];
  }

  #unknownKey(pair: Pair, key: string, where: string, known: readonly string[]): void {
    const hint = suggestion(key, known) || `; its keys are ${known.join(', ')}`;
    this.#tellAt(pair.key, `${where} has no key ${quoted(key)}${hint}`);
  }

  #tellAt(node: unknown, problem: string): void {
    this.#problems.push(`line ${this.#lineOf(node)}: ${problem}`);
  }

  #tell(offset: number, problem: string): void {
    this.#problems.push(`line ${this.#lines.linePos(offset).line}: ${problem}`);
  }

  #lineOf(node: unknown): number {
    const range = (node as { range?: [number, number, number] | null } | null)?.range;
    return this.#lines.linePos(range?.[0] ?? 0).line;
  }
}

const MAKE_A_HASH = 'make one with `tinymq users hash`';

/** @returns undefined for what is nested too deeply to be read. */
function parseDocuments(text: string, lineCounter: LineCounter): Document.Parsed[] | undefined {
  try {
    // That keys are unique is checked here: the library takes a quadratic time for that.
    const options = { lineCounter, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const;
    const documents = parseAllDocuments(text, options);
    return 'empty' in documents ? [] : documents;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What the library says of a problem, without what stands in the file, which may be a password. */
function withoutContent(message: string): string {
  return message
    .split('\n')[0]!
    .replace(/:? ?["'`].*$/, '')
    .replace(/^(Unresolved \w+):.*$/, '$1');
}

function isEmpty(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}
