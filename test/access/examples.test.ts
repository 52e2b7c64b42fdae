import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { identityOf } from '../../internal/access/identity.ts';
import type { Action, ResourceKind } from '../../internal/access/policy.ts';
import { openStoredAccess } from '../../internal/server/stored-access.ts';
import { peerOfTest } from '../support/access.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

const page = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');

/** The commands that stand below a heading of docs/security.md. */
function commandsOf(heading: string): string[][] {
  const [, block] = new RegExp(`### ${heading}\n\n\`\`\`sh\n(.*?)\`\`\``, 's').exec(page)!;
  return block!
    .trim()
    .split('\n')
    .map((line) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!));
}

type Answer = 'yes' | 'no';
type Question = [user: string | undefined, action: Action, kind: ResourceKind, name: string, answer: Answer];

describe('the usual cases of docs/security.md', () => {
  it.each<[string, Question[]]>([
    [
      'Devices that may only publish below their own name',
      [
        ['sensor-7', 'publish', 'topic', 'devices/sensor-7/temp', 'yes'],
        ['sensor-7', 'write', 'topic', 'devices/sensor-7/temp', 'yes'],
        ['sensor-7', 'publish', 'topic', 'devices/sensor-8/temp', 'no'],
        ['sensor-7', 'subscribe', 'topic', 'devices/sensor-7/temp', 'no'],
        ['sensor-7', 'subscribe', 'topic', '#', 'no'],
        [undefined, 'publish', 'topic', 'devices/sensor-7/temp', 'no'],
      ],
    ],
    [
      'A dashboard that may only read',
      [
        ['dashboard', 'subscribe', 'topic', 'devices/#', 'yes'],
        ['dashboard', 'read', 'topic', 'devices/a', 'yes'],
        ['dashboard', 'subscribe', 'topic', '#', 'no'],
        ['dashboard', 'publish', 'topic', 'devices/a', 'no'],
      ],
    ],
    [
      'A team on Kafka',
      [
        ['carla', 'write', 'topic', 'orders', 'yes'],
        ['carla', 'read', 'topic', 'orders/eu', 'yes'],
        ['carla', 'create', 'topic', 'orders/eu', 'yes'],
        ['carla', 'read', 'group', 'billing-1', 'yes'],
        ['carla', 'read', 'group', 'other', 'no'],
        ['carla', 'write', 'topic', 'payments', 'no'],
        ['carla', 'delete', 'topic', 'orders', 'no'],
      ],
    ],
    [
      'Mutual TLS only',
      [
        ['sensor-7', 'publish', 'topic', 'devices/sensor-7/a', 'yes'],
        ['sensor-7', 'publish', 'topic', 'devices/sensor-8/a', 'no'],
        [undefined, 'publish', 'topic', 'devices/sensor-7/a', 'no'],
        [undefined, 'connect', 'broker', 'broker', 'no'],
      ],
    ],
    [
      'A public topic that everybody may read',
      [
        [undefined, 'connect', 'broker', 'broker', 'yes'],
        [undefined, 'subscribe', 'topic', 'public/#', 'yes'],
        [undefined, 'subscribe', 'topic', '#', 'no'],
        [undefined, 'publish', 'topic', 'public/a', 'no'],
        ['anna', 'publish', 'topic', 'public/a', 'yes'],
      ],
    ],
  ])('%s', async (heading, questions) => {
    const dataDir = mkdtempSync(join(folder, 'data-'));
    for (const [program, ...args] of commandsOf(heading)) {
      if (program !== 'tinymq') continue;
      const more =
        args[0] === 'certs'
          ? ['-out', join(dataDir, 'certs')]
          : [
              '-data-dir',
              dataDir,
              ...(args[1] === 'add' && args[0] === 'users' ? ['-password-file', '-'] : []),
            ];
      const { code, errors } = await runTinymq([...args, ...more], 'secret');
      expect(code, errors).toBe(0);
    }
    if (heading === 'Mutual TLS only') expect(existsSync(join(dataDir, 'certs/sensor-7.key'))).toBe(true);
    await using stored = await openStoredAccess(dataDir);
    const { directory, rules } = stored.parts;
    for (const [user, action, kind, name, answer] of questions) {
      const groups = directory.current.users.get(user ?? '')?.groups ?? [];
      const who = identityOf(peerOfTest('c'), { user, groups });
      const { isAllowed, reason } = rules.explain(who, action, { kind, name });
      expect(isAllowed ? 'yes' : 'no', `${user} ${action} ${name}: ${reason}`).toBe(answer);
    }
  });
});
