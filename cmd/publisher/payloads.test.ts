import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { parseProgram } from '../cli/options/parse-program.ts';
import { UsageError } from '../cli/options/program.ts';
import { publisherProgram } from './flags.ts';
import { payloadsOf } from './payloads.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-payloads-'));
const file = join(folder, 'payload');
writeFileSync(file, Buffer.of(1, 0xff, 10));
afterAll(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;

async function open(flags: string[], input: NodeJS.ReadableStream = Readable.from([]), stop = never) {
  const { values } = await parseProgram(publisherProgram, flags, {}, '1');
  return payloadsOf(values, input, stop);
}

async function all(flags: string[], input?: NodeJS.ReadableStream): Promise<string[]> {
  const payloads: string[] = [];
  for await (const payload of await open(flags, input))
    payloads.push(Buffer.from(payload).toString('latin1'));
  return payloads;
}

function inputOf(text: string): NodeJS.ReadableStream {
  return Readable.from([Buffer.from(text)]);
}

describe('payloads', () => {
  it('come from -message once, or -count times', async () => {
    expect(await all(['-message', 'a'])).toEqual(['a']);
    expect(await all(['-message', ''])).toEqual(['']);
    expect(await all(['-message', 'a', '-count', '3'])).toEqual(['a', 'a', 'a']);
    expect(await all(['-message', 'a', '-count', '3', '-interval', '1ms'])).toEqual(['a', 'a', 'a']);
  });

  it('come from -file as they are', async () => {
    expect(await all(['-file', file])).toEqual(['\x01\xff\n']);
    expect(await all(['-file', file, '-count', '2'])).toEqual(['\x01\xff\n', '\x01\xff\n']);
  });

  it('come from the standard input as a whole', async () => {
    expect(await all(['-file', '-'], inputOf('a\nb\n'))).toEqual(['a\nb\n']);
  });

  it('come from the lines of the standard input, -count of them', async () => {
    expect(await all(['-stdin-lines'], inputOf('a\nb\nc\n'))).toEqual(['a', 'b', 'c']);
    expect(await all(['-stdin-lines', '-count', '2'], inputOf('a\nb\nc\n'))).toEqual(['a', 'b']);
    expect(await all(['-stdin-lines', '-interval', '1ms'], inputOf('a\nb'))).toEqual(['a', 'b']);
  });

  it('end with -count although the input goes on', async () => {
    const input = new PassThrough();
    input.write('a\nb\n');
    expect(await all(['-stdin-lines', '-count', '1'], input)).toEqual(['a']);
    expect(input.destroyed).toBe(true);
  });

  it('with -interval come from the file as it is at their time', async () => {
    const changing = join(folder, 'changing');
    writeFileSync(changing, '1');
    const payloads = (await open(['-file', changing, '-interval', '1ms']))[Symbol.asyncIterator]();
    expect(String((await payloads.next()).value)).toBe('1');
    writeFileSync(changing, '2');
    expect(String((await payloads.next()).value)).toBe('2');
    rmSync(changing);
    await expect(payloads.next()).rejects.toThrow(`-file: cannot read ${changing}: no such file or folder`);
  });

  it('with -interval are no earlier than their time', async () => {
    const before = performance.now();
    await all(['-message', 'a', '-count', '4', '-interval', '20ms']);
    expect(performance.now() - before).toBeGreaterThanOrEqual(59);
  });

  it.each<[string, string[]]>([
    ['a pause', ['-message', 'a', '-interval', '10h']],
    ['the input', ['-stdin-lines']],
  ])('end when the program is to stop while it waits for %s', async (_, flags) => {
    const stop = new AbortController();
    const input = new PassThrough();
    input.write('a\n');
    const payloads = (await open(flags, input, stop.signal))[Symbol.asyncIterator]();
    expect(String((await payloads.next()).value)).toBe('a');
    const next = payloads.next();
    stop.abort();
    expect((await next).done).toBe(true);
  });

  it('are nothing when the program is to stop while it reads a whole input', async () => {
    const stop = new AbortController();
    const opening = open(['-file', '-'], new PassThrough(), stop.signal);
    stop.abort();
    for await (const _ of await opening) throw new Error('there should be none');
  });

  it.each<[string, string[]]>([
    ['no source', []],
    ['two sources', ['-message', 'a', '-stdin-lines']],
    ['an empty message and a file', ['-message', '', '-file', file]],
  ])('with %s are wrong usage', async (_, flags) => {
    await expect(open(flags)).rejects.toThrow(
      new UsageError('say what to publish by one of -message, -file, -stdin, -stdin-lines and -null'),
    );
  });

  it('from a file that is missing are wrong usage', async () => {
    await expect(open(['-file', '/nowhere'])).rejects.toThrow(
      new UsageError('-file: cannot read /nowhere: no such file or folder'),
    );
  });
});
