import { describe, expect, it } from 'vitest';
import { AccessDirectory } from '../access/directory.ts';
import type { User } from '../access/users/user.ts';
import { MemoryEntries } from '../store/memory/memory-entries.ts';
import { AccessEntries } from './access-entries.ts';
import { accessKey } from './entry-keys.ts';

const keys = {
  salt: Uint8Array.of(1, 2, 255),
  iterations: 4096,
  storedKey: new Uint8Array(32).fill(7),
  serverKey: new Uint8Array(32).fill(200),
};

const anna: Omit<User, 'origin'> = {
  name: 'ann/ä',
  isEnabled: false,
  groups: ['staff'],
  password: `scrypt$16384$8$1$${'A'.repeat(22)}==$${'A'.repeat(43)}=`,
  scram: { 'SCRAM-SHA-256': keys },
};

const rule = { effect: 'allow', users: ['*'], actions: ['publish'], topics: ['a/%u'] } as const;

describe('users and rules in a store', () => {
  it('are read as they were written, and nothing else is', async () => {
    const entries = new MemoryEntries();
    await entries.putEntries([
      { key: 'Z', value: Uint8Array.of(1) },
      { key: 'r/a/b', value: Uint8Array.of(1) },
    ]);
    const directory = await AccessDirectory.open(new AccessEntries(entries));
    await directory.edit([
      { kind: 'add-user', user: anna },
      { kind: 'put-rule', rule: { ...rule, id: '2' } },
      { kind: 'put-rule', rule: { ...rule, id: '1', effect: 'deny' }, place: 'first' },
      { kind: 'put-limit', limit: { id: 'l', user: 'x', values: { connections: 3 } } },
    ]);
    const again = await AccessDirectory.open(new AccessEntries(entries));
    expect(again.current).toEqual({ ...directory.current, epoch: 0 });
    await again.edit([
      { kind: 'remove-user', name: anna.name },
      { kind: 'remove-rule', id: '2' },
      { kind: 'remove-limit', id: 'l' },
    ]);
    const last = await AccessDirectory.open(new AccessEntries(entries));
    expect(last.current.rules.map(({ id }) => id)).toEqual(['1']);
    // What is left is a rule, the seal, and the two of others.
    expect([last.current.users.size, last.current.limits.length, entries.size]).toEqual([0, 0, 4]);
  });

  it.each([
    ['a value of a newer version', 'user', Uint8Array.of(0x83, 1)],
    ['a value that is cut off', 'user', Buffer.from('\x81{"isEnabled":true', 'latin1')],
    ['no user', 'user', Buffer.from('\x81{}', 'latin1')],
    ['no rule', 'rule', Buffer.from('\x81{"order":1,"rule":{}}', 'latin1')],
  ] as const)('are not read without %s', async (_, kind, value) => {
    const entries = new MemoryEntries();
    await entries.putEntries([{ key: accessKey(kind, 'anna'), value }]);
    await expect(AccessDirectory.open(new AccessEntries(entries))).rejects.toThrow(
      /the stored entry "a\/[ur]\/anna" cannot be read: /,
    );
  });
});
