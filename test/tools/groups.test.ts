import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { urlOf } from '../support/listeners.ts';
import { runTinymq, startTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-groups-'));
const dataDir = join(folder, 'data');
let broker: RunningBroker;
let kafka: string[];

beforeAll(async () => {
  broker = await startBroker({
    ...{ listen: [], http: { listen: ['http://127.0.0.1:0'] }, kafka: { listen: ['tcp://127.0.0.1:0'] } },
    ...{ dataDir, adminSocket: true, sysIntervalMs: 0 },
  });
  kafka = ['-address', new URL(urlOf(broker, 'kafka')).host];
  await done(['topics', 'create', 'orders', '-partitions', '2', ...kafka]);
  await done(['produce', 'orders', '-partition', '0', ...kafka], 'a\nb\nc\n');
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});

/** Runs `tinymq`, and expects that it succeeds. */
async function done(args: string[], input = ''): Promise<string> {
  const { code, out, errors } = await runTinymq(args, input);
  expect(code, errors).toBe(0);
  return out;
}

const ways: [string, () => string[]][] = [
  ['the socket of its owner', () => ['-data-dir', dataDir]],
  ['its HTTP door', () => ['-url', urlOf(broker, 'http')]],
];

describe.each(ways)('groups of a broker that is reached by %s', (_, place) => {
  const refused = async (args: string[], code: number) => {
    const end = await runTinymq(['groups', ...args, ...place()]);
    expect(end).toMatchObject({ code, out: '' });
    return end.errors;
  };

  it('are listed, shown, reset and removed', async () => {
    await done(['consume', 'orders', '-group', 'billing', '-exit', ...kafka]);
    await done(['consume', 'orders', '-group', 'shipping', '-exit', ...kafka]);
    expect(await done(['groups', 'ls', '-search', 'BILL', ...place()])).toMatch(
      /^GROUP +STATE +MEMBERS +LAG +PROTOCOL\nbilling +Empty +0 +0 +\S+\n$/,
    );
    expect(JSON.parse(await done(['groups', 'ls', '-json', ...place()]))).toMatchObject([
      { id: 'billing', state: 'Empty', members: 0, lag: 0 },
      { id: 'shipping' },
    ]);
    const shown = await done(['groups', 'show', 'billing', ...place()]);
    expect(shown).toMatch(/^group +billing\nstate +Empty\n/);
    expect(shown).toMatch(/^orders +0 +3 +3 +0 +-$/m);

    const reset = ['groups', 'reset', 'billing', '-topic', 'orders', '-partition', '0'];
    expect(await done([...reset, '-to', '1', ...place()])).toBe(
      'LOG    PARTITION COMMITTED\norders 0         1\n',
    );
    expect(JSON.parse(await done(['groups', 'show', 'billing', '-json', ...place()]))).toMatchObject({
      ...{ id: 'billing', lag: 2, members: [] },
      partitions: [{ topic: 'orders', partition: 0, committedOffset: 1, endOffset: 3 }, { partition: 1 }],
    });
    expect(JSON.parse(await done([...reset, '-to', '-1h', '-json', ...place()]))).toEqual([
      { topic: 'orders', partition: 0, offset: 0 },
    ]);
    expect(await done([...reset, '-to', 'latest', '-quiet', ...place()])).toBe('');

    for (const group of ['billing', 'shipping']) {
      expect(await done(['groups', 'rm', group, ...place()])).toBe(`Removed the group '${group}'.\n`);
    }
    expect(JSON.parse(await done(['groups', 'ls', '-json', ...place()]))).toEqual([]);
    expect(await refused(['show', 'billing'], 1)).toBe(
      "tinymq groups show: the group 'billing' is not there\n",
    );
    expect(await refused(['rm', 'billing'], 1)).toContain("the group 'billing' is not there");
  });

  it('that have members are shown with them, and neither reset nor removed', async () => {
    using member = startTinymq(['consume', 'orders', '-group', 'busy', '-id', 'me', ...kafka]);
    await vi.waitUntil(() => member.out() !== '', { timeout: 30_000 });
    const shown = await done(['groups', 'show', 'busy', ...place()]);
    expect(shown).toMatch(/^MEMBER +CLIENT +HOST +PARTITIONS\nme-\S+ +me +\S+ +2$/m);
    expect(await refused(['reset', 'busy', '-to', 'earliest'], 1)).toContain("the group 'busy' has members");
    expect(await refused(['rm', 'busy'], 1)).toContain("the group 'busy' has members");
    member.child.kill('SIGINT');
    await member.ended;
    await done(['groups', 'rm', 'busy', ...place()]);
  });

  it('are not reset to a place that makes no sense', async () => {
    expect(await refused(['reset', 'a'], 2)).toContain('say where to with -to');
    expect(await refused(['reset', 'a', '-to', 'latest', '-partition', '1'], 2)).toContain(
      '-partition goes with -topic',
    );
    expect(await refused(['reset', 'a', '-to', 'soon'], 1)).toContain("not 'soon'");
    expect(await refused(['reset', 'a', '-to', 'latest', '-topic', 'none'], 1)).toContain('is not there');
  });
});
