import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProperties, readServerProperties, ServerPropertiesError } from './server-properties.ts';

describe('the syntax of Java properties', () => {
  it.each([
    ['a=1', { a: '1' }],
    ['a : 1\nb 2\nc\t=\t3', { a: '1', b: '2', c: '3' }],
    ['# a=1\n! b=2\n\n  \n  c=3', { c: '3' }],
    ['a=1,\\\n   2,\\\r\n\t3', { a: '1,2,3' }],
    ['a=one\\\n# no comment', { a: 'one# no comment' }],
    ['a=ends with a backslash\\\\\nb=2', { a: 'ends with a backslash\\', b: '2' }],
    ['a\\ b\\==c=d:e', { 'a b=': 'c=d:e' }],
    ['a=\\u0041\\t\\q', { a: 'A\tq' }],
    ['a=1\na=2', { a: '2' }],
    ['a', { a: '' }],
    ['a=b\\', { a: 'b' }],
    ['dir=C\\:\\\\kafka\\\\logs  ', { dir: 'C:\\kafka\\logs  ' }],
    ['', {}],
  ])('%j', (text, expected) => {
    expect(Object.fromEntries(parseProperties(text))).toEqual(expected);
  });

  it('refuses a broken escape', () => {
    expect(() => parseProperties('a=\\u12')).toThrow(ServerPropertiesError);
  });

  it('reads what was escaped, whatever it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), (entries) => {
        const text = Object.entries(entries).map(([key, value]) => `${escaped(key)}=${escaped(value)}`);
        expect(Object.fromEntries(parseProperties(text.join('\n')))).toEqual({ ...entries });
      }),
    );
  });
});

describe('server.properties', () => {
  it('of a combined node is taken over', () => {
    const text = `
      process.roles=broker,controller
      node.id=7
      listeners=PLAINTEXT://:9092,CONTROLLER://:9093
      advertised.listeners=PLAINTEXT://kafka.example:9092,CONTROLLER://localhost:9093
      controller.listener.names=CONTROLLER
      listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
      log.dirs=/tmp/kraft-combined-logs
      num.partitions=3
      auto.create.topics.enable=False
      log.retention.hours=168
      log.segment.bytes=1073741824
      something.else=x`;
    expect(readServerProperties(text)).toEqual({
      logDirs: ['/tmp/kraft-combined-logs'],
      metadataLogDir: undefined,
      listeners: [{ name: 'PLAINTEXT', host: '', port: 9092, securityProtocol: 'PLAINTEXT' }],
      advertisedListeners: [
        { name: 'PLAINTEXT', host: 'kafka.example', port: 9092, securityProtocol: 'PLAINTEXT' },
      ],
      partitionCount: 3,
      autoCreateTopics: false,
      nodeId: 7,
      segmentBytes: 1_073_741_824,
      retentionMs: 604_800_000,
      retentionBytes: undefined,
    });
  });

  it('that is empty leaves everything open but the directory', () => {
    expect(readServerProperties('')).toMatchObject({
      logDirs: ['/tmp/kafka-logs'],
      listeners: [],
      autoCreateTopics: undefined,
      nodeId: undefined,
    });
  });

  it('may have several directories, and IPv6 and named listeners', () => {
    const properties = readServerProperties(
      'log.dir=/unused\nlog.dirs=/a, /b ,\nmetadata.log.dir=/m\n' +
        'listener.security.protocol.map=inside:SASL_SSL\nlisteners=inside://[::1]:0',
    );
    expect(properties.logDirs).toEqual(['/a', '/b']);
    expect(properties.metadataLogDir).toBe('/m');
    expect(properties.listeners).toEqual([
      { name: 'inside', host: '::1', port: 0, securityProtocol: 'SASL_SSL' },
    ]);
    expect(readServerProperties('log.dir=/one').logDirs).toEqual(['/one']);
  });

  it.each([
    ['log.retention.hours=1\nlog.retention.minutes=2', 120_000],
    ['log.retention.hours=1\nlog.retention.ms=3', 3],
    ['log.retention.hours=-1', -1],
  ])('%j keeps records for %i ms', (text, expected) => {
    expect(readServerProperties(text).retentionMs).toBe(expected);
  });

  it.each([
    ['listeners=localhost:9092', 'listeners: localhost:9092 is not NAME://host:port'],
    ['listeners=PLAINTEXT://localhost:99999', 'is not NAME://host:port'],
    ['listeners=OUTSIDE://localhost:9092', 'does not say what OUTSIDE is'],
    ['num.partitions=0', 'num.partitions: 0 is not a whole number from 1 on'],
    ['node.id=one', 'node.id: one is not'],
    ['auto.create.topics.enable=yes', 'auto.create.topics.enable: yes is neither true nor false'],
    ['listener.security.protocol.map=PLAINTEXT', 'is not NAME:PROTOCOL'],
  ])('with %s is refused', (text, problem) => {
    expect(() => readServerProperties(text)).toThrow(problem);
    expect(() => readServerProperties(text)).toThrow(ServerPropertiesError);
  });
});

function escaped(text: string): string {
  return Array.from({ length: text.length }, (_, at) => text[at])
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
