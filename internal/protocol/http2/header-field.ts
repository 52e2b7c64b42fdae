/** What a field costs in a table or list beside its bytes (RFC 7541, section 4.1). */
const FIELD_OVERHEAD_BYTES = 32;

/** A name and a value, both with one character for each byte. */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** What it counts in a table or list. */
  readonly sizeBytes: number;
  #problem: string | null | undefined;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
    this.sizeBytes = name.length + value.length + FIELD_OVERHEAD_BYTES;
  }

  /** What is wrong with it in a request; found once for a field that a table remembers. */
  get problem(): string | undefined {
    if (this.#problem === undefined) this.#problem = problemOf(this) ?? null;
    return this.#problem ?? undefined;
  }
}

/** Fields that belong to one connection of HTTP/1 (RFC 9113, section 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** A name as HTTP/2 has it, with the colon of what is no field but a part of the request (RFC 9113, section 8.2.1). */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Values have no line breaks and no NUL, and no space at either end (RFC 9113, section 8.2.1). */
const BAD_VALUE = /[\0\r\n]|^[ \t]|[ \t]$/;

function problemOf({ name, value }: HeaderField): string | undefined {
  if (!NAME.test(name)) return `the field name ${JSON.stringify(name.slice(0, 40))}`;
  if (BAD_VALUE.test(value)) return `the value of ${name}`;
  if (CONNECTION_FIELDS.has(name)) return `the field ${name}`;
  if (name === 'te' && value !== 'trailers') return 'a field te that is not trailers';
  return undefined;
}
