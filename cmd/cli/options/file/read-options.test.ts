import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { brokerProgram } from '../../../broker/flags.ts';
import { UsageError, UsageErrors } from '../program.ts';
import { readOptionsFile } from './read-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-options-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

function written(content: string | Buffer, ending = 'yaml'): string {
  const file = join(folder, `${++files}.${ending}`);
  writeFileSync(file, content);
  return file;
}

/** What a file says, by the name of the flag. */
function read(content: string, ending?: string): Record<string, string[]> {
  const given = readOptionsFile(brokerProgram, written(content, ending));
  return Object.fromEntries([...given].map(([name, { texts }]) => [name, texts]));
}

/** The faults, without the name of the file. */
function faultsOf(content: string | Buffer, ending?: string): string[] {
  const file = written(content, ending);
  try {
    readOptionsFile(brokerProgram, file);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    const problems = error instanceof UsageErrors ? error.problems : [(error as Error).message];
    return problems.map((problem) => problem.replace(`${file}:`, ''));
  }
  throw new Error(`nothing is wrong with ${content}`);
}

describe('a file of options', () => {
  it('has sections, lists, comments and the spellings of flags', () => {
    const content = `# a broker
listen: [mqtt://:1883, 'ws://:8083']
socket-mode: 0660
tls:
  cert: cert.pem   # beside this file
  key: /etc/keys/key.pem
kafka:
  listen: localhost:9092
  auto-create: no
  partitions: 3
slow-consumer: { policy: drop-oldest, wait: 500ms }
keep:
  topics:
    - sensors/#
    - alarms=ALARMS
  for: 30d
  bytes: 1.5GiB
log: { level: debug }
`;
    expect(read(content)).toEqual({
      listen: ['mqtt://:1883', 'ws://:8083'],
      'socket-mode': ['0660'],
      'tls-cert': [join(folder, 'cert.pem')],
      'tls-key': ['/etc/keys/key.pem'],
      kafka: ['localhost:9092'],
      'kafka-auto-create': ['no'],
      'kafka-partitions': ['3'],
      'slow-consumer': ['drop-oldest'],
      'slow-consumer-wait': ['500ms'],
      keep: ['sensors/#', 'alarms=ALARMS'],
      'keep-for': ['30d'],
      'keep-bytes': ['1.5GiB'],
      'log-level': ['debug'],
    });
  });

  it('may say nothing', () => {
    for (const content of ['', '# nothing yet\n', '---\n', 'tls:\n  # cert: x\n', '{}'])
      expect(read(content)).toEqual({});
    expect(read('{}', 'json')).toEqual({});
  });

  it('may name its schema', () => {
    expect(read('{"$schema": "./tinymq.schema.json", "max-clients": 5}', 'json')).toEqual({
      'max-clients': ['5'],
    });
  });

  it('may be JSON that is set in with tabs, and YAML in which a name is a number', () => {
    expect(read('{\n\t"keep": [\n\t\t"a",\t"\\u00e4\\t"\n\t]\n}', 'json')).toEqual({ keep: ['a', 'ä\t'] });
    expect(read('keep: 007\njwt: {issuer: 0x10, audience: [1e3, "2"]}\n')).toEqual({
      keep: ['007'],
      'jwt-issuer': ['0x10'],
      'jwt-audience': ['1e3', '2'],
    });
  });

  it('has paths that are seen from its folder', () => {
    const content = `
data-dir: data
users: ../users.yaml
jwt: { keys: jwks.json }
kafka: { log-dir: [a, /b] }
address: ./broker.sock
grpc: unix:///run/grpc.sock
`;
    expect(read(content)).toEqual({
      'data-dir': [join(folder, 'data')],
      users: [join(folder, '../users.yaml')],
      'jwt-keys': [join(folder, 'jwks.json')],
      'kafka-log-dir': [join(folder, 'a'), '/b'],
      address: [join(folder, 'broker.sock')],
      grpc: ['unix:///run/grpc.sock'],
    });
    expect(read('jwt: {keys: "https://example.com/keys"}\naddress: localhost:1883')).toEqual({
      'jwt-keys': ['https://example.com/keys'],
      address: ['localhost:1883'],
    });
  });
});

describe('what is wrong with a file', () => {
  it.each([
    ['max-mesage: 1k', "1:1: 'max-mesage' is not an option of broker; did you mean max-message?"],
    ['kafka: {partitons: 1}', "1:9: 'kafka.partitons' is not an option; did you mean kafka.partitions?"],
    ['partitions: 2', "1:1: 'partitions' is not an option of broker; did you mean kafka.partitions?"],
    ['kafkaPartitons: 2', "1:1: 'kafkaPartitons' is not an option of broker; did you mean kafka.partitions?"],
    ['tsl: {cert: x}', "1:1: 'tsl' is not an option of broker; did you mean tls?"],
    ['tls: {tls-cert: x}', "1:7: 'tls.tls-cert' is not an option; did you mean tls.cert?"],
    ['tls: {keep-for: 1}', "1:7: 'tls.keep-for' is not an option; did you mean keep.for?"],
    ['tls: {colour: x}', "1:7: 'tls.colour' is not an option; the keys of tls are cert, key, ca, crl"],
    ['tls: cert.pem', "1:1: 'tls' is a group of keys: cert, key, ca, crl"],
    ['colour: blue', "1:1: 'colour' is not an option of broker"],
    ['config: x.yaml', "1:1: 'config' is not an option of broker"],
    ['__proto__: 1', "1:1: '__proto__' is not an option of broker"],
    ['kafka: {constructor: 1}', "1:9: 'kafka.constructor' is not an option; the keys of kafka are"],
    ['keep-for: soon', "1:11: 'keep-for' is a time such as 2, 0.5, 500ms or 2m, not 'soon'"],
    ['keep-for: [1, 2]', "1:11: 'keep-for' is one value, not a list"],
    ['keep-for:', "1:1: 'keep-for' has no value; leave the key out for its default"],
    ['kafka:', "1:1: 'kafka' has no value"],
    ['keep: [a, ~]', "1:11: 'keep' has no value"],
    ['keep: [a, [b]]', "1:11: 'keep' is a text, a number, true or false, or a list of them"],
    ['keep: [a, true]', "1:11: 'keep' is no switch: write the text in quotation marks if it is 'true'"],
    ['max-clients: {a: 1}', "1:14: 'max-clients' is a text, a number, true or false"],
    ['memory: perhaps', "1:9: 'memory' is true or false, not 'perhaps'"],
    ['slow-consumer: drop-none', "1:16: 'slow-consumer' is one of drop-new, drop-oldest, disconnect"],
    ['socket-mode: 0o660', "1:14: 'socket-mode' is a mode in octal such as 0660, not '0o660'"],
    ['max-clients: 1_000', "1:14: 'max-clients' is a whole number, not '1_000'"],
    ['max-clients: .inf', "1:14: 'max-clients' is a whole number, not '.inf'"],
    ['memory: yes\nmemory: no', "2:1: 'memory' stands in line 1 already"],
    ['keep: a\nlog: b', "2:1: 'log' and 'keep' in line 1 are names of the same option"],
    ['keepFor: 1\nkeep: {for: 2}', "2:8: 'keep.for' and 'keepFor' in line 1 are names of the same option"],
    ['? [a]\n: 1', '1:3: a key is a text: write it in quotation marks'],
    ['5: 1', '1:1: a key is a text: write it in quotation marks'],
    ['- memory', '1:1: a file of options is a group of keys, each with its value'],
    ['just words', '1:1: a file of options is a group of keys, each with its value'],
    ['a: &a [x]\nb: *a', "1:1: 'a' is not an option"],
    ['keep: &a [x]\nrefuse-filter: *a', '2:16: references (*) are not read here'],
    ['keep: !!binary aGVsbG8=', '1:16: binary values are not read here'],
    ['memory: true\n---\nmemory: false', '2:1: a second document begins; a file has one'],
    ['keep: !secret x', "1:7: not YAML: unresolved tag, near the key 'keep'"],
    ['tls:\n\tcert: x', "2:1: not YAML: tabs are not allowed as indentation, near the key 'tls'"],
    ['keep: "a\nmemory: true\n', "3:1: not YAML: missing closing, near the key 'memory'"],
    ['a: b: c', "1:4: not YAML: nested mappings are not allowed in compact mappings, near the key 'a'"],
  ])('%j', (content, fault) => {
    expect(faultsOf(content)[0]).toContain(fault);
  });

  it.each([
    ['{"keep": "a",}', '1:14: not JSON: a key in quotation marks is missing'],
    ['{\n  "keep": "a"\n  "memory": true\n}', '3:3: not JSON: a comma or } is missing'],
    ['{"memory": true, "memory": false}', "1:18: 'memory' stands in line 1 already"],
    ['{"max-mesage": 1}', "1:2: 'max-mesage' is not an option of broker; did you mean max-message?"],
    ['keep: a', '1:1: not JSON: a value is missing'],
  ])('as JSON: %j', (content, fault) => {
    expect(faultsOf(content, 'json')[0]).toContain(fault);
  });

  it('is told all at once, in the order of its lines', () => {
    const content = 'max-mesage: 1\nkeep-for: soon\nkafka:\n  partitions: 0\nmemory: [true]\nmemory: false\n';
    expect(faultsOf(content).map((fault) => fault.split(':')[0])).toEqual(['1', '2', '4', '5', '6']);
  });

  it('is told of twenty faults, and how many more there are', () => {
    const faults = faultsOf(Array.from({ length: 50 }, (_, index) => `key-${index}: 1`).join('\n'));
    expect(faults).toHaveLength(21);
    expect(faults.at(-1)).toBe(' and 30 more');
  });

  it('is told in little time where references would make it grow without end', () => {
    const lines = ['keep: &a0 [x, x]'];
    for (let level = 1; level < 60; level++)
      lines.push(`k${level}: &a${level} [*a${level - 1}, *a${level - 1}]`);
    expect(faultsOf(lines.join('\n'))[0]).toContain("2:1: 'k1' is not an option");
    expect(faultsOf(`keep: ${'['.repeat(100_000)}`)[0]).toContain('not YAML: it is nested too deeply');
  });

  it('is told in a line of its size, its letters, its being no file', () => {
    expect(faultsOf(`#${' '.repeat(1024 * 1024)}`)[0]).toContain('it has more than 1048576 bytes');
    expect(faultsOf(Buffer.of(0x61, 0xff))[0]).toContain('it is no text in UTF-8');
    expect(() => readOptionsFile(brokerProgram, folder)).toThrow(`cannot read ${folder}: it is a folder`);
    expect(() => readOptionsFile(brokerProgram, '/dev/zero')).toThrow('it has more than 1048576 bytes');
  });
});
