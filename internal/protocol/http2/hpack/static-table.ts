import { HeaderField } from '../header-field.ts';

/** The fields that both sides know from the beginning, from index 1 on (RFC 7541, appendix A). */
const FIELDS: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

export const STATIC_TABLE: readonly HeaderField[] = FIELDS.map(
  ([name, value]) => new HeaderField(name, value),
);
/** The index of the first field that does not stand in the static table. */
export const FIRST_DYNAMIC_INDEX = STATIC_TABLE.length + 1;

const indexOfField = new Map<string, number>();
const indexOfName = new Map<string, number>();
for (const [at, { name, value }] of STATIC_TABLE.entries()) {
  indexOfField.set(`${name}\0${value}`, at + 1);
  if (!indexOfName.has(name)) indexOfName.set(name, at + 1);
}

/** The index of a field; 0 where the table does not have it. */
export function staticIndexOf({ name, value }: HeaderField): number {
  return indexOfField.get(`${name}\0${value}`) ?? 0;
}

/** The index of a field of this name; 0 where the table has none. */
export function staticIndexOfName(name: string): number {
  return indexOfName.get(name) ?? 0;
}
