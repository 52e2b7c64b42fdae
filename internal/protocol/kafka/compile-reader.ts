import { defaultOf, NO_ELEMENTS } from './defaults.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import type { KafkaReader } from './reader.ts';
import {
  type ArrayField,
  type Field,
  type Fields,
  includes,
  type ScalarField,
  type StructField,
} from './schema.ts';

/** Reads one value. */
export type Read = (reader: KafkaReader) => unknown;

/** The code that reads one field in one version. */
interface FieldReader {
  read: Read;
  /** The fewest bytes that it takes, by which a count of elements is judged. */
  minBytes: number;
}

/** The names of the values that the code of one version reads. */
interface Situation {
  version: number;
  isFlexible: boolean;
}

/** Makes what reads the fields of a message in one of its versions. */
export function compileReader(fields: Fields, version: number, isFlexible: boolean): Read {
  return structReader(fields, { version, isFlexible }).read;
}

function structReader(fields: Fields, situation: Situation): FieldReader {
  const names: string[] = [];
  /** Undefined where a field is not there, or not at its place because it has a tag. */
  const reads: (Read | undefined)[] = [];
  const defaults: unknown[] = [];
  const tagged = new Map<number, { name: string; read: Read }>();
  let minBytes = situation.isFlexible ? 1 : 0;
  for (const [name, field] of Object.entries(fields)) {
    const isThere = includes(field.versions, situation.version);
    const compiled = isThere ? fieldReader(field, situation) : undefined;
    const inPlace = field.tag === undefined ? compiled : undefined;
    names.push(name);
    reads.push(inPlace?.read);
    defaults.push(defaultOf(field));
    minBytes += inPlace?.minBytes ?? 0;
    if (field.tag !== undefined && compiled !== undefined)
      tagged.set(field.tag, { name, read: compiled.read });
  }
  const { length } = names;
  const { isFlexible } = situation;
  const read = (reader: KafkaReader) => {
    // All fields in one order: values of a struct have one shape in every version. Filling an empty object
    // took half the time of copying one with the defaults.
    const value: Record<string, unknown> = {};
    let index = 0;
    try {
      for (; index < length; index++) {
        const readField = reads[index];
        value[names[index]!] = readField === undefined ? defaults[index] : readField(reader);
      }
    } catch (error) {
      throw within(error, names[index]!);
    }
    if (isFlexible) readTags(reader, tagged, value);
    return value;
  };
  return { read, minBytes };
}

function readTags(
  reader: KafkaReader,
  tagged: Map<number, { name: string; read: Read }>,
  value: Record<string, unknown>,
): void {
  for (let count = reader.uvarint(); count > 0; count--) {
    const tag = reader.uvarint();
    const bytes = reader.uvarint();
    const known = tagged.get(tag);
    try {
      if (known === undefined) reader.skip(bytes);
      else value[known.name] = readWhole(reader, bytes, known.read);
    } catch (error) {
      throw within(error, known?.name ?? `tag ${tag}`);
    }
  }
}

/** Reads a value that must take exactly so many bytes. */
function readWhole(reader: KafkaReader, bytes: number, read: Read): unknown {
  const { end, at } = reader;
  if (bytes > end - at) throw reader.fault('truncated', `${bytes} bytes wanted, ${end - at} left`);
  reader.end = at + bytes;
  const value = read(reader);
  if (reader.at !== reader.end) {
    throw reader.fault('invalid-length', `${bytes} bytes for a value of ${reader.at - at}`, at);
  }
  reader.end = end;
  return value;
}

function fieldReader(field: Field, situation: Situation): FieldReader {
  const isNullable = includes(field.nullable, situation.version);
  if (field.kind === 'array') return arrayReader(field, isNullable, situation);
  if (field.kind === 'struct') return structFieldReader(field, isNullable, situation);
  return scalarReader(field, isNullable, situation);
}

function structFieldReader(field: StructField, isNullable: boolean, situation: Situation): FieldReader {
  const compiled = structReader(field.fields, situation);
  if (!isNullable) return compiled;
  const { read } = compiled;
  // A byte before it says whether there is one.
  return { read: (reader) => (reader.int8() < 0 ? null : read(reader)), minBytes: 1 };
}

function arrayReader(field: ArrayField, isNullable: boolean, situation: Situation): FieldReader {
  const { read, minBytes } = fieldReader(field.element, situation);
  const readCount = situation.isFlexible ? compactLength : int32Length;
  const readArray = (reader: KafkaReader) => {
    const offset = reader.at;
    const count = readCount(reader, isNullable);
    if (count <= 0) return count === 0 ? NO_ELEMENTS : null;
    reader.checkElements(count, minBytes, offset);
    const elements: unknown[] = [];
    try {
      while (elements.length < count) elements.push(read(reader));
    } catch (error) {
      throw within(error, `[${elements.length}]`);
    }
    return elements;
  };
  return { read: readArray, minBytes: situation.isFlexible ? 1 : 4 };
}

function scalarReader(field: ScalarField, isNullable: boolean, { isFlexible }: Situation): FieldReader {
  switch (field.type) {
    case 'bool':
      return { read: (reader) => reader.bool(), minBytes: 1 };
    case 'int8':
      return { read: (reader) => reader.int8(), minBytes: 1 };
    case 'int16':
      return { read: (reader) => reader.int16(), minBytes: 2 };
    case 'uint16':
      return { read: (reader) => reader.uint16(), minBytes: 2 };
    case 'int32':
      return { read: (reader) => reader.int32(), minBytes: 4 };
    case 'uint32':
      return { read: (reader) => reader.uint32(), minBytes: 4 };
    case 'int64':
      return { read: (reader) => reader.int64(), minBytes: 8 };
    case 'varint':
      return { read: (reader) => reader.varint(), minBytes: 1 };
    case 'float64':
      return { read: (reader) => reader.float64(), minBytes: 8 };
    case 'uuid':
      return { read: (reader) => reader.uuid(), minBytes: 16 };
    case 'string': {
      const isCompact = isFlexible && !field.isClassic;
      return sized(isCompact ? compactLength : int16Length, isNullable, isCompact ? 1 : 2, readString);
    }
    case 'bytes':
      return sized(isFlexible ? compactLength : int32Length, isNullable, isFlexible ? 1 : 4, readBytes);
    case 'records':
      return sized(isFlexible ? compactLength : int32Length, isNullable, isFlexible ? 1 : 4, readView);
  }
}

type ReadLength = (reader: KafkaReader, isNullable: boolean) => number;

function sized(
  readLength: ReadLength,
  isNullable: boolean,
  minBytes: number,
  readContent: (reader: KafkaReader, length: number) => unknown,
): FieldReader {
  const read = (reader: KafkaReader) => {
    const length = readLength(reader, isNullable);
    return length < 0 ? null : readContent(reader, length);
  };
  return { read, minBytes };
}

function readString(reader: KafkaReader, length: number): string {
  return reader.string(length);
}

function readView(reader: KafkaReader, length: number): Buffer {
  return reader.view(length);
}

/** Copied, so that a value that is kept for long, such as a member's metadata, does not keep its whole request. */
function readBytes(reader: KafkaReader, length: number): Buffer {
  return Buffer.from(reader.view(length));
}

function int16Length(reader: KafkaReader, isNullable: boolean): number {
  const offset = reader.at;
  return checkedLength(reader, reader.int16(), isNullable, offset);
}

function int32Length(reader: KafkaReader, isNullable: boolean): number {
  const offset = reader.at;
  return checkedLength(reader, reader.int32(), isNullable, offset);
}

/** One more than the length, so that 0 is null. */
function compactLength(reader: KafkaReader, isNullable: boolean): number {
  const offset = reader.at;
  return checkedLength(reader, reader.uvarint() - 1, isNullable, offset);
}

function checkedLength(reader: KafkaReader, length: number, isNullable: boolean, offset: number): number {
  if (length >= 0) return length;
  if (length < -1) throw reader.fault('invalid-length', `length ${length}`, offset);
  if (!isNullable) throw reader.fault('unexpected-null', 'null', offset);
  return length;
}

function within(error: unknown, parent: string): unknown {
  return error instanceof KafkaProtocolError ? error.within(parent) : error;
}
