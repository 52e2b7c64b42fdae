import { defaultOf, isDefault } from './defaults.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import {
  type ArrayField,
  type Field,
  type Fields,
  includes,
  type ScalarField,
  type StructField,
} from './schema.ts';
import { KafkaWriter } from './writer.ts';

/** Room for what tagged fields mostly are. */
const TAG_BYTES = 128;

/** Writes one value. */
export type Write = (writer: KafkaWriter, value: unknown) => void;

/** The names of the values that the code of one version writes. */
interface Situation {
  version: number;
  isFlexible: boolean;
}

/** A tagged field, which is written only where it is not its default. */
interface TaggedWriter {
  tag: number;
  name: string;
  field: Field;
  write: Write;
}

/** Makes what writes the fields of a message in one of its versions. */
export function compileWriter(fields: Fields, version: number, isFlexible: boolean): Write {
  return structWriter(fields, { version, isFlexible });
}

function structWriter(fields: Fields, situation: Situation): Write {
  const names: string[] = [];
  const writes: Write[] = [];
  const defaults: unknown[] = [];
  const tagged: TaggedWriter[] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (!includes(field.versions, situation.version)) continue;
    const write = fieldWriter(field, situation);
    if (field.tag === undefined) {
      names.push(name);
      writes.push(write);
      defaults.push(defaultOf(field));
    } else if (situation.isFlexible) {
      tagged.push({ tag: field.tag, name, field, write });
    }
  }
  tagged.sort((one, other) => one.tag - other.tag);
  const { length } = names;
  const { isFlexible } = situation;
  return (writer, value) => {
    const struct = value as Record<string, unknown>;
    let index = 0;
    try {
      for (; index < length; index++) {
        const member = struct[names[index]!];
        writes[index]!(writer, member === undefined ? defaults[index] : member);
      }
    } catch (error) {
      throw within(error, names[index]!);
    }
    if (isFlexible) writeTags(writer, tagged, struct);
  };
}

function writeTags(writer: KafkaWriter, tagged: TaggedWriter[], struct: Record<string, unknown>): void {
  let count = 0;
  for (const { name, field } of tagged) if (!isDefault(field, struct[name])) count++;
  writer.uvarint(count);
  if (count === 0) return;
  for (const { tag, name, field, write } of tagged) {
    if (isDefault(field, struct[name])) continue;
    try {
      writer.uvarint(tag);
      writeSized(writer, write, struct[name]);
    } catch (error) {
      throw within(error, name);
    }
  }
}

/** The size of a tagged field stands before it and is not known before it was written. */
function writeSized(writer: KafkaWriter, write: Write, value: unknown): void {
  const aside = new KafkaWriter(Buffer.allocUnsafe(TAG_BYTES));
  write(aside, value);
  const { length } = aside;
  writer.uvarint(length);
  for (const chunk of aside.finish()) writer.copy(chunk);
}

function fieldWriter(field: Field, situation: Situation): Write {
  const isNullable = includes(field.nullable, situation.version);
  if (field.kind === 'array') return arrayWriter(field, isNullable, situation);
  if (field.kind === 'struct') return structFieldWriter(field, isNullable, situation);
  return scalarWriter(field, isNullable, situation);
}

function structFieldWriter(field: StructField, isNullable: boolean, situation: Situation): Write {
  const write = structWriter(field.fields, situation);
  if (!isNullable) return write;
  return (writer, value) => {
    writer.int8(value === null ? -1 : 1);
    if (value !== null) write(writer, value);
  };
}

function arrayWriter(field: ArrayField, isNullable: boolean, situation: Situation): Write {
  const write = fieldWriter(field.element, situation);
  const writeCount = situation.isFlexible ? compactLength : int32Length;
  return (writer, value) => {
    if (value === null) {
      writeNull(writer, isNullable, writeCount);
      return;
    }
    const elements = value as readonly unknown[];
    writeCount(writer, elements.length);
    let index = 0;
    try {
      for (; index < elements.length; index++) write(writer, elements[index]);
    } catch (error) {
      throw within(error, `[${index}]`);
    }
  };
}

function scalarWriter(field: ScalarField, isNullable: boolean, { isFlexible }: Situation): Write {
  switch (field.type) {
    case 'bool':
      return (writer, value) => writer.bool(value as boolean);
    case 'int8':
      return (writer, value) => writer.int8(value as number);
    case 'int16':
      return (writer, value) => writer.int16(value as number);
    case 'uint16':
      return (writer, value) => writer.uint16(value as number);
    case 'int32':
      return (writer, value) => writer.int32(value as number);
    case 'uint32':
      return (writer, value) => writer.uint32(value as number);
    case 'int64':
      return (writer, value) => writer.int64(value as number);
    case 'varint':
      return (writer, value) => writer.varint(value as number);
    case 'float64':
      return (writer, value) => writer.float64(value as number);
    case 'uuid':
      return (writer, value) => writer.uuid(value as string);
    case 'string':
      return stringWriter(isNullable, isFlexible && !field.isClassic);
    case 'bytes':
      return bytesWriter(isNullable, isFlexible);
    case 'records':
      return recordsWriter(isNullable, isFlexible);
  }
}

function stringWriter(isNullable: boolean, isCompact: boolean): Write {
  const writeLength = isCompact ? compactLength : int16Length;
  return (writer, value) => {
    if (value === null) writeNull(writer, isNullable, writeLength);
    else writer.string(value as string, isCompact);
  };
}

function bytesWriter(isNullable: boolean, isCompact: boolean): Write {
  const writeLength = isCompact ? compactLength : int32Length;
  return (writer, value) => {
    if (value === null) {
      writeNull(writer, isNullable, writeLength);
      return;
    }
    writeLength(writer, (value as Uint8Array).length);
    writer.copy(value as Uint8Array);
  };
}

function recordsWriter(isNullable: boolean, isCompact: boolean): Write {
  const writeLength = isCompact ? compactLength : int32Length;
  return (writer, value) => {
    if (value === null) {
      writeNull(writer, isNullable, writeLength);
      return;
    }
    const batches = value as Uint8Array | readonly Uint8Array[];
    if (batches instanceof Uint8Array) {
      writeLength(writer, batches.length);
      writer.piece(batches);
      return;
    }
    let length = 0;
    for (const batch of batches) length += batch.length;
    writeLength(writer, length);
    for (const batch of batches) writer.piece(batch);
  };
}

type WriteLength = (writer: KafkaWriter, length: number) => void;

function writeNull(writer: KafkaWriter, isNullable: boolean, writeLength: WriteLength): void {
  if (!isNullable) throw writer.fault('unexpected-null', 'null');
  writeLength(writer, -1);
}

function int16Length(writer: KafkaWriter, length: number): void {
  writer.int16(length);
}

function int32Length(writer: KafkaWriter, length: number): void {
  writer.int32(length);
}

/** One more than the length, so that 0 is null. */
function compactLength(writer: KafkaWriter, length: number): void {
  writer.uvarint(length + 1);
}

function within(error: unknown, parent: string): unknown {
  return error instanceof KafkaProtocolError ? error.within(parent) : error;
}
