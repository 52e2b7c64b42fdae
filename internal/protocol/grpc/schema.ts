/**
 * Messages of Protocol Buffers as tables: reader, writer and descriptors walk the same one, so they cannot disagree.
 * Only what our services need: proto3, without maps and extensions.
 */

/** What a field holds; a message type stands for itself. */
export type FieldType =
  | 'string'
  | 'bytes'
  | 'int32'
  | 'int64'
  | 'bool'
  | 'double'
  | 'fixed64'
  | 'fixed32'
  | EnumType
  | MessageType;

export interface Field {
  readonly number: number;
  readonly type: FieldType;
  readonly isRepeated: boolean;
  /** Its elements are written one behind the other, under one tag. */
  readonly isPacked?: boolean;
  /** The oneof that it belongs to. */
  readonly oneof?: string;
}

/** Fields by their names in TypeScript: `startOffset` for `start_offset`. */
export type Fields = Readonly<Record<string, Field>>;

export interface MessageType<F extends Fields = Fields> {
  readonly kind: 'message';
  /** With its package, such as `smq.ProduceRequest`. */
  readonly name: string;
  readonly fields: F;
  readonly byNumber: ReadonlyMap<number, readonly [name: string, field: Field]>;
}

/** An enumeration; in values it is the number. */
export interface EnumType<N extends string = string> {
  readonly kind: 'enum';
  readonly name: string;
  readonly values: Readonly<Record<N, number>>;
}

/** What a method takes and gives, and whether as a stream. */
export interface MethodType {
  readonly name: string;
  readonly request: MessageType;
  readonly response: MessageType;
  readonly clientStreams?: boolean;
  readonly serverStreams?: boolean;
}

export interface ServiceType {
  /** With its package, such as `smq.SuhaibMessageQueue`. */
  readonly name: string;
  readonly methods: readonly MethodType[];
}

/** A .proto file. */
export interface ProtoFile {
  readonly path: string;
  readonly packageName: string;
  readonly goPackage?: string;
  readonly messages: readonly MessageType[];
  /** Messages that lie inside another one, by the name of that one. */
  readonly nestedEnums?: Readonly<Record<string, readonly EnumType[]>>;
  readonly services: readonly ServiceType[];
}

type ScalarValue<T extends FieldType> = T extends 'string'
  ? string
  : T extends 'bytes'
    ? Uint8Array
    : T extends 'int32' | 'double' | 'fixed32' | EnumType
      ? number
      : T extends 'int64' | 'fixed64'
        ? bigint
        : T extends 'bool'
          ? boolean
          : T extends MessageType<infer F>
            ? ValueOf<F> | undefined
            : never;

type Elements<T extends FieldType> = Exclude<ScalarValue<T>, undefined>[];

/** A message that was read: every field is there; a message field or a field of a oneof may be undefined. */
export type ValueOf<F extends Fields> = {
  [Name in keyof F]: F[Name] extends { isRepeated: true; type: infer T extends FieldType }
    ? Elements<T>
    : F[Name] extends { oneof: string; type: infer T extends FieldType }
      ? ScalarValue<T> | undefined
      : F[Name] extends { type: infer T extends FieldType }
        ? ScalarValue<T>
        : never;
};

/** The value of a message type. */
export type MessageOf<T extends MessageType> = T extends MessageType<infer F> ? ValueOf<F> : never;

type Loose<T> = T extends bigint
  ? bigint | number
  : T extends Uint8Array | string | number | boolean | undefined
    ? T
    : T extends (infer E)[]
      ? Loose<E>[]
      : { [Name in keyof T]?: Loose<T[Name]> };

/** A message that is to be written: what is left out has its default. */
export type NewMessageOf<T extends MessageType> = {
  [Name in keyof MessageOf<T>]?: Loose<MessageOf<T>[Name]>;
};

export function message<const F extends Fields>(name: string, fields: F): MessageType<F> {
  const byNumber = new Map(Object.entries(fields).map((entry) => [entry[1].number, entry]));
  return { kind: 'message', name, fields, byNumber };
}

export function enumeration<N extends string>(
  name: string,
  values: Readonly<Record<N, number>>,
): EnumType<N> {
  return { kind: 'enum', name, values };
}

export function field<const T extends FieldType>(number: number, type: T) {
  return { number, type, isRepeated: false } as const;
}

export function repeated<const T extends FieldType>(number: number, type: T) {
  return { number, type, isRepeated: true } as const;
}

/** A repeated field of numbers, as proto3 writes it. */
export function packed<const T extends FieldType>(number: number, type: T) {
  return { number, type, isRepeated: true, isPacked: true } as const;
}

/** A field of which at most one of its oneof is there. */
export function oneOf<const T extends FieldType>(oneof: string, number: number, type: T) {
  return { number, type, isRepeated: false, oneof } as const;
}

/** `startOffset` as it is called in a .proto file. */
export function protoName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export const WireType = {
  varint: 0,
  fixed64: 1,
  delimited: 2,
  groupStart: 3,
  groupEnd: 4,
  fixed32: 5,
} as const;

/** How a field of this type lies on the wire. */
export function wireTypeOf(type: FieldType): number {
  if (typeof type === 'object') return type.kind === 'message' ? WireType.delimited : WireType.varint;
  switch (type) {
    case 'string':
    case 'bytes':
      return WireType.delimited;
    case 'double':
    case 'fixed64':
      return WireType.fixed64;
    case 'fixed32':
      return WireType.fixed32;
    default:
      return WireType.varint;
  }
}
