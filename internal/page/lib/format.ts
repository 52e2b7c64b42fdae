/** Numbers, sizes and times as people read them. */

const whole = new Intl.NumberFormat('en');
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

/** A place that has no value. */
export const NOTHING = '–';

export function count(value: number | undefined | null): string {
  return value === undefined || value === null ? NOTHING : whole.format(value);
}

/** A rate: whole numbers where there are many, digits where there are few. */
export function rate(perSecond: number | undefined | null): string {
  if (perSecond === undefined || perSecond === null) return NOTHING;
  if (perSecond < 1) return twoDigits.format(perSecond);
  return perSecond >= 100 ? whole.format(Math.round(perSecond)) : oneDigit.format(perSecond);
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(value: number | undefined | null): string {
  if (value === undefined || value === null) return NOTHING;
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${unit === 0 || scaled >= 100 ? Math.round(scaled) : oneDigit.format(scaled)} ${UNITS[unit]}`;
}

const SPANS: readonly [ms: number, name: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
];

/** A span of time in its two largest units. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms < 10 ? twoDigits.format(Math.max(0, ms)) : Math.round(ms)} ms`;
  const words: string[] = [];
  let rest = ms;
  for (const [unitMs, name] of SPANS) {
    const n = Math.floor(rest / unitMs);
    if (n === 0 && words.length === 0) continue;
    if (n > 0) words.push(`${n} ${name}`);
    rest -= n * unitMs;
    if (words.length === 2 || n === 0) break;
  }
  return words.join(' ');
}

/** How long ago something was, said roughly. */
export function ago(time: string | number | undefined, nowMs = Date.now()): string {
  const timeMs = timeOf(time);
  if (timeMs === undefined) return NOTHING;
  const ms = nowMs - timeMs;
  return ms < 1_000 ? 'now' : `${duration(ms).split(' ').slice(0, 2).join(' ')} ago`;
}

/** A time of the clock here, with the day where that is not today. */
export function clock(time: string | number | undefined, nowMs = Date.now()): string {
  const timeMs = timeOf(time);
  if (timeMs === undefined) return NOTHING;
  const date = new Date(timeMs);
  const ofDay = date.toLocaleTimeString('en-GB');
  return date.toDateString() === new Date(nowMs).toDateString() ? ofDay : `${isoDay(date)} ${ofDay}`;
}

function isoDay(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function timeOf(time: string | number | undefined): number | undefined {
  if (time === undefined || time === '') return undefined;
  const timeMs = typeof time === 'number' ? time : Date.parse(time);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** `1 client`, `2 clients`. */
export function many(n: number, one: string, more = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : more}`;
}

/** A name of the program as words: `eventLoop` and `event-loop` become `event loop`. */
export function words(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[-_]/g, ' ')
    .toLowerCase();
}
