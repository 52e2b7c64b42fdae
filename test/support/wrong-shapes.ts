/** A number of JSON that is beyond all numbers: it is read as infinity. */
const HUGE = '@huge';

const WRONG_NUMBERS: readonly unknown[] = [-1, 0.5, 2 ** 53, HUGE];
const WRONG: readonly unknown[] = [null, [], {}, [null], true];

/**
 * Texts of JSON that have the shape of a value but for one place in it: there is nothing, something of another type, or a number
 * that nobody counts to.
 */
export function wrongShapes(value: object): string[] {
  return [...WRONG, 5, 'x', ...wrongIn(value)].map(jsonOf);
}

/** The text of a value in which {@link HUGE} may stand for a number. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value).replaceAll(`"${HUGE}"`, '1e999');
}

function* wrongIn(value: object): Generator<unknown> {
  const set = (key: string, other: unknown) =>
    Array.isArray(value)
      ? value.map((each, index) => (String(index) === key ? other : each))
      : { ...value, [key]: other };
  for (const [key, there] of Object.entries(value)) {
    for (const other of othersThan(there)) yield set(key, other);
    if (!Array.isArray(value)) yield set(key, undefined);
    if (typeof there === 'object' && there !== null)
      for (const other of wrongIn(there)) yield set(key, other);
  }
}

function othersThan(there: unknown): unknown[] {
  if (typeof there === 'number') return [...WRONG, ...WRONG_NUMBERS, 'x', String(there)];
  if (typeof there === 'string') return [...WRONG, 5];
  if (typeof there === 'boolean') return [null, [], {}, 5, 'true'];
  const isList = Array.isArray(there);
  return [null, isList ? {} : [], isList ? { length: 1 } : [there], true, 5, 'x', isList ? [null] : 0];
}
