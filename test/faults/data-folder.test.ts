import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectLasting } from '../mqtt/lasting-broker.ts';
import {
  type BrokerProcess,
  brokerProcess,
  program,
  REPORTING,
  run,
  start,
} from '../support/broker-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-folder-'));
const started: BrokerProcess[] = [];

afterAll(async () => {
  for (const broker of started) await broker.stop('SIGKILL');
  rmSync(folder, { recursive: true });
});

describe('a folder that another broker has', () => {
  it('ends a broker that was given it by name, and leaves one that was given none in memory', async () => {
    const first = await startIn(folder, '-data-dir', 'data');
    const { client } = await connectLasting(first, 5, 'lasting');
    const named = await run(program('broker'), ['-address', 'localhost:0', '-data-dir', 'data'], {
      cwd: folder,
    });
    expect(named).toMatchObject({ code: 1 });
    expect(named.stderr).toMatch(/data is in use by another broker \(process \d+\)/);
    const unnamed = await startIn(folder);
    await unnamed.logged({ msg: 'sessions, retained messages and users are in memory only' });
    const { sessionPresent } = await connectLasting(unnamed, 5, 'lasting');
    expect(sessionPresent).toBe(false);
    client.stream.destroy();
  });
});

/*
 * With a folder that could not be written to the broker started without a word, and disconnected the first client that
 * wanted something kept.
 */
describe('a folder that cannot be used', () => {
  it.each<[string, string]>([
    ['/proc/nothing', 'no such file or folder'],
    ['a-file', 'it exists already'],
    ['a-file/below', 'a part of the path is not a folder'],
  ])('%s ends the start of a broker that was given it by name', async (place, reason) => {
    writeFileSync(join(folder, 'a-file'), '');
    for (const flags of [[], ['-kafka', 'localhost:0'], ['-log', '#']]) {
      const args = ['-address', 'localhost:0', '-data-dir', place, ...flags];
      const ended = await run(program('broker'), args, { cwd: folder });
      expect(ended).toMatchObject({ code: 1, stdout: '' });
      expect(ended.stderr).toBe(`broker: the data folder ${place} cannot be used: ${reason}\n`);
    }
  });

  it('is told at the start where nobody named it, and sessions are in memory', async () => {
    const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
    writeFileSync(join(elsewhere, 'data'), 'somebody has this name');
    const broker = await startIn(elsewhere);
    await broker.logged({ level: 'warn', msg: 'sessions, retained messages and users are in memory only' });
    const { client } = await connectLasting(broker, 5, 'lasting');
    client.stream.destroy();
    const { sessionPresent } = await connectLasting(broker, 5, 'lasting');
    expect(sessionPresent).toBe(true);
  });
});

async function startIn(cwd: string, ...flags: string[]): Promise<BrokerProcess> {
  const broker = await brokerProcess(
    start(program('broker'), ['-address', 'localhost:0', ...REPORTING, ...flags], { cwd }),
  );
  started.push(broker);
  return broker;
}
