import { type Identity, identityOf } from '../../internal/access/identity.ts';
import { parseRules } from '../../internal/access/rules/parse-rules.ts';
import type { Rule } from '../../internal/access/rules/rule.ts';
import { peerOfTest } from '../support/access.ts';

/** Random numbers that come again with the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number below `end` (mulberry32). */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  list<T>(min: number, max: number, make: () => T): T[] {
    return Array.from({ length: min + this.below(max - min + 1) }, make);
  }
}

/** Names that a level of a rule may have, so that they meet often. */
const LEVELS = ['a', 'b', 'ab', ''];
/** Names whose logs have others. One that is split makes a topic one level deeper. */
const SPLIT = ['a.b', 'a b'];
const USERS = ['a.b', 'a/b', '+', '$x', 'a\nb', '', undefined];
const CLIENT_IDS = ['b', 'a', 'a.b', '#', ''];
const GROUPS = ['g', 'h'];
/** What else the rules can name: with variables, in the names of logs, with a prefix; and what stands for every other name. */
const OTHERS = ['xa', 'xb', 'xa.b', 'a_b', 'abz', 'zz'];

/**
 * Every topic of a small world: all names that these rules can tell apart, three levels deep, which is the deepest that they
 * name; and something below each.
 */
export const WORLD: readonly string[] = worldOf([...LEVELS, ...SPLIT, ...OTHERS]);

function worldOf(names: readonly string[]): string[] {
  const one = [...names, '$x', '$SYS', '_x'];
  const two = one.flatMap((above) => names.map((name) => `${above}/${name}`));
  const three = two.flatMap((above) => names.map((name) => `${above}/${name}`));
  const below = three.map((above) => `${above}/zz`);
  // A topic has at least one byte.
  return [...one, ...two, ...three, ...below].filter((topic) => topic !== '');
}

/** A filter of at most three levels, in the names of logs too. */
export function randomFilter(random: Random, withVariables: boolean): string {
  const level = () => (random.chance(25) ? '+' : random.pick(LEVELS));
  let levels = random.list(1, 3, level);
  const special = () =>
    withVariables && random.chance(60) ? random.pick(['%u', '%c', 'x%u', 'x%c']) : random.pick(SPLIT);
  if (random.chance(40)) {
    levels = levels.slice(0, 2);
    levels[random.below(levels.length)] = special();
  } else if (random.chance(8)) levels[0] = random.pick(['$x', '$SYS']);
  if (random.chance(35)) levels[levels.length - (random.chance(50) ? 1 : 0)] = '#';
  const filter = levels.join('/');
  return filter === '' ? 'a' : filter;
}

export function randomRules(random: Random): Rule[] {
  return parseRules(
    random.list(1, 8, () => randomRule(random)),
    'file',
  );
}

function randomRule(random: Random): Record<string, unknown> {
  const effect = random.chance(60) ? 'allow' : 'deny';
  if (random.chance(12)) {
    const pattern = random.pick(['literal', 'prefixed']);
    const name =
      pattern === 'literal' && random.chance(20)
        ? '*'
        : random.pick(['a', 'a.b', 'ab', 'a.', 'a.a', 'b.a.b']);
    const operation = random.pick(['Read', 'Write', 'All', 'Describe', 'Create', 'AlterConfigs', 'Alter']);
    return { [effect]: [operation], ...subjects(random), kafka: { resource: 'topic', pattern, name } };
  }
  const actions = random.list(1, 2, () =>
    random.pick(['publish', 'subscribe', 'subscribe', 'create', 'alter', 'all']),
  );
  const topics = random.list(1, 3, () => randomFilter(random, true));
  return { [effect]: actions, ...subjects(random), topics };
}

function subjects(random: Random): Record<string, unknown> {
  const kind = random.below(10);
  if (kind < 6) return { users: ['*'] };
  if (kind < 8) return { users: random.list(1, 2, () => random.pick(['a', 'b', 'a.b', 'anonymous'])) };
  if (kind < 9) return { groups: [random.pick(GROUPS)] };
  return { users: ['b'], groups: [random.pick(GROUPS)] };
}

export function randomIdentity(random: Random): Identity {
  const peer = peerOfTest(random.pick(CLIENT_IDS));
  const user = random.chance(60) ? random.pick(['a', 'b']) : random.pick(USERS);
  return identityOf(peer, { user, groups: GROUPS.filter(() => random.chance(40)) });
}
