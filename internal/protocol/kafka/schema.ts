/**
 * The notation in which Kafka's messages are written down, and the types of their values.
 *
 * A message is a list of named fields in the order of the wire. A field says its type, the versions that have
 * it (all of them, unless said), the versions in which it may be null (none), its default, and its tag where
 * it is a tagged field, which it then is in every version that has it. Versions within a struct need only be
 * said where they are fewer than those of the struct itself.
 *
 *     const fields = {
 *       name: string({ versions: '0-12' }),
 *       topicId: uuid({ versions: '13+' }),
 *       partitions: array(struct({ index: int32(), records: records({ nullable: true }) })),
 *     };
 *
 * Values:
 * - `int64` is a number: exact up to 2^53, beyond that the nearest double, so that order is kept.
 *   {@link INT64_MAX} stands for the greatest int64 and is written as such. Nothing in the protocol that
 *   must be exact (offsets, timestamps, producer ids, sizes) comes near 2^53 on a broker that gave it out.
 * - `uuid` is text as Kafka's own tools print it: 22 characters of URL-safe base64.
 * - `string` is UTF-8; bytes that are not become U+FFFD, as in Kafka.
 * - `bytes` are a copy of the input, `records` a view of it.
 * - A field that a version does not have is read as its default and not written at all. A default that is not
 *   said is 0, false, the empty string, no bytes, the empty list, {@link ZERO_UUID}, or for a struct all its
 *   own defaults; null only where it is said.
 */

/** `3+`, `3-12` or `3`: which versions of its message have a field, or let it be null. */
export type VersionNotation = `${number}` | `${number}+` | `${number}-${number}`;

/** First and last version, both included; no end is Infinity. */
export interface Versions {
  readonly min: number;
  readonly max: number;
}

export interface FieldOptions<T> {
  /** The versions that have the field. */
  versions?: VersionNotation;
  /** The versions in which it may be null; `true` for all that have it. */
  nullable?: true | VersionNotation;
  default?: T | null;
  /** The number of a tagged field. */
  tag?: number;
  /** Keeps the two-byte length before a string in flexible versions too. */
  classic?: true;
}

export type ScalarType =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'varint'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records';

interface FieldBase {
  readonly versions: Versions;
  /** The versions in which it may be null. */
  readonly nullable: Versions;
  /** Undefined where the notation does not say one. */
  readonly default: unknown;
  readonly tag: number | undefined;
  readonly isClassic: boolean;
}

export interface ScalarField extends FieldBase {
  readonly kind: 'scalar';
  readonly type: ScalarType;
}

export interface ArrayField extends FieldBase {
  readonly kind: 'array';
  readonly element: Field;
}

export interface StructField extends FieldBase {
  readonly kind: 'struct';
  readonly fields: Fields;
}

export type Field = ScalarField | ArrayField | StructField;
export type Fields = Readonly<Record<string, Field>>;

/** A message with all its versions. */
export interface Message<F extends Fields = Fields> {
  readonly name: string;
  readonly versions: Versions;
  /** The first version with compact lengths and tagged fields; Infinity where none has them. */
  readonly flexibleFrom: number;
  readonly fields: F;
}

/** One API: what is asked, what is answered, and in which versions. */
export interface Api<Request extends Fields = Fields, Response extends Fields = Fields> {
  readonly key: number;
  readonly name: string;
  /** The versions that have a schema: what Apache Kafka 4.3 serves. */
  readonly validVersions: Versions;
  /** The first version that ApiVersions names, which for Produce is lower than what is served. */
  readonly advertisedFrom: number;
  /** The first version with compact lengths and tagged fields; Infinity where none has them. */
  readonly flexibleFrom: number;
  readonly request: Message<Request>;
  readonly response: Message<Response>;
}

/** The value that reading a message gives: every field, with its default where the version has none. */
export type ValueOf<M extends Message> = StructValue<M['fields']>;
/** The value that writing a message takes: fields with a default, with a tag, or of some versions only, may be left out. */
export type InputOf<M extends Message> = StructInput<M['fields']>;
/** The value of a request that was read. */
export type RequestOf<A extends Api> = ValueOf<A['request']>;
/** The value that a response is written from. */
export type ResponseOf<A extends Api> = InputOf<A['response']>;

declare const types: unique symbol;
/** A field that remembers the types of its values, and whether it may be left out when writing. */
export type Typed<Value, Input, IsOptional extends boolean> = {
  readonly [types]?: { value: Value; input: Input; isOptional: IsOptional };
};

type TypesOf<F> = F extends { readonly [types]?: infer T } ? NonNullable<T> : never;
type Member<F, Name extends 'value' | 'input'> = TypesOf<F> extends Record<Name, infer T> ? T : never;
export type StructValue<F extends Fields> = { readonly [K in keyof F]: Member<F[K], 'value'> };
export type StructInput<F extends Fields> = {
  readonly [K in keyof F as IsOptional<F[K], K, never>]: Member<F[K], 'input'>;
} & { readonly [K in keyof F as IsOptional<F[K], never, K>]?: Member<F[K], 'input'> };
type IsOptional<F, Required, Optional> = TypesOf<F> extends { isOptional: true } ? Optional : Required;

type NoOptions = Record<never, never>;
type NullOf<O> = O extends { nullable: true | VersionNotation } ? null : never;
type MayBeLeftOut<O> = O extends { default: unknown } | { versions: VersionNotation } | { tag: number }
  ? true
  : false;
type TypedAs<Kind extends Field, Value, Input, O> = Kind &
  Typed<Value | NullOf<O>, Input | NullOf<O>, MayBeLeftOut<O>>;

/** Those of a field that does not say any: as many as its struct has. */
const ALL_VERSIONS: Versions = { min: 0, max: Number.POSITIVE_INFINITY };
const NO_VERSIONS: Versions = { min: Number.POSITIVE_INFINITY, max: -1 };

/** Stands for the greatest int64, 2^63 - 1, which is no double. */
export const INT64_MAX = 2 ** 63;
/** The id that stands for none. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';

/**
 * Writes down an API whose request and response share versions, as all of Kafka's do.
 *
 * @throws RangeError for a range of versions that is none.
 */
export function defineApi<Request extends Fields, Response extends Fields>(api: {
  key: number;
  name: string;
  validVersions: VersionNotation;
  advertisedFrom?: number;
  flexibleFrom?: number;
  request: Request;
  response: Response;
}): Api<Request, Response> {
  const validVersions = parseVersions(api.validVersions);
  const flexibleFrom = api.flexibleFrom ?? Number.POSITIVE_INFINITY;
  return {
    key: api.key,
    name: api.name,
    validVersions,
    advertisedFrom: api.advertisedFrom ?? validVersions.min,
    flexibleFrom,
    request: { name: `${api.name} request`, versions: validVersions, flexibleFrom, fields: api.request },
    response: { name: `${api.name} response`, versions: validVersions, flexibleFrom, fields: api.response },
  };
}

/**
 * Writes down a message that belongs to no API.
 *
 * @throws RangeError for a range of versions that is none.
 */
export function defineMessage<F extends Fields>(message: {
  name: string;
  versions: VersionNotation;
  flexibleFrom?: number;
  fields: F;
}): Message<F> {
  return {
    name: message.name,
    versions: parseVersions(message.versions),
    flexibleFrom: message.flexibleFrom ?? Number.POSITIVE_INFINITY,
    fields: message.fields,
  };
}

export const bool = scalar<boolean>('bool');
export const int8 = scalar<number>('int8');
export const int16 = scalar<number>('int16');
export const uint16 = scalar<number>('uint16');
export const int32 = scalar<number>('int32');
export const uint32 = scalar<number>('uint32');
export const int64 = scalar<number>('int64');
/** A signed 32-bit number in zigzag encoding, one to five bytes. */
export const varint = scalar<number>('varint');
export const float64 = scalar<number>('float64');
export const string = scalar<string>('string');
export const uuid = scalar<string>('uuid');
export const bytes = scalar<Uint8Array>('bytes');
/** Record batches, which may be written from several pieces. */
export const records = scalar<Uint8Array, Uint8Array | readonly Uint8Array[]>('records');

export function array<
  E extends Field & Typed<unknown, unknown, boolean>,
  const O extends FieldOptions<never[]>,
>(
  element: E,
  options?: O,
): TypedAs<ArrayField, readonly Member<E, 'value'>[], readonly Member<E, 'input'>[], O>;
export function array<E extends Field & Typed<unknown, unknown, boolean>>(
  element: E,
): TypedAs<ArrayField, readonly Member<E, 'value'>[], readonly Member<E, 'input'>[], NoOptions>;
export function array(element: Field, options: FieldOptions<never[]> = {}): ArrayField {
  return { kind: 'array', element, ...base(options) };
}

export function struct<F extends Fields, const O extends FieldOptions<never>>(
  fields: F,
  options: O,
): TypedAs<StructField, StructValue<F>, StructInput<F>, O>;
export function struct<F extends Fields>(
  fields: F,
): TypedAs<StructField, StructValue<F>, StructInput<F>, NoOptions>;
export function struct(fields: Fields, options: FieldOptions<never> = {}): StructField {
  return { kind: 'struct', fields, ...base(options) };
}

function scalar<Value, Input = Value>(type: ScalarType) {
  return <const O extends FieldOptions<Value> = NoOptions>(
    options?: O,
  ): TypedAs<ScalarField, Value, Input, O> => ({ kind: 'scalar', type, ...base(options ?? {}) });
}

function base(options: FieldOptions<unknown>): FieldBase {
  const versions = options.versions === undefined ? ALL_VERSIONS : parseVersions(options.versions);
  return {
    versions,
    nullable: nullableVersions(options.nullable, versions),
    default: options.default,
    tag: options.tag,
    isClassic: options.classic === true,
  };
}

function nullableVersions(nullable: FieldOptions<unknown>['nullable'], versions: Versions): Versions {
  if (nullable === undefined) return NO_VERSIONS;
  return nullable === true ? versions : parseVersions(nullable);
}

/** @throws RangeError for a range of versions that is none. */
export function parseVersions(notation: VersionNotation): Versions {
  const parts = /^(\d+)(?:(\+)|-(\d+))?$/.exec(notation);
  if (parts === null) throw new RangeError(`${notation} is no range of versions`);
  const min = Number(parts[1]);
  const max = parts[2] === '+' ? Number.POSITIVE_INFINITY : Number(parts[3] ?? parts[1]);
  if (max < min) throw new RangeError(`${notation} is no range of versions`);
  return { min, max };
}

export function includes(versions: Versions, version: number): boolean {
  return version >= versions.min && version <= versions.max;
}
