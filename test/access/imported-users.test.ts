import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AccessDirectory } from '../../internal/access/directory.ts';
import { AccessEntries } from '../../internal/persistence/access-entries.ts';
import { SqliteStore } from '../../internal/store/sqlite/sqlite-store.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, openMqtt } from '../mqtt/client.ts';
import { eventually } from '../support/eventually.ts';
import { KeptLog } from '../support/logs.ts';

/** Of mosquitto_passwd, for `wonder land`. */
const FOREIGN =
  '$7$101$r8q83xZH7DYJ4GWI$Dwr0w3eh/vI/rKbzlEKqv+C/KmbWwK2fHj6XwncE8sJb0e4ffCOPcd/4DG98NkC6CQ8PuFN8SAscyv/XJ+Ndbg==';

let dataDir: string;
let broker: RunningBroker | undefined;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tinymq-imported-'));
});
afterEach(async () => {
  await broker?.close();
  rmSync(dataDir, { recursive: true });
});

/** What the store has of the user. */
async function stored(change?: (directory: AccessDirectory) => Promise<void>) {
  const store = new SqliteStore({ directory: dataDir, fsync: 'os' });
  await store.open();
  const directory = await AccessDirectory.open(new AccessEntries(store));
  await change?.(directory);
  await store.close();
  return directory.current.users.get('alice');
}

const credentials = { userName: 'alice', password: Buffer.from('wonder land') } as const;

describe('a user of mosquitto', () => {
  it('has a hash of ours after the first login, also after a restart', async () => {
    await stored((directory) =>
      directory.edit([
        {
          kind: 'put-user',
          user: { name: 'alice', isEnabled: true, groups: [], password: FOREIGN, scram: {} },
        },
        {
          kind: 'put-rule',
          rule: {
            id: 'all',
            effect: 'allow',
            users: ['alice'],
            actions: ['publish', 'subscribe'],
            topics: ['#'],
          },
        },
      ]),
    );
    const logger = new KeptLog();
    const start = () => startBroker({ listen: ['tcp://localhost:0'], dataDir, sysIntervalMs: 0, logger });
    broker = await start();
    const client = await connectMqtt(broker.url, 5, { clientId: 'c', ...credentials });
    const other = await connectMqtt(broker.url, 5, { clientId: 'd', ...credentials });
    await client.subscribe('t');
    await eventually(() => logger.lines.some((line) => line.includes('hashed anew')), 'a hash of ours');
    other.publish('t', 'still here');
    expect((await client.message()).topic).toBe('t');
    client.drop();
    other.drop();
    await broker.close();
    broker = undefined;
    const alice = await stored();
    expect(alice?.password).toMatch(/^scrypt\$/);
    expect(Object.keys(alice!.scram)).toEqual(['SCRAM-SHA-256', 'SCRAM-SHA-512']);
    broker = await start();
    (await connectMqtt(broker.url, 5, { clientId: 'c', ...credentials })).drop();
    const wrong = await openMqtt(broker.url, 5);
    expect(
      (await wrong.connect({ clientId: 'c', userName: 'alice', password: Buffer.from('x') })).reasonCode,
    ).toBe(0x86);
    wrong.drop();
  });
});
