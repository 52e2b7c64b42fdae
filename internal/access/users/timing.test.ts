import { expect, it } from 'vitest';
import { peerOfTest } from '../../../test/support/access.ts';
import { directoryOf, userOf, userWithout } from '../../../test/support/users.ts';
import { Decoys } from './decoys.ts';
import { UserAuthenticator } from './user-authenticator.ts';

const FOREIGN =
  '$7$20000$r8q83xZH7DYJ4GWI$Dwr0w3eh/vI/rKbzlEKqv+C/KmbWwK2fHj6XwncE8sJb0e4ffCOPcd/4DG98NkC6CQ8PuFN8SAscyv/XJ+Ndbg==';

/**
 * Attempts are made in turn, so that a machine that is busy for a while is so for all of them, and of each kind the middle
 * one counts. A user who is not there used to be told at once elsewhere: a hundredth of the time, not half of it.
 */
it('a wrong password takes as long for a user who is not there, is disabled, or has none', async () => {
  const alice = await userOf('alice', 'wonder land');
  const users = new UserAuthenticator({
    directory: directoryOf(alice, { ...alice, name: 'gone', isEnabled: false }, userWithout('without')),
    allowsAnonymous: false,
  });
  const names = ['alice', 'nobody', 'gone', 'without'];
  const times = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < 15; round++) {
    for (const name of names) {
      const password = Buffer.from(`wrong ${round}`);
      const beganAt = performance.now();
      await users.authenticate(peerOfTest('c'), { kind: 'password', user: name, password });
      times.get(name)!.push(performance.now() - beganAt);
    }
  }
  const medians = names.map((name) => times.get(name)!.sort((one, other) => one - other)[7]!);
  expect(Math.max(...medians) / Math.min(...medians)).toBeLessThan(2);
});

/** Where some users have hashes of other brokers, unknown names are spread over both kinds, each always of the same. */
it('a user who is not there takes as long as one of those who are', async () => {
  const directory = directoryOf(
    await userOf('alice', 'wonder land'),
    ...Array.from({ length: 3 }, (_, index) => userWithout(`imported ${index}`, { password: FOREIGN })),
  );
  const decoys = new Decoys();
  const kinds = Array.from({ length: 200 }, (_, index) => {
    const hash = decoys.passwordHash(`nobody ${index}`, directory.current.users)!;
    expect(decoys.passwordHash(`nobody ${index}`, directory.current.users)).toBe(hash);
    return hash.startsWith('scrypt$') ? 'ours' : 'foreign';
  });
  expect(new Set(kinds)).toEqual(new Set(['ours', 'foreign']));
});
