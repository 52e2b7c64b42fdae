/** Whether a value from outside is what it has to be. Fields that are not asked for may be there: later versions add some. */
export type Shape<T> = (value: unknown) => value is T;

export const isText = (value: unknown): value is string => typeof value === 'string';
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
/** As JSON has them: not infinite. */
export const isNumber = (value: unknown): value is number => Number.isFinite(value);
export const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
/** A count, an offset, a number that begins with 0. */
export const isCount = (value: unknown): value is number => isInteger(value) && value >= 0;

/** The count that some digits say; undefined where they say none. */
export function countOf(text: string): number | undefined {
  return /^\d+$/.test(text) && isCount(Number(text)) ? Number(text) : undefined;
}

/** 16 bytes as base64: the id of a topic. */
export const isTopicId = (value: unknown): value is string =>
  isText(value) && /^[A-Za-z0-9+/]{22}==$/.test(value);

/** A whole number from one to another. */
export function within(least: number, most: number): Shape<number> {
  return (value): value is number => isInteger(value) && value >= least && value <= most;
}

export function oneOf<T>(values: ReadonlySet<T>): Shape<T> {
  return (value): value is T => values.has(value as T);
}

/** It may be missing. */
export function optional<T>(is: Shape<T>): Shape<T | undefined> {
  return (value): value is T | undefined => value === undefined || is(value);
}

export function listOf<T>(is: Shape<T>): Shape<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every((each) => is(each));
}

/** An object as a table: any names, with values of one shape. */
export function tableOf<T>(is: Shape<T>): Shape<Record<string, T>> {
  return (value): value is Record<string, T> =>
    isObject(value) && Object.values(value).every((each) => is(each));
}

/** An object with all these fields. */
export function objectOf<T extends object>(
  fields: { readonly [Name in keyof T]-?: Shape<T[Name]> },
): Shape<T> {
  const all = Object.entries(fields) as [string, Shape<unknown>][];
  return (value): value is T => isObject(value) && all.every(([name, is]) => is(value[name]));
}

/**
 * What JSON in UTF-8 says, if it has a shape.
 *
 * @param what it has to be, in the words of the error: "a beat of a node".
 * @throws SyntaxError where it is no JSON, TypeError where it has another shape.
 */
export function jsonAs<T>(is: Shape<T>, bytes: Uint8Array, what: string): T {
  return checked(is, JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()), what);
}

/** The same for what is a value already. @throws TypeError */
export function checked<T>(is: Shape<T>, value: unknown, what: string): T {
  if (!is(value)) throw new TypeError(`it is not ${what}`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
