const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A point in time such as `2026-01-31`, `2026-01-31T12:00:00` or `2026-01-31T12:00:00.5+02:00`; UTC without a zone.
 *
 * @returns milliseconds since 1970, or undefined where the text is none.
 */
export function instantOf(text: string): number | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(text);
  if (parts === null) return undefined;
  const [, date, time = '00:00', zone = 'Z'] = parts;
  if (!isDay(date)) return undefined;
  const instant = Date.parse(`${date}T${time}${zone.replace(/(\d\d)(\d\d)$/, '$1:$2')}`);
  return Number.isNaN(instant) ? undefined : instant;
}

/** The runtime takes 30 February for 1 March. */
function isDay(day: string): boolean {
  const date = new Date(day);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}

/**
 * A length of time such as `90s`, `1.5h`, `7d` or, as Kafka's tools have it, `P1DT2H3M4S`.
 *
 * @returns milliseconds, or undefined where the text is none.
 */
export function durationOf(text: string): number | undefined {
  const simple = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (simple !== null) return Math.round(Number(simple[1]) * UNIT_MS[simple[2]]);
  const parts = /^P(?=.)(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(text);
  if (parts === null) return undefined;
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = parts;
  return Math.round(
    ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000,
  );
}
