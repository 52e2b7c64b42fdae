import type { TopicFacts } from '../api/types.ts';

/** The children of one topic that are loaded so far. */
export interface Level {
  children: readonly TopicFacts[];
  /** The mark behind which more of them begin. */
  next?: string;
  isLoading?: boolean;
  problem?: string;
}

/** The levels that are open, by what stands before their topics: `''`, `sensors/`. */
export type Levels = ReadonlyMap<string, Level>;

/** One row of a tree that is drawn. */
export type Row =
  | {
      kind: 'topic';
      key: string;
      depth: number;
      topic: TopicFacts;
      isOpen: boolean;
      position: number;
      size: number;
    }
  | { kind: 'more' | 'loading' | 'problem'; key: string; depth: number; under: string; text: string };

/** What stands before the topics below one. */
export function underOf(topic: string): string {
  return `${topic}/`;
}

/** All rows of the levels that are open, from above to below. */
export function rowsOf(levels: Levels, open: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  addRows(rows, levels, open, { under: '', depth: 1 });
  return rows;
}

function addRows(
  rows: Row[],
  levels: Levels,
  open: ReadonlySet<string>,
  { under, depth }: { under: string; depth: number },
): void {
  const level = levels.get(under);
  if (level === undefined) {
    rows.push({ kind: 'loading', key: `${under}\0loading`, depth, under, text: 'Loading …' });
    return;
  }
  const { next, problem } = level;
  const children = under === '' ? ownLast(level.children) : level.children;
  children.forEach((topic, index) => {
    const isOpen = topic.hasChildren && open.has(underOf(topic.topic));
    const position = index + 1;
    // A level that is not whole has a size that nobody knows: -1, as ARIA has it.
    const size = next === undefined ? children.length : -1;
    rows.push({ kind: 'topic', key: `${depth}\0${topic.topic}`, depth, topic, isOpen, position, size });
    if (isOpen) addRows(rows, levels, open, { under: underOf(topic.topic), depth: depth + 1 });
  });
  if (problem !== undefined)
    rows.push({ kind: 'problem', key: `${under}\0problem`, depth, under, text: problem });
  if (next !== undefined)
    rows.push({ kind: 'more', key: `${under}\0more`, depth, under, text: 'Show more topics' });
}

/** What the broker publishes itself stands behind what others do. */
function ownLast(topics: readonly TopicFacts[]): readonly TopicFacts[] {
  const isOwn = ({ name }: TopicFacts) => name.startsWith('$');
  return [...topics.filter((each) => !isOwn(each)), ...topics.filter(isOwn)];
}

/** A level with newer facts of topics that it has, and with topics that it did not have. */
export function withNewer(level: Level, newer: readonly TopicFacts[]): Level {
  const byTopic = new Map(newer.map((each) => [each.topic, each]));
  const children = level.children.map((each) => byTopic.get(each.topic) ?? each);
  const known = new Set(level.children.map(({ topic }) => topic));
  const added = newer.filter(({ topic }) => !known.has(topic));
  if (added.length === 0) return { ...level, children };
  const all = [...children, ...added].sort((one, other) => compare(one.name, other.name));
  return { ...level, children: all };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
