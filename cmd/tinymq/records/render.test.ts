import { describe, expect, it } from 'vitest';
import type { ConsumedRecord } from '../../../internal/clients/kafka/reader.ts';
import { rendererOf } from './render.ts';

const record: ConsumedRecord = {
  topic: 'orders',
  partition: 2,
  offset: 7,
  timestamp: 1_700_000_000_123,
  timestampType: 'create',
  brokerId: 1,
  key: Buffer.from('k'),
  value: Buffer.from('v\u001b[2J'),
  headers: [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: null },
  ],
};

function rendered(flags: object, changes: Partial<ConsumedRecord> = {}, isTerminal = false): string {
  const values = {
    ...{ format: undefined, json: false, delimiter: '\\n', null: false },
    'key-delimiter': undefined,
    ...flags,
  };
  const pieces = rendererOf(values, isTerminal)({ ...record, ...changes });
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece as string))).toString('latin1');
}

describe('a record', () => {
  it('is its bytes for a pipe, and harmless on a terminal', () => {
    expect(rendered({})).toBe('v\u001b[2J\n');
    expect(rendered({}, {}, true)).toBe('v\\x1b[2J\n');
    expect(rendered({}, { value: Buffer.from([0xff]) })).toBe('\xff\n');
    expect(rendered({}, { value: null })).toBe('\n');
    expect(rendered({ null: true, 'key-delimiter': '\\t' }, { key: null, value: null })).toBe('NULL\tNULL\n');
  });

  it('is shown by a template', () => {
    expect(rendered({ format: '%t %p %o %k %K %S %T %h%%\\x21\\n' })).toBe(
      'orders 2 7 k 1 5 1700000000123 a=1,b=NULL%!\n',
    );
    expect(rendered({ format: '%R%s' }, { value: Buffer.from('abc') })).toBe('\0\0\0\x03abc');
    expect(rendered({ format: '%R%S%K' }, { value: null, key: null })).toBe('\xff\xff\xff\xff-1-1');
    expect(rendered({ format: '%h' }, {}, true)).toBe('a=1,b=NULL');
  });

  it.each([['%x'], ['%'], ['%é']])('is shown by no template with %j', (format) => {
    expect(() => rendered({ format })).toThrow(`-format: '${format}' is not one of`);
  });

  it("is an object in kcat's envelope", () => {
    const line = rendered({ json: true });
    expect(Object.keys(JSON.parse(line))).toEqual([
      'topic',
      'partition',
      'offset',
      'tstype',
      'ts',
      'broker',
      'headers',
      'key',
      'payload',
    ]);
    expect(JSON.parse(line)).toMatchObject({ headers: ['a', '1', 'b', null], payload: 'v\u001b[2J' });
    expect(line).not.toContain('\u001b');
    const empty = JSON.parse(rendered({ json: true }, { key: null, value: null, headers: [] }));
    expect(empty).toMatchObject({ key: null, payload: null });
    expect(empty).not.toHaveProperty('headers');
    const appended = rendered({ json: true }, { timestampType: 'log-append' });
    expect(JSON.parse(appended).tstype).toBe('logappend');
  });

  it('has bytes that are no text in base64, and says so', () => {
    const bytes = Uint8Array.of(0xff, 0xfe);
    const line = rendered(
      { json: true },
      { key: bytes, value: bytes, headers: [{ key: 'h', value: bytes }] },
    );
    expect(JSON.parse(line)).toMatchObject({
      key: '//4=',
      keyEncoding: 'base64',
      payload: '//4=',
      payloadEncoding: 'base64',
      headers: ['h', '//4='],
      headersEncoding: 'base64',
    });
  });
});
