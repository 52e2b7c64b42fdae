import type { PartitionLog } from '../log/partition-log.ts';
import { filterProblem } from '../topic.ts';

/** The beginning of a replay. */
export type ReplayStart =
  | { kind: 'earliest' }
  | { kind: 'latest' }
  | { kind: 'offset'; offset: number }
  | { kind: 'time'; timeMs: number };

/** The offset from which one partition is read, and the records that are left out. */
export interface ReadFrom {
  offset: number;
  /** Messages from before this time are left out; `-Infinity` for none. */
  sinceMs: number;
}

export interface ReplayRequest {
  start: ReplayStart;
  /** Which topics. */
  filter: string;
  /** The places that an earlier replay came to. Such a partition is read from there, whatever `start` says. */
  positions?: ReadonlyMap<PartitionLog, ReadFrom>;
  /** Whether it goes on with that earlier replay, so that partitions without a position are new and wanted as a whole. */
  goesOn?: boolean;
  /** Whether its reader may have messages of a topic; asked where a filter may be wider than that. Default: yes. */
  mayGet?: (topic: string) => boolean;
}

const PREFIX = '$replay/';
const ISO_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;
const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Whether a filter asks for history: `$replay/<start>/<filter>`. */
export function isReplay(filter: string): boolean {
  return filter.startsWith(PREFIX) || filter === '$replay';
}

/**
 * Takes `$replay/<start>/<filter>` apart. The start is `earliest`, `latest`, an offset, a time ago (`-1h`, `-30m`), or an
 * ISO time.
 *
 * @returns what is wrong with it, as a text, where something is.
 */
export function parseReplay(filter: string, nowMs: number): ReplayRequest | string {
  const [, from, wanted] = /^\$replay\/([^/]+)\/(.+)$/s.exec(filter) ?? [];
  if (from === undefined || wanted === undefined) return 'a replay is $replay/START/FILTER';
  const start = parseStart(from, nowMs);
  if (start === undefined) {
    return 'a replay starts at earliest, latest, an offset, a time ago such as -1h, or an ISO time';
  }
  const problem = filterProblem(wanted);
  if (problem !== undefined) return problem;
  if (wanted.startsWith('$')) return 'a replay is not shared, and the topics of the broker have no history';
  return { start, filter: wanted };
}

/** The start of a replay; undefined where the text is none. */
export function parseStart(text: string, nowMs: number): ReplayStart | undefined {
  if (text === 'earliest' || text === 'latest') return { kind: text };
  if (/^\d{1,15}$/.test(text)) return { kind: 'offset', offset: Number(text) };
  const ago = /^-(\d{1,9}(?:\.\d+)?)([smhd])$/.exec(text);
  if (ago !== null) {
    const timeMs = Math.round(nowMs - Number(ago[1]) * UNIT_MS[ago[2]!]!);
    return { kind: 'time', timeMs: Math.max(0, timeMs) };
  }
  const timeMs = ISO_TIME.test(text) && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : { kind: 'time', timeMs };
}

/** Date.parse takes 30 February for 1 March. */
function isDay(day: string): boolean {
  const date = new Date(day);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}
