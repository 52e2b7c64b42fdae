import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { startBroker } from '../../../pkg/embed/index.ts';
import { runTinymq } from '../../../test/support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-import-smq-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A database as the original's server makes it; the first message of each topic was deleted. */
function original(topics: Record<string, readonly string[]>): string {
  const file = join(mkdtempSync(join(folder, 'original-')), 'dbtest.db');
  const database = new DatabaseSync(file);
  for (const [name, messages] of Object.entries(topics)) {
    database.exec(
      `CREATE TABLE Topic_${name} ("offset" INTEGER PRIMARY KEY AUTOINCREMENT, "time" TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "data" BLOB)`,
    );
    const insert = database.prepare(`INSERT INTO Topic_${name} (data) VALUES (?)`);
    for (const message of ['deleted', ...messages]) insert.run(Buffer.from(message));
    database.exec(`DELETE FROM Topic_${name} WHERE "offset" = 1`);
  }
  database.close();
  return file;
}

describe('tinymq import smq', () => {
  it('copies a database, which a broker then serves; a second time it changes nothing', async () => {
    const file = original({ orders: ['a', 'b'], bills: ['c'] });
    const dataDir = join(folder, 'data');
    const run = (...flags: string[]) => runTinymq(['import', 'smq', file, '-data-dir', dataDir, ...flags]);
    expect(await run()).toEqual({
      code: 0,
      out: `Copied 2 topics with 3 messages into ${dataDir}.\n`,
      errors: '',
    });
    const again = await run('-json');
    expect(again).toMatchObject({ code: 0, errors: '' });
    expect(JSON.parse(again.out)).toEqual({
      from: file,
      into: dataDir,
      topics: [
        { topic: 'bills', outcome: 'before', messages: 1 },
        { topic: 'orders', outcome: 'before', messages: 2 },
      ],
    });
    expect((await run()).out).toBe(
      `Copied 0 topics with 0 messages into ${dataDir}; 2 topics had been copied before.\n`,
    );
    await using broker = await startBroker({ dataDir, grpc: { listen: ['tcp://127.0.0.1:0'] } });
    const at = ['-address', new URL(broker.url).host];
    const read = await runTinymq(['smq', 'consume', 'orders', '-exit', '-format', '%o%s ', ...at]);
    expect(read).toEqual({ code: 0, out: '2a 3b ', errors: '' });
    const locked = await run();
    expect(locked).toMatchObject({ code: 1, out: '' });
    expect(locked.errors).toContain(dataDir);
  });

  it('leaves a topic alone that is there already, and says so', async () => {
    const dataDir = join(folder, 'taken');
    await runTinymq(['import', 'smq', original({ kept: ['a'] }), '-data-dir', dataDir]);
    {
      await using broker = await startBroker({ dataDir, grpc: { listen: ['tcp://127.0.0.1:0'] } });
      await runTinymq(['smq', 'topics', 'create', 'mine', '-address', new URL(broker.url).host]);
    }
    const file = original({ mine: ['x'], other: ['y'] });
    const { code, out, errors } = await runTinymq(['import', 'smq', file, '-data-dir', dataDir]);
    expect({ code, out }).toEqual({ code: 1, out: `Copied 1 topic with 1 message into ${dataDir}.\n` });
    expect(errors.split('\n')).toEqual([
      "tinymq import smq: topic 'mine': there is another one of that name already",
      'tinymq import smq: 1 topic left out, all others copied',
      '',
    ]);
  });

  it('says where there is nothing to import, and makes no folder then', async () => {
    const [nowhere, text, dataDir] = ['nowhere', 'text', 'none'].map((name) => join(folder, name));
    writeFileSync(text, 'no database');
    expect(await runTinymq(['import', 'smq', nowhere, '-data-dir', dataDir])).toMatchObject({
      code: 2,
      errors: `tinymq import smq: there is no file ${nowhere} (see tinymq import smq -help)\n`,
    });
    expect(await runTinymq(['import', 'smq', text, '-data-dir', dataDir])).toMatchObject({
      code: 1,
      errors: `tinymq import smq: ${text} is not a database of SMQ: it is no file of SQLite\n`,
    });
    expect(existsSync(dataDir)).toBe(false);
  });
});
