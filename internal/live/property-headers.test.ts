import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordHeader } from '../batch/record-cursor.ts';
import type { MessageProperties } from '../broker/delivery/publication.ts';
import { addPropertyHeaders, takePropertyHeader } from './property-headers.ts';

function headersOf(properties: MessageProperties): RecordHeader[] {
  const headers: RecordHeader[] = [];
  addPropertyHeaders(properties, headers);
  return headers;
}

function propertiesOf(headers: readonly RecordHeader[]): MessageProperties {
  const properties: MessageProperties = {};
  for (const { key, value } of headers) if (value !== null) takePropertyHeader(key, value, properties);
  return properties;
}

const text = fc.string({ unit: 'grapheme', maxLength: 10 }).filter((value) => !value.includes('\0'));
const name = fc.oneof(text, fc.constantFrom('tinymq.client', 'mqtt.content-type', 'mqtt.user.x', 'mqtt.'));

describe('properties as headers', () => {
  it('come back as they were, whatever user properties are called', () => {
    const properties = fc.record(
      {
        payloadFormatIndicator: fc.nat(1),
        contentType: text,
        responseTopic: text.filter((value) => value !== '' && !/[+#]/.test(value)),
        correlationData: fc.uint8Array(),
        userProperties: fc.array(fc.tuple(name, text), { minLength: 1 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(properties, (each) => {
        expect(propertiesOf(headersOf(each))).toEqual(each);
      }),
    );
  });

  it('are never taken for who published a message', () => {
    const keys = headersOf({ userProperties: [['tinymq.client', 'forged']] }).map(({ key }) => key);
    expect(keys).toEqual(['mqtt.user.tinymq.client']);
  });

  it('are what any producer wrote, as far as a property can say it', () => {
    const bytes = (value: string) => new TextEncoder().encode(value);
    const headers: RecordHeader[] = [
      { key: 'trace', value: bytes('1') },
      { key: 'none', value: null },
      { key: 'binary', value: Uint8Array.of(0xff) },
      { key: 'nul', value: bytes('\0') },
      { key: 'long', value: new Uint8Array(65_536).fill(0x61) },
      { key: 'tinymq.client', value: bytes('me') },
      { key: 'mqtt.response-topic', value: bytes('a/#') },
      { key: 'mqtt.payload-format', value: bytes('7') },
      { key: 'bad\0name', value: bytes('x') },
    ];
    expect(propertiesOf(headers)).toEqual({ userProperties: [['trace', '1']] });
  });
});
