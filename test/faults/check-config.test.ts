import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startBroker } from '../../pkg/embed/index.ts';
import { program, run } from '../support/broker-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-check-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const check = (...args: string[]) => run(program('broker'), ['-check-config', ...args], { cwd: folder });

describe('broker -check-config', () => {
  it('says that a configuration is right, and opens nothing, beside a broker too', async () => {
    const dataDir = join(folder, 'data');
    await using broker = await startBroker({
      listen: ['tcp://127.0.0.1:0'],
      dataDir,
      keep: [{ filter: 'a' }],
    });
    const address = broker.url.replace('tcp://', '');
    expect(await check('-address', address, '-data-dir', dataDir)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: `The configuration is right. It listens on ${broker.url}\n`,
    });
    expect((await check('-data-dir', 'new')).code).toBe(0);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  it('says everything that is wrong, each on a line of its own', async () => {
    writeFileSync(join(folder, 'users.yaml'), 'users:\n  anna: {password: hunter2}\n');
    const { code, stderr, stdout } = await check(
      ...['-users', 'users.yaml', '-tls-cert', 'no.crt', '-tls-key', 'no.key'],
      ...[
        '-address',
        'tls://no-such-host.invalid:1',
        '-certificate-user',
        'nothing',
        '-data-dir',
        '/dev/null/x',
      ],
    );
    expect([code, stdout]).toEqual([1, '']);
    for (const problem of [
      'cannot read the certificate no.crt',
      "users.yaml is not used: line 2: the password of 'anna' is no hash",
      'there is no host of that name',
      "'nothing' is none of cn",
      'the data folder /dev/null/x cannot be used',
    ])
      expect(stderr).toContain(`broker: ${problem.startsWith('there') ? '' : problem}`);
    expect(stderr).not.toContain('hunter2');
  });

  it('as JSON, and for what the flags contradict', async () => {
    const open = await check('-address', ':1', '-json');
    expect([open.code, JSON.parse(open.stdout)]).toMatchObject([
      1,
      { isRight: false, problems: [expect.stringContaining('would be open to everybody')] },
    ]);
    expect((await check('-tls-cert', 'x')).code).toBe(1);
  });

  it('says each fault of a file of options with its line and column, and what a value of it contradicts', async () => {
    const file = join(folder, 'tinymq.yaml');
    writeFileSync(file, 'listn: [mqtt://:1]\nkeep-for: soon\n');
    const faults = [
      "tinymq.yaml:1:1: 'listn' is not an option of broker; did you mean listen?",
      "tinymq.yaml:2:11: 'keep-for' is a time such as 2, 0.5, 500ms or 2m, not 'soon'",
    ];
    const { code, stderr } = await check('-config', 'tinymq.yaml');
    expect([code, stderr]).toEqual([1, faults.map((fault) => `broker: ${fault}\n`).join('')]);
    const asJson = await check('-config', 'tinymq.yaml', '-json');
    expect([asJson.code, JSON.parse(asJson.stdout)]).toMatchObject([1, { problems: faults }]);
    writeFileSync(file, 'memory: true\nkeep:\n  topics: [a/#/b]\n');
    expect((await check('-config', 'tinymq.yaml')).stderr).toBe(
      "broker: tinymq.yaml:3:3: -keep 'a/#/b': # must be the whole last level\n",
    );
  });
});
