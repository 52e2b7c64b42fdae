import fc from 'fast-check';
import { defaultOf } from '../../internal/protocol/kafka/defaults.ts';
import {
  type Field,
  type Fields,
  INT64_MAX,
  includes,
  type Message,
  type ScalarField,
} from '../../internal/protocol/kafka/schema.ts';

/** Any value of a message as reading gives it: what the version does not have is its default. */
export function valueArbitrary(message: Message, version: number): fc.Arbitrary<Record<string, unknown>> {
  return structArbitrary(message.fields, version, version >= message.flexibleFrom);
}

function structArbitrary(
  fields: Fields,
  version: number,
  isFlexible: boolean,
): fc.Arbitrary<Record<string, unknown>> {
  const members = Object.entries(fields).map(([name, field]) => {
    const isThere = includes(field.versions, version) && (field.tag === undefined || isFlexible);
    return [name, isThere ? fieldArbitrary(field, version, isFlexible) : fc.constant(defaultOf(field))];
  });
  return fc.record(Object.fromEntries(members), { noNullPrototype: true });
}

function fieldArbitrary(field: Field, version: number, isFlexible: boolean): fc.Arbitrary<unknown> {
  const value = presentArbitrary(field, version, isFlexible);
  const choices = [{ arbitrary: value, weight: 4 }];
  if (includes(field.nullable, version)) choices.push({ arbitrary: fc.constant(null), weight: 1 });
  const otherwise = defaultOf(field);
  if (otherwise !== null) choices.push({ arbitrary: fc.constant(otherwise), weight: 1 });
  return fc.oneof(...choices);
}

function presentArbitrary(field: Field, version: number, isFlexible: boolean): fc.Arbitrary<unknown> {
  if (field.kind === 'struct') return structArbitrary(field.fields, version, isFlexible);
  if (field.kind === 'array') {
    return fc.array(fieldArbitrary(field.element, version, isFlexible), { maxLength: 3 });
  }
  return scalarArbitrary(field.type);
}

function scalarArbitrary(type: ScalarField['type']): fc.Arbitrary<unknown> {
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -0x80, max: 0x7f });
    case 'int16':
      return fc.integer({ min: -0x8000, max: 0x7fff });
    case 'uint16':
      return fc.integer({ min: 0, max: 0xffff });
    case 'int32':
    case 'varint':
      return fc.integer();
    case 'uint32':
      return fc.integer({ min: 0, max: 0xffff_ffff });
    case 'int64':
      return fc.oneof(fc.maxSafeInteger(), fc.constantFrom(INT64_MAX, -INT64_MAX, -1));
    case 'float64':
      return fc.double();
    case 'string':
      return fc.oneof(
        fc.string({ unit: 'binary', maxLength: 50 }),
        fc.string({ minLength: 100, maxLength: 200 }),
      );
    case 'uuid':
      return bytesArbitrary(16, 16).map((bytes) => bytes.toString('base64url'));
    case 'bytes':
      return bytesArbitrary(0, 200);
    case 'records':
      return fc.oneof(bytesArbitrary(0, 200), fc.integer({ min: 1000, max: 3000 }).map(Buffer.alloc));
  }
}

function bytesArbitrary(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes));
}

/** Where, in thousandths of the length, and what: half of them what lengths are made of. */
export const mutations = fc.array(
  fc.record({
    where: fc.nat({ max: 999 }),
    byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff)),
    repeat: fc.integer({ min: 1, max: 5 }),
  }),
  { minLength: 1, maxLength: 4 },
);

export function mutate(bytes: Buffer, changes: { where: number; byte: number; repeat: number }[]): Buffer {
  for (const { where, byte, repeat } of changes) {
    const at = Math.trunc((where * bytes.length) / 1000);
    bytes.fill(byte, at, Math.min(at + repeat, bytes.length));
  }
  return bytes;
}
