/** The time as strftime of C writes it in the locale `C`, by a letter. */
export function strftime(letter: string, time: Date): string | undefined {
  return Object.hasOwn(LETTERS, letter) ? LETTERS[letter]!(time) : undefined;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];
const DAY_MS = 86_400_000;

const two = (value: number, pad = '0') => String(value).padStart(2, pad);
const all = (letters: string, time: Date) =>
  letters.replace(/[a-zA-Z]/g, (letter) => strftime(letter, time)!);
const hours12 = (time: Date) => time.getHours() % 12 || 12;
const noon = (time: Date) => (time.getHours() < 12 ? 'AM' : 'PM');

const LETTERS: Record<string, (time: Date) => string> = {
  a: (time) => DAYS[time.getDay()]!.slice(0, 3),
  A: (time) => DAYS[time.getDay()]!,
  b: (time) => MONTHS[time.getMonth()]!.slice(0, 3),
  B: (time) => MONTHS[time.getMonth()]!,
  c: (time) => all('a b e H:M:S Y', time),
  C: (time) => two(Math.floor(time.getFullYear() / 100)),
  d: (time) => two(time.getDate()),
  D: (time) => all('m/d/y', time),
  e: (time) => two(time.getDate(), ' '),
  F: (time) => all('Y-m-d', time),
  g: (time) => two(isoWeek(time).year % 100),
  G: (time) => String(isoWeek(time).year),
  h: (time) => strftime('b', time)!,
  H: (time) => two(time.getHours()),
  I: (time) => two(hours12(time)),
  j: (time) => String(dayOfYear(time) + 1).padStart(3, '0'),
  k: (time) => two(time.getHours(), ' '),
  l: (time) => two(hours12(time), ' '),
  m: (time) => two(time.getMonth() + 1),
  M: (time) => two(time.getMinutes()),
  n: () => '\n',
  p: noon,
  P: (time) => noon(time).toLowerCase(),
  r: (time) => `${all('I:M:S', time)} ${noon(time)}`,
  R: (time) => all('H:M', time),
  s: (time) => String(Math.floor(time.getTime() / 1000)),
  S: (time) => two(time.getSeconds()),
  t: () => '\t',
  T: (time) => all('H:M:S', time),
  u: (time) => String(time.getDay() || 7),
  U: (time) => two(Math.floor((dayOfYear(time) + 7 - time.getDay()) / 7)),
  V: (time) => two(isoWeek(time).week),
  w: (time) => String(time.getDay()),
  W: (time) => two(Math.floor((dayOfYear(time) + 7 - ((time.getDay() + 6) % 7)) / 7)),
  x: (time) => all('m/d/y', time),
  X: (time) => all('H:M:S', time),
  y: (time) => two(time.getFullYear() % 100),
  Y: (time) => String(time.getFullYear()),
  z: offset,
  Z: (time) => /\(?([A-Z]{2,5})\)?$/.exec(zoneName(time))?.[1] ?? offset(time),
  '%': () => '%',
};

/** Counted from 0; days of this zone have 23 to 25 hours. */
function dayOfYear(time: Date): number {
  const [day, first] = [time.getDate(), 1].map((date, index) =>
    Date.UTC(time.getFullYear(), index === 0 ? time.getMonth() : 0, date),
  );
  return Math.round((day! - first!) / DAY_MS);
}

/** The week of ISO 8601, which has its Thursday in its year. */
function isoWeek(time: Date): { year: number; week: number } {
  const thursday = new Date(time.getFullYear(), time.getMonth(), time.getDate() + 4 - (time.getDay() || 7));
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

function offset(time: Date): string {
  const minutes = -time.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

function zoneName(time: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(time);
  return parts.find(({ type }) => type === 'timeZoneName')!.value;
}
