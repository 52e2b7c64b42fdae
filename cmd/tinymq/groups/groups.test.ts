import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { runTinymq, startTinymq } from '../../../test/support/tinymq-program.ts';

let broker: RunningBroker;
let at: string[];

beforeAll(async () => {
  broker = await startBroker({ memory: true, kafka: { listen: ['tcp://127.0.0.1:0'] } });
  at = ['-address', broker.url.slice('tcp://'.length)];
  await run('topics', 'create', 'orders', '-partitions', '2');
  await runTinymq(['produce', 'orders', '-partition', '0', ...at], 'a\nb\nc\n');
  await runTinymq(['produce', 'orders', '-partition', '1', ...at], 'd\n');
});
afterAll(() => broker.close());

function run(...args: string[]) {
  return runTinymq([...args, ...at]);
}

/** Rows of a table as lists of cells, without the titles. */
function cells(table: string): string[][] {
  return table
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/));
}

describe('tinymq groups', () => {
  it('describes a group with a member, and does not move or delete it', async () => {
    using member = startTinymq(['consume', 'orders', '-group', 'busy', '-id', 'me', ...at]);
    await vi.waitUntil(() => member.out() !== '', { timeout: 30_000 });
    const [offsets, members, state, reset, deleted] = await Promise.all([
      run('groups', 'describe', 'busy'),
      run('groups', 'describe', 'busy', '-members'),
      run('groups', 'describe', 'busy', '-state'),
      run('groups', 'reset-offsets', 'busy', '-topic', 'orders', '-to-earliest', '-execute'),
      run('groups', 'delete', 'busy'),
    ]);
    expect(offsets.out.split('\n')[0].split(/\s+/)).toEqual(
      'GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID'.split(' '),
    );
    const rows = cells(offsets.out);
    expect(rows.map(([group, topic, partition]) => [group, topic, partition])).toEqual([
      ['busy', 'orders', '0'],
      ['busy', 'orders', '1'],
    ]);
    expect(rows[0].at(-1)).toBe('me');
    expect(rows[0][6]).toMatch(/^me-/);
    expect(cells(members.out)).toEqual([['busy', rows[0][6], rows[0][7], 'me', '2', 'orders:0,1']]);
    expect(cells(state.out)[0]).toEqual(['busy', at[1], '(1)', 'range', 'Stable', '1']);
    expect(reset).toMatchObject({ code: 1, out: '' });
    expect(reset.errors).toContain("group 'busy' has 1 members and is Stable: stop them first");
    expect(deleted).toMatchObject({ code: 1, out: '' });
    expect(deleted.errors).toContain("group 'busy': NON_EMPTY_GROUP");
    member.child.kill('SIGINT');
    expect(await member.ended).toMatchObject({ code: 0 });
  });

  it('lists, describes, moves and deletes a group without members', async () => {
    await run('consume', 'orders', '-group', 'idle', '-exit');
    expect((await run('groups', 'list')).out.split('\n')).toContain('idle');
    expect(cells((await run('groups', 'list', '-state')).out)).toContainEqual(['idle', 'Empty']);
    const { out, errors } = await run('groups', 'describe', 'idle', '-json');
    expect(errors).toBe("Group 'idle' has no active members.\n");
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { topic: 'orders', partition: 0, currentOffset: 3, logEndOffset: 3, lag: 0, consumerId: null },
      { topic: 'orders', partition: 1, currentOffset: 1, logEndOffset: 1, lag: 0, consumerId: null },
    ]);

    const dry = await run('groups', 'reset-offsets', 'idle', '-topic', 'orders:0', '-shift-by', '-2');
    expect(cells(dry.out)).toEqual([['idle', 'orders', '0', '1']]);
    expect(dry.errors).toBe('Nothing was changed: this is what -execute would do.\n');
    expect((await run('groups', 'describe', 'idle', '-json')).out).toContain('"currentOffset":3');
    const done = await run(
      'groups',
      'reset-offsets',
      'idle',
      '-topic',
      'orders:0',
      '-shift-by',
      '-2',
      '-execute',
    );
    expect(done).toMatchObject({ code: 0, out: dry.out, errors: '' });
    expect((await run('groups', 'describe', 'idle', '-json')).out).toContain('"currentOffset":1');

    expect(await run('groups', 'delete', 'idle')).toEqual({
      code: 0,
      out: 'Deleted group idle.\n',
      errors: '',
    });
    const gone = await run('groups', 'describe', 'idle');
    expect(gone).toMatchObject({ code: 1, out: '' });
    expect(gone.errors).toContain("group 'idle': GROUP_ID_NOT_FOUND ('tinymq groups list' shows");
  });

  it.each<[string[], string[]]>([
    [['-to-earliest'], ['0', '0']],
    [['-to-latest'], ['3', '1']],
    [['-to-current'], ['3', '1']],
    [
      ['-to-offset', '2'],
      ['2', '1'],
    ],
    [
      ['-to-datetime', '2001-01-01'],
      ['0', '0'],
    ],
    [
      ['-to-datetime', '2101-01-01T00:00:00+02:00'],
      ['3', '1'],
    ],
    [
      ['-by-duration', 'PT48H'],
      ['0', '0'],
    ],
  ])('would move a group that is new by %j to %j', async (where, offsets) => {
    const { out } = await run('groups', 'reset-offsets', 'new', '-topic', 'orders', ...where);
    expect(cells(out).map((row) => row[3])).toEqual(offsets);
  });

  it.each<[string[], number, string]>([
    [['describe'], 2, 'say which groups, or -all'],
    [['describe', 'a', '-all'], 2, 'say which groups, or -all'],
    [['describe', 'a', '-members', '-state'], 2, '-members and -state do not go together'],
    [['reset-offsets', 'a', '-topic', 'orders'], 2, 'say where to by one of -to-earliest, '],
    [['reset-offsets', 'a', '-to-latest'], 2, 'say which -topic, or -all-topics'],
    [['reset-offsets', 'a', '-topic', 'orders', '-to-latest', '-to-earliest'], 2, 'say where to by one of'],
    [
      ['reset-offsets', 'a', '-topic', 'orders:x', '-to-latest'],
      2,
      "-topic 'orders:x' is not TOPIC or TOPIC:0,1",
    ],
    [
      ['reset-offsets', 'a', '-topic', 'orders', '-to-datetime', 'soon'],
      2,
      "-to-datetime 'soon' is not a time",
    ],
    [
      ['reset-offsets', 'a', '-topic', 'orders:7', '-to-latest'],
      1,
      "topic 'orders' has no partition 7, only 0 to 1",
    ],
    [
      ['reset-offsets', 'a', '-topic', 'nothing', '-to-latest'],
      1,
      "topic 'nothing': UNKNOWN_TOPIC_OR_PARTITION",
    ],
    [['reset-offsets', 'a', '-topic', 'orders', '-shift-by', '1'], 1, 'no offset in partition 0'],
    [['reset-offsets', 'a', '-all-topics', '-to-latest'], 1, "group 'a': GROUP_ID_NOT_FOUND"],
  ])('%j ends with a clear word', async (args, code, message) => {
    const ended = await run('groups', ...args);
    expect(ended).toMatchObject({ code, out: '' });
    expect(ended.errors).toContain(message);
  });
});
