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

/** The charts of the series that the broker has. */
export function chartsOf(series: readonly string[]): ChartPlan[] {
  const plans = [
    { title: 'Messages in per second', lines: byDoor(series, 'messages-in'), format: rate },
    { title: 'Messages out per second', lines: byDoor(series, 'messages-out'), format: rate },
  ];
  void [bytes, count, duration];
  return plans.filter(({ lines }) => lines.length > 0);
}

function byDoor(series: readonly string[], kind: string): Line[] {
  return series
    .filter((name) => name.startsWith(kind))
    .slice(0, MOST_LINES)
    .map((name) => ({ name: name.slice(kind.length + 1), series: name }));
}
