import { isReservedTopic } from '../../topic.ts';
import type { Effect } from './rule.ts';
import { isNameless, type Subject, usableName, type Variable, variableIn } from './variables.ts';

/** Which topics a rule is about, for one client. */
export interface TopicPattern {
  /** One entry a level: its text, or {@link ANY} for `+`. */
  readonly levels: readonly Level[];
  /** What may come behind these levels: nothing; anything, nothing too; or a level that begins with a text, and anything. */
  readonly rest: 'nothing' | 'anything' | Prefix;
  /** Whether leading wildcards match names that begin with `$` too, as they do in no filter. */
  readonly matchesHidden?: true;
}

export const ANY = null;
export type Level = string | typeof ANY;
export interface Prefix {
  readonly prefix: string;
}

/** A filter as a pattern. */
export function patternOf(filter: string): TopicPattern {
  return patternOfLevels(filter.split('/').map((level) => (level === '+' ? ANY : level)));
}

function patternOfLevels(levels: Level[]): TopicPattern {
  if (levels.at(-1) !== '#') return { levels, rest: 'nothing' };
  return { levels: levels.slice(0, -1), rest: 'anything' };
}

/** All logs whose names begin with a text: `orders.e` is every topic below `orders` with a level that begins with `e`. */
export function patternOfLogPrefix(prefix: string): TopicPattern {
  const levels = prefix.split('.');
  return { levels: levels.slice(0, -1), rest: { prefix: levels.at(-1)! } };
}

/** The topic of a log. No character of its name is a wildcard. */
export function patternOfLog(name: string): TopicPattern {
  return { levels: name.split('.'), rest: 'nothing' };
}

/** Whether a pattern matches a topic, which is given by its levels. */
export function matchesPattern(pattern: TopicPattern, topic: readonly string[]): boolean {
  const { levels, rest } = pattern;
  if (topic.length < levels.length || (topic.length > levels.length && rest === 'nothing')) return false;
  if (topic[0]!.startsWith('$') && passesOverHidden(pattern)) return false;
  for (let index = 0; index < levels.length; index++) {
    const level = levels[index]!;
    if (level !== ANY && level !== topic[index]) return false;
  }
  if (typeof rest === 'string') return true;
  return topic[levels.length]?.startsWith(rest.prefix) ?? false;
}

/** Whether a pattern matches no name that begins with `$`. */
export function passesOverHidden({ levels, rest, matchesHidden }: TopicPattern): boolean {
  if (matchesHidden) return false;
  return levels.length === 0 ? rest === 'anything' : levels[0] === ANY;
}

/**
 * The patterns of a rule's filter, which are more than one where the filter names topics whose logs have other names: a
 * topic and its log are one resource, so a rule on `sensors.temp` is about `sensors/temp` too, whose log that is.
 *
 * A rule that denies is about more where it is not clear what it is about; one that allows about less.
 */
export function patternsOf(template: TopicTemplate, effect: Effect, who: Subject): TopicPattern[] {
  if (template.some((level) => isVariable(level) && isNameless(level, who))) return [];
  const levels: Level[] = [];
  let isPlain = true;
  for (const level of template) {
    if (!isVariable(level)) {
      levels.push(level);
      continue;
    }
    const value = usableName(level, who);
    if (value === undefined) return effect === 'allow' ? [] : [everythingBelow(levels)];
    // The log of such a name may be that of another user's topic.
    if (logLevels(value)[0] !== value) isPlain = false;
    levels.push(level.before + value + level.after);
  }
  const pattern = patternOfLevels(levels);
  const ofLog = isPlain || effect === 'deny' ? patternOfLogOf(levels, effect) : undefined;
  return ofLog === undefined ? [pattern] : [pattern, ofLog];
}

/** A filter of a rule with its variables. */
export type TopicTemplate = readonly (Level | Variable)[];

export function templateOf(filter: string): TopicTemplate {
  return filter.split('/').map((level) => (level === '+' ? ANY : (variableIn(level) ?? level)));
}

export function hasVariables(template: TopicTemplate): boolean {
  return template.some(isVariable);
}

function isVariable(level: Level | Variable): level is Variable {
  return level !== ANY && typeof level !== 'string';
}

function everythingBelow(levels: readonly Level[]): TopicPattern {
  const pattern: TopicPattern = { levels: [...levels], rest: 'anything' };
  return levels.length === 0 ? { ...pattern, matchesHidden: true } : pattern;
}

/** The pattern of the logs of what a filter matches, named as live topics; undefined where it is the filter itself. */
function patternOfLogOf(levels: readonly Level[], effect: Effect): TopicPattern | undefined {
  const first = levels[0]!;
  if (first !== ANY && isReservedTopic(first)) return undefined;
  const ofLog = levels.flatMap<Level>((level) =>
    level === ANY || level === '#' ? [level] : logLevels(level),
  );
  const wildcard = ofLog.findIndex((level) => level === ANY || level === '#');
  const named = (wildcard < 0 ? ofLog : ofLog.slice(0, wildcard)).join('/');
  if (named.length > MAX_LOG_NAME_CHARACTERS) {
    // Their logs have the beginning of their names, which other topics may have too.
    return effect === 'deny'
      ? patternOfLog(named.slice(0, MAX_LOG_NAME_CHARACTERS).replaceAll('/', '.'))
      : undefined;
  }
  const isSame = ofLog.length === levels.length && ofLog.every((level, index) => level === levels[index]);
  return isSame ? undefined : patternOfLevels(ofLog);
}

/** The longest name that a log has (log/names.ts, which a test compares this with). */
const MAX_LOG_NAME_CHARACTERS = 249;

/** The levels that the log of a topic has in the place of one level: what no log's name has is `_`, and `.` splits. */
function logLevels(level: string): string[] {
  return level.replace(/[^A-Za-z0-9._-]/g, '_').split('.');
}
