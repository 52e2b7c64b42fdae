import { describe, expect, it } from 'vitest';
import type { AccessStore, StoredAccess, StoredAccessChange } from './access-store.ts';
import { AccessDirectory, type NewRule } from './directory.ts';
import type { Rule } from './rules/rule.ts';
import type { User } from './users/user.ts';

function user(name: string, groups: string[] = []): Omit<User, 'origin'> {
  return { name, isEnabled: true, groups, scram: {} };
}

function rule(id: string): NewRule {
  return { id, effect: 'allow', users: ['*'], actions: ['publish'], topics: ['a/#'] };
}

/** A store in memory whose writes wait until the test lets them. */
class SlowStore implements AccessStore {
  readonly written: (readonly StoredAccessChange[])[] = [];
  failure: Error | undefined;
  hold: Promise<void> | undefined;
  stored: StoredAccess = { users: [], rules: [], limits: [] };

  async read(): Promise<StoredAccess> {
    return this.stored;
  }

  async write(changes: readonly StoredAccessChange[]): Promise<void> {
    await this.hold;
    if (this.failure !== undefined) throw this.failure;
    this.written.push(changes);
  }
}

async function opened(store = new SlowStore()) {
  const directory = await AccessDirectory.open(store);
  let changes = 0;
  directory.onChange(() => changes++);
  return { store, directory, changes: () => changes };
}

const names = ({ current }: AccessDirectory) => [...current.users.keys()];
const ids = ({ current }: AccessDirectory) => current.rules.map(({ id }) => id);

describe('the directory of users and rules', () => {
  it('is open while nobody is named, and from the first user on never again', async () => {
    const { directory } = await opened();
    expect(directory.current.isProtected).toBe(false);
    await directory.edit([{ kind: 'add-user', user: user('anna') }]);
    expect(directory.current.isProtected).toBe(true);
    await directory.edit([{ kind: 'remove-user', name: 'anna' }]);
    expect(directory.current).toMatchObject({ users: new Map(), isProtected: true });
  });

  it('is protected by a file that names nobody', async () => {
    const { directory } = await opened();
    directory.replaceFile({ users: [], rules: [], limits: [] });
    expect(directory.current.isProtected).toBe(true);
  });

  it('makes all changes of an edit or none, and writes them at once', async () => {
    const { store, directory, changes } = await opened();
    const before = directory.current;
    await expect(
      directory.edit([
        { kind: 'add-user', user: user('anna') },
        { kind: 'remove-user', name: 'nobody' },
      ]),
    ).rejects.toMatchObject({ code: 'not-found' });
    expect([directory.current, store.written, changes()]).toEqual([before, [], 0]);
    await directory.edit([
      { kind: 'add-user', user: user('anna') },
      { kind: 'put-rule', rule: rule('r1') },
      { kind: 'alter-user', name: 'anna', fields: { groups: ['staff'] } },
    ]);
    expect(store.written).toHaveLength(1);
    expect(directory.current.users.get('anna')).toEqual({ ...user('anna', ['staff']), origin: 'store' });
    expect([ids(directory), changes(), directory.current.epoch]).toEqual([['r1'], 1, 1]);
  });

  it('shows a change only when it lasts, and never one that could not be kept', async () => {
    const { store, directory } = await opened();
    const { promise, resolve } = Promise.withResolvers<void>();
    store.hold = promise;
    const edit = directory.edit([{ kind: 'add-user', user: user('anna') }]);
    const next = directory.edit([{ kind: 'add-user', user: user('anna') }]);
    await Promise.resolve();
    expect(names(directory)).toEqual([]);
    resolve();
    await edit;
    await expect(next).rejects.toMatchObject({ code: 'exists' });
    store.failure = new Error('the disk is full');
    await expect(directory.edit([{ kind: 'remove-user', name: 'anna' }])).rejects.toThrow('the disk is full');
    expect(names(directory)).toEqual(['anna']);
    store.failure = undefined;
    await directory.edit([{ kind: 'remove-user', name: 'anna' }]);
    expect(names(directory)).toEqual([]);
  });

  it('lets the file win for what it names, and refuses to change that', async () => {
    const { directory } = await opened();
    await directory.edit([
      { kind: 'add-user', user: user('anna', ['old']) },
      { kind: 'add-user', user: user('ben') },
      { kind: 'put-rule', rule: rule('r1') },
      { kind: 'put-rule', rule: rule('r2') },
    ]);
    const declared = {
      users: [{ ...user('anna', ['new']), origin: 'file' } as User],
      rules: [{ ...rule('r2'), effect: 'deny', origin: 'file' } as Rule],
      limits: [],
    };
    directory.replaceFile(declared);
    expect(directory.current.users.get('anna')?.groups).toEqual(['new']);
    expect(directory.current.rules.map(({ id, effect }) => `${id} ${effect}`)).toEqual([
      'r2 deny',
      'r1 allow',
    ]);
    for (const change of [
      { kind: 'put-user', user: user('anna') },
      { kind: 'alter-user', name: 'anna', fields: {} },
      { kind: 'remove-user', name: 'anna' },
      { kind: 'put-rule', rule: rule('r2') },
      { kind: 'remove-rule', id: 'r2' },
    ] as const) {
      await expect(directory.edit([change])).rejects.toMatchObject({ code: 'declared' });
    }
    directory.replaceFile({ users: [], rules: [], limits: [] });
    expect(directory.current.users.get('anna')?.groups).toEqual(['old']);
    expect(ids(directory)).toEqual(['r1', 'r2']);
  });

  it('keeps rules where they are put, also after a restart and a hundred times between two', async () => {
    const { store, directory } = await opened();
    await directory.edit([
      { kind: 'put-rule', rule: rule('a') },
      { kind: 'put-rule', rule: rule('z') },
      { kind: 'put-rule', rule: rule('first'), place: 'first' },
    ]);
    const between: string[] = [];
    for (let count = 0; count < 100; count++) {
      const id = `m${count}`;
      between.unshift(id);
      const before = between[1] ?? 'z';
      await directory.edit([{ kind: 'put-rule', rule: rule(id), place: { before } }]);
    }
    const expected = ['first', 'a', ...between, 'z'];
    expect(ids(directory)).toEqual(expected);
    await directory.edit([{ kind: 'put-rule', rule: rule('a') }]);
    expect(ids(directory)).toEqual(expected);
    const kept = new Map(store.written.flat().map(({ name, value }) => [name, value]));
    const again = new SlowStore();
    again.stored = { users: [], limits: [], rules: [...kept.values()].reverse() as StoredAccess['rules'] };
    expect(ids(await AccessDirectory.open(again))).toEqual(expected);
    await directory.edit([{ kind: 'put-rule', rule: rule('a'), place: 'last' }]);
    expect(ids(directory).at(-1)).toBe('a');
  });

  it.each([
    [{ name: 'a\nb' }, 'line break'],
    [{ name: 'anonymous' }, 'a meaning in rules'],
    [{ groups: ['*'] }, "group '*': the name has a meaning in rules"],
    [{ groups: Array(1_001).fill('g') }, 'at most 1000 groups'],
    [{ password: 'secret' }, 'no hash as `tinymq users hash` makes it'],
    [{ scram: { 'SCRAM-SHA-256': scramKeys(10, 32) } }, 'have 4096 to 1000000 iterations'],
    [{ scram: { 'SCRAM-SHA-512': scramKeys(4096, 32) } }, 'have 64 bytes and a salt'],
  ])('refuses a user with %j', async (fields, reason) => {
    const { directory } = await opened();
    const change = { kind: 'add-user', user: { ...user('anna'), ...fields } } as const;
    const refusal = await directory.edit([change]).catch((error) => error);
    expect(refusal).toMatchObject({ code: 'invalid', message: expect.stringContaining(reason) });
    expect(refusal.message).not.toContain('secret');
  });

  it('refuses a rule that is not well formed', async () => {
    const { directory } = await opened();
    const change = { kind: 'put-rule', rule: { ...rule('r'), topics: ['a/#/b'] } } as const;
    await expect(directory.edit([change])).rejects.toMatchObject({ code: 'invalid' });
  });
});

function scramKeys(iterations: number, bytes: number) {
  const key = new Uint8Array(bytes);
  return { salt: new Uint8Array(16), iterations, storedKey: key, serverKey: key };
}
