import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { run, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { startPeer } from './support/peer.ts';
import { describeWithPeer } from './support/suite.ts';
import { kcat } from './support/toolchains.ts';
import { unique } from './support/trial.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-kcat-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything of a record on a line. */
const FORMAT = ['-f', '%p %o %k=%s [%h]\n'];

describeWithPeer('kcat', kcat(), (program, peer) => {
  /** Runs kcat with words, and with more that may have blanks in it; returns what it printed. */
  async function kcatWith(words: string, more: readonly string[] = [], input = ''): Promise<string> {
    const args = ['-b', peer().bootstrap, ...words.split(' '), ...more];
    const { code, stdout, stderr } = await run(program, args, { input });
    expect(code, `kcat ${args.join(' ')}: ${stderr}`).toBe(0);
    return stdout;
  }

  it('produces and consumes with keys and headers, to a topic that is not there yet', async () => {
    const topic = unique('kcat');
    await kcatWith(`-P -t ${topic} -K: -H a=1 -H b=2`, [], 'k1:v1\nk2:v2\n');
    expect(await kcatWith(`-C -t ${topic} -o beginning -e -q`, FORMAT)).toBe(
      '0 0 k1=v1 [a=1,b=2]\n0 1 k2=v2 [a=1,b=2]\n',
    );
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('produces and consumes %s', async (compression) => {
    const topic = unique(compression);
    const input = Array.from({ length: 500 }, (_, number) => `value-${number}\n`).join('');
    await kcatWith(`-P -t ${topic} -z ${compression}`, [], input);
    expect(await kcatWith(`-C -t ${topic} -o beginning -e -q`)).toBe(input);
  });

  it('keeps a null apart from nothing', async () => {
    const topic = unique('null');
    await kcatWith(`-P -t ${topic} -K: -Z`, [], 'k1:\n:v2\n');
    expect(await kcatWith(`-C -t ${topic} -o beginning -e -q -f %K,%S;`)).toBe('2,-1;-1,2;');
  });

  it('carries a large message', async () => {
    const topic = unique('large');
    const file = join(folder, 'large');
    writeFileSync(file, Buffer.alloc(900_000, 'x'));
    await kcatWith(`-P -t ${topic} ${file}`);
    expect(await kcatWith(`-C -t ${topic} -o beginning -e -q -f %S`)).toBe('900000');
  });

  it('lists metadata and asks for offsets, also by time', async () => {
    const topic = unique('listed');
    const before = Date.now();
    await kcatWith(`-P -t ${topic}`, [], 'one\ntwo\n');
    const { brokers, topics } = JSON.parse(await kcatWith(`-L -J -t ${topic}`));
    expect(brokers).toEqual([{ id: 1, name: expect.stringMatching(/:\d+$/) }]);
    expect(topics).toEqual([
      { topic, partitions: [{ partition: 0, leader: 1, replicas: [{ id: 1 }], isrs: [{ id: 1 }] }] },
    ]);
    const offset = async (at: number) => kcatWith(`-Q -t ${topic}:0:${at}`);
    expect(await offset(-2)).toBe(`${topic} [0] offset 0\n`);
    expect(await offset(-1)).toBe(`${topic} [0] offset 2\n`);
    expect(await offset(before - 1_000)).toBe(`${topic} [0] offset 0\n`);
    expect(await offset(Date.now() + 60_000)).toBe(`${topic} [0] offset -1\n`);
  });

  it('reads from an offset and from the end', async () => {
    const topic = unique('from');
    await kcatWith(`-P -t ${topic}`, [], 'one\ntwo\nthree\nfour\n');
    expect(await kcatWith(`-C -t ${topic} -o 2 -e -q`)).toBe('three\nfour\n');
    expect(await kcatWith(`-C -t ${topic} -o -1 -e -q`)).toBe('four\n');
    expect(await kcatWith(`-C -t ${topic} -o 1 -c 2 -q`)).toBe('two\nthree\n');
  });

  it('is a member of a group until it is ended, and then again', async () => {
    const topic = unique('grouped');
    const group = unique('kcat');
    await kcatWith(`-P -t ${topic}`, [], 'one\ntwo\n');
    const member = () => {
      const args = [
        '-b',
        peer().bootstrap,
        '-q',
        '-u',
        '-X',
        'auto.offset.reset=earliest',
        '-G',
        group,
        topic,
      ];
      return start(program, args);
    };
    const first = member();
    await eventually(() => first.stdout() === 'one\ntwo\n', 'both messages');
    first.child.kill('SIGINT');
    await first.ended;
    await kcatWith(`-P -t ${topic}`, [], 'three\n');
    const second = member();
    await eventually(() => second.stdout() === 'three\n', 'the message after those that were committed');
    second.child.kill('SIGINT');
    await second.ended;
  });

  it('goes on when the broker comes back', async () => {
    await using own = await startPeer({ keepsPort: true });
    const topic = unique('back');
    const at = (...args: string[]) => ['-b', own.bootstrap, '-q', '-t', topic, ...args];
    await run(program, at('-P'), { input: 'before\n' });
    // Without -E it ends when it sees no broker.
    const consumer = start(program, at('-C', '-u', '-E', '-o', 'beginning'));
    await eventually(() => consumer.stdout() === 'before\n', 'the first message');
    await own.restart();
    await run(program, at('-P'), { input: 'after\n' });
    await eventually(() => consumer.stdout() === 'before\nafter\n', 'the message after the restart');
    consumer.child.kill('SIGINT');
    await consumer.ended;
  });
});
