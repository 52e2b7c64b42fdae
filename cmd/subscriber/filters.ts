import { micromatch } from '../../internal/lib/micromatch.ts';
import { parseReplay } from '../../internal/live/replay-filter.ts';
import { filterProblem, matchesFilter, replayFilter } from '../../internal/topic.ts';
import type { ReplayFrom } from '../../pkg/client/index.ts';
import { UsageError } from '../cli/options/program.ts';

const REMEMBERED_TOPICS = 10_000;

/** @throws UsageError where a filter is missing or breaks the rules. */
export function filtersOf(filters: readonly string[]): readonly string[] {
  if (filters.length === 0) throw new UsageError('-topic is missing: what to subscribe to');
  for (const filter of filters) {
    const problem = filterProblem(filter);
    if (problem !== undefined) throw new UsageError(`-topic '${filter}': ${problem}`);
  }
  return [...new Set(filters)];
}

/**
 * Whether a topic matches one of the globs, without globs all do, and none of the filters that are left out.
 *
 * @throws UsageError where a glob or a filter is none.
 */
export function topicMatcher(
  globs: readonly string[],
  except: readonly string[] = [],
): (topic: string) => boolean {
  for (const filter of except) {
    const problem = filterProblem(filter);
    if (problem !== undefined) throw new UsageError(`-except '${filter}': ${problem}`);
  }
  if (globs.length === 0 && except.length === 0) return () => true;
  const matchers = globs.map(matcherOf);
  const isWanted = (topic: string) =>
    (globs.length === 0 || matchers.some((matches) => matches(topic))) &&
    !except.some((filter) => matchesFilter(filter, topic));
  const known = new Map<string, boolean>();
  return (topic) => {
    let isMatch = known.get(topic);
    if (isMatch === undefined) {
      isMatch = isWanted(topic);
      if (known.size >= REMEMBERED_TOPICS) known.clear();
      known.set(topic, isMatch);
    }
    return isMatch;
  };
}

function matcherOf(glob: string): (topic: string) => boolean {
  try {
    return micromatch().matcher(glob, { dot: true });
  } catch (error) {
    throw new UsageError(`-match '${glob}': ${(error as Error).message}`);
  }
}

/** @throws UsageError where a replay cannot begin there. */
export function startOf(from: string | undefined): ReplayFrom | undefined {
  if (from === undefined) return undefined;
  const request = parseReplay(replayFilter(from, '#'), Date.now());
  if (typeof request === 'string') throw new UsageError(`-from '${from}': ${request}`);
  return from as ReplayFrom;
}
