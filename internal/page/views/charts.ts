import type { History } from '../api/types.ts';
import { bytes, count, duration, rate } from '../lib/format.ts';
import type { Line } from '../parts/line.ts';

/** A chart of the overview: which series of the history it draws. */
export interface ChartPlan {
  title: string;
  lines: readonly Line[];
  format(value: number): string;
}

/** Lines of one chart, at most: more colours nobody tells apart. */
const MOST_LINES = 6;

/** The charts of what the broker has measured. */
export function chartsOf({ series }: Pick<History, 'series'>): ChartPlan[] {
  const byDoor = (kind: string) => busy(series, doorLines(Object.keys(series), `${kind}.`));
  const some = (lines: Readonly<Record<string, string>>) =>
    Object.entries(lines)
      .filter(([, name]) => series[name] !== undefined)
      .map(([name, each], colour) => ({ name, series: each, colour }));
  return [
    { title: 'Messages in per second', lines: byDoor('messagesInPerSecond'), format: rate },
    { title: 'Messages out per second', lines: byDoor('messagesOutPerSecond'), format: rate },
    {
      title: 'Dropped and refused per second',
      lines: some({ dropped: 'droppedPerSecond', refused: 'refusedPerSecond' }),
      format: rate,
    },
    { title: 'Waiting in sessions', lines: some({ messages: 'waitingMessages' }), format: count },
    {
      title: 'Delay of the event loop',
      lines: some({ '99 of 100 turns': 'eventLoopDelayMs' }),
      format: duration,
    },
    { title: 'Memory and store', lines: some({ memory: 'heapBytes', store: 'storeBytes' }), format: bytes },
  ].filter(({ lines }) => lines.length > 0);
}

/** A line for each door: `messagesInPerSecond.mqtt`. */
function doorLines(names: readonly string[], prefix: string): Line[] {
  return names
    .filter((name) => name.startsWith(prefix))
    .slice(0, MOST_LINES)
    .map((name, colour) => ({ name: name.slice(prefix.length), series: name, colour }));
}

/** The lines on which something happened, or one of them where nothing did. */
function busy(series: History['series'], lines: readonly Line[]): readonly Line[] {
  const some = lines.filter((line) => series[line.series]?.some((value) => (value ?? 0) > 0));
  return some.length > 0 ? some : lines.slice(0, 1);
}
