import { maxCoverageLevels, maxCoverageSteps } from '../../limits/access.ts';
import { ANY, passesOverHidden, type TopicPattern } from './topic-pattern.ts';

/** A pattern of a rule, in the order of the list. */
export interface PatternEntry {
  /** The place of the rule in the list. */
  readonly order: number;
  readonly isAllow: boolean;
  readonly pattern: TopicPattern;
}

/** What the rules say about all topics that one filter matches. */
export interface Coverage<E> {
  /** Whether a topic that it matches is allowed. Not looked for where it was not asked. */
  readonly isAllowedSomewhere: boolean;
  /** A topic that it matches and that is refused, if there is one. */
  readonly refused?: {
    /** The topic, with `+` for a level of any other name. */
    readonly topic: string;
    /** What refuses it; undefined where nothing allows it. */
    readonly by: E | undefined;
    /** There are so many cases that not all were looked at. */
    readonly isTooComplex?: true;
  };
}

/**
 * Finds out whether every topic that a filter matches is allowed, where the first entry that matches a topic decides.
 *
 * Topics have endless many names, but entries tell few of them apart: at each level it matters whether a name is one of
 * those that the entries have there, begins with one of their prefixes, or is another one. So the walk goes down the
 * levels, along one name of each kind, with the entries that match so far. It ends early where all that can still decide
 * says the same.
 *
 * @param entries in the order of the list.
 * @param otherwise what holds for a topic that no entry matches.
 * @param wantsAllowed whether it matters if some topic is allowed, where another one is refused.
 */
export function coverageOf<E extends PatternEntry>(
  filter: TopicPattern,
  entries: readonly E[],
  otherwise: boolean,
  wantsAllowed: boolean,
): Coverage<E> {
  const walk = new Walk<E>(filter, otherwise, wantsAllowed);
  const first = filter.levels[0];
  const isHidden = typeof first === 'string' && first.startsWith('$');
  const active = isHidden ? entries.filter(({ pattern }) => !passesOverHidden(pattern)) : entries;
  walk.go(0, active, []);
  return { isAllowedSomewhere: walk.isAllowedSomewhere, refused: walk.refused };
}

/** In no topic and no pattern, so that a name with it is none of those that entries have. */
const OTHER = '\0';

class Walk<E extends PatternEntry> {
  isAllowedSomewhere = false;
  refused: Coverage<E>['refused'];
  readonly #filter: TopicPattern;
  readonly #otherwise: boolean;
  readonly #wantsAllowed: boolean;
  #steps = 0;

  constructor(filter: TopicPattern, otherwise: boolean, wantsAllowed: boolean) {
    this.#filter = filter;
    this.#otherwise = otherwise;
    this.#wantsAllowed = wantsAllowed;
  }

  /**
   * Looks at all topics of the filter that begin with a path.
   *
   * @param matching the entries that match the path so far.
   */
  go(depth: number, matching: readonly E[], path: readonly string[]): void {
    const active = upToDecisive(matching, depth);
    this.#steps += 1 + active.length;
    if (this.#steps > maxCoverageSteps || depth > maxCoverageLevels) {
      this.refused ??= { topic: shown(path), by: undefined, isTooComplex: true };
      return;
    }
    const { levels, rest } = this.#filter;
    const isTopic = depth > 1 || (depth === 1 && path[0] !== '');
    if (isTopic && depth >= levels.length) this.#note(endOf(active, depth), path);
    if (this.#isDone || (depth >= levels.length && rest === 'nothing')) return;
    if (this.#isSettled(active, depth)) return;
    for (const name of this.#names(depth, active)) {
      const next = active.filter((entry) => canGoOn(entry.pattern, depth, name));
      this.go(depth + 1, next, [...path, name]);
      if (this.#isDone) return;
    }
  }

  get #isDone(): boolean {
    return this.refused !== undefined && (this.isAllowedSomewhere || !this.#wantsAllowed);
  }

  /** Notes what decides a topic that ends here. */
  #note(entry: E | undefined, path: readonly string[]): void {
    if (entry?.isAllow ?? this.#otherwise) this.isAllowedSomewhere = true;
    else this.refused ??= { topic: shown(path), by: entry };
  }

  /** Whether everything further down is decided alike, and nothing more is to be learnt of it. */
  #isSettled(active: readonly E[], depth: number): boolean {
    const last = active.at(-1);
    const isLastDecisive = last !== undefined && matchesAllBelow(last.pattern, depth);
    const outcome = isLastDecisive ? last.isAllow : this.#otherwise;
    if (active.some(({ isAllow }) => isAllow !== outcome)) return false;
    if (outcome) this.isAllowedSomewhere = true;
    return outcome || this.refused !== undefined;
  }

  /** One name of each kind that a topic of the filter can have at a level; other names than the entries' first. */
  #names(depth: number, active: readonly E[]): Iterable<string> {
    const wanted = this.#filter.levels[depth];
    if (typeof wanted === 'string') return [wanted];
    const names = new Set([OTHER]);
    for (const { pattern } of active) {
      const level = pattern.levels[depth];
      if (typeof level === 'string') names.add(level);
      else if (depth === pattern.levels.length && typeof pattern.rest !== 'string')
        names.add(pattern.rest.prefix + OTHER);
    }
    if (depth > 0) return names;
    return [...names].filter((name) => !name.startsWith('$'));
  }
}

/** The entries up to the first that matches everything from here on: those behind it decide nothing. */
function upToDecisive<E extends PatternEntry>(entries: readonly E[], depth: number): readonly E[] {
  const decisive = entries.findIndex(({ pattern }) => matchesAllBelow(pattern, depth));
  return decisive < 0 ? entries : entries.slice(0, decisive + 1);
}

/** Whether a pattern, which matches so far, matches whatever comes, and also if nothing comes. */
function matchesAllBelow({ levels, rest }: TopicPattern, depth: number): boolean {
  if (rest === 'nothing') return false;
  return rest === 'anything' ? depth >= levels.length : depth > levels.length;
}

/** The entry that decides a topic that ends here. */
function endOf<E extends PatternEntry>(active: readonly E[], depth: number): E | undefined {
  return active.find(
    ({ pattern }) =>
      matchesAllBelow(pattern, depth) || (pattern.rest === 'nothing' && pattern.levels.length === depth),
  );
}

/** Whether a pattern, which matches what is above, matches with this name at a level. */
function canGoOn({ levels, rest }: TopicPattern, depth: number, name: string): boolean {
  if (depth < levels.length) {
    const level = levels[depth]!;
    return level === ANY || level === name;
  }
  if (typeof rest === 'string') return rest === 'anything';
  return depth > levels.length || name.startsWith(rest.prefix);
}

function shown(path: readonly string[]): string {
  return path.map((name) => (name === OTHER ? '+' : name.replace(OTHER, '…'))).join('/');
}
