import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { mutate, mutations, valueArbitrary } from '../../../test/support/kafka-arbitraries.ts';
import { ALL_APIS } from './apis/all.ts';
import { metadataRecords } from './cluster-metadata.ts';
import { codecOf, decodeMessage, encodeMessage } from './codec.ts';
import { consumerAssignment, consumerSubscription } from './consumer-protocol.ts';
import { defaultOf } from './defaults.ts';
import { requestHeader, responseHeader } from './headers.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import { KafkaReader } from './reader.ts';
import { type ArrayField, type Fields, includes, type Message } from './schema.ts';

/** For each of some 370 versions; together they see every type in every place many times. */
const RUNS = 15;

const MESSAGES: Message[] = [
  requestHeader,
  responseHeader,
  consumerSubscription,
  consumerAssignment,
  ...Object.values(metadataRecords).map((record) => record.message),
  ...ALL_APIS.flatMap((api) => [api.request, api.response]),
];

describe.each(MESSAGES.map((message) => [message.name, message] as const))('%s', (_, message) => {
  const versions = versionsOf(message);

  it.each(versions)('version %i reads what it wrote, to the last byte', (version) => {
    const property = fc.property(valueArbitrary(message, version), (value) => {
      const bytes = Buffer.concat(encodeMessage(message, version, value));
      const reader = new KafkaReader(bytes);
      const read = codecOf(message, version).read(reader);
      expect(read).toStrictEqual(value);
      expect(reader.remaining).toBe(0);
      expectBytes(Buffer.concat(encodeMessage(message, version, read)), bytes);
    });
    fc.assert(property, { numRuns: RUNS });
  });

  it.each(versions)('version %i is refused with any byte missing', (version) => {
    const property = fc.property(valueArbitrary(message, version), fc.nat(), (value, cut) => {
      const bytes = Buffer.concat(encodeMessage(message, version, value));
      if (bytes.length === 0) return;
      const shorter = bytes.subarray(0, cut % bytes.length);
      expect(() => decodeMessage(message, version, shorter)).toThrow(KafkaProtocolError);
    });
    fc.assert(property, { numRuns: RUNS });
  });

  it.each(versions)('version %i with other bytes is read, or refused with a protocol error', (version) => {
    const property = fc.property(valueArbitrary(message, version), mutations, (value, changes) => {
      const bytes = mutate(Buffer.concat(encodeMessage(message, version, value)), changes);
      const reader = new KafkaReader(bytes);
      try {
        const read = codecOf(message, version).read(reader);
        expect(reader.at).toBeLessThanOrEqual(bytes.length);
        expect(sizeOf(read)).toBeLessThanOrEqual(maxSizeOf(message, bytes.length));
      } catch (error) {
        if (!(error instanceof KafkaProtocolError)) throw error;
        expect(error.offset).toBeLessThanOrEqual(bytes.length);
      }
    });
    fc.assert(property, { numRuns: RUNS });
  });
});

it('an element of a list takes at least one byte in every version, so that a count is bounded by what is there', () => {
  for (const message of MESSAGES) {
    for (const version of versionsOf(message)) {
      for (const list of listsOf(message.fields, version)) {
        const isFlexible = version >= message.flexibleFrom;
        const { element } = list;
        if (element.kind !== 'struct' || isFlexible) continue;
        const members = Object.values(element.fields).filter((field) => includes(field.versions, version));
        expect(members.length, `${message.name} ${version}`).toBeGreaterThan(0);
      }
    }
  }
});

function versionsOf(message: Message): number[] {
  const { min, max } = message.versions;
  return Array.from({ length: max - min + 1 }, (_, index) => min + index);
}

/** How many values hang together, bytes and characters included. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return 1 + value.length;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, member) => sum + sizeOf(member), 1);
}

/** A byte makes at most one struct, and that has no more members than the largest of its message. */
function maxSizeOf(message: Message, bytes: number): number {
  return (bytes + 1) * (2 + defaultsSize(message.fields));
}

function defaultsSize(fields: Fields): number {
  return Object.values(fields).reduce((sum, field) => {
    const element = field.kind === 'array' ? field.element : field;
    const inner = element.kind === 'struct' ? defaultsSize(element.fields) : 0;
    return sum + sizeOf(defaultOf(field)) + inner;
  }, 1);
}

function listsOf(fields: Fields, version: number): ArrayField[] {
  return Object.values(fields).flatMap((field) => {
    if (!includes(field.versions, version)) return [];
    if (field.kind === 'scalar') return [];
    const element = field.kind === 'array' ? field.element : field;
    const inner = element.kind === 'struct' ? listsOf(element.fields, version) : [];
    return field.kind === 'array' ? [field, ...inner] : inner;
  });
}
