import { replayFilter } from '../../../topic.ts';

/**
 * `$stream/<filter>`: the other way to ask for a replay, in which a user property of SUBSCRIBE says where it starts, as
 * EMQX has it.
 */
const PREFIX = '$stream/';
const OFFSET_PROPERTY = 'stream-offset';
/** Numbers of this many digits are times since 1970: no log is that long. */
const MILLISECOND_DIGITS = 13;
/** EMQX counts its times in microseconds. */
const MICROSECOND_DIGITS = 16;

/** Whether a filter asks for a stream. */
export function isStream(filter: string): boolean {
  return filter.startsWith(PREFIX);
}

/** The same replay as `$replay/<start>/<filter>`; without the property it starts with what comes next. */
export function streamAsReplay(
  filter: string,
  userProperties: readonly [string, string][] | undefined,
): string {
  const offset = userProperties?.findLast(([name]) => name === OFFSET_PROPERTY)?.[1] ?? 'latest';
  return replayFilter(startOf(offset), filter.slice(PREFIX.length));
}

function startOf(offset: string): string {
  // A start is one level. What is more would be taken for a part of the filter, and is refused as it is now.
  if (offset.includes('/')) return offset.replaceAll('/', '_');
  if (!/^\d+$/.test(offset)) return offset;
  if (offset.length === MILLISECOND_DIGITS) return new Date(Number(offset)).toISOString();
  if (offset.length === MICROSECOND_DIGITS) return new Date(Math.floor(Number(offset) / 1000)).toISOString();
  return offset;
}
