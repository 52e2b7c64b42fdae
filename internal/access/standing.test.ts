import { describe, expect, it } from 'vitest';
import { peerOfTest } from '../../test/support/access.ts';
import { userOf, userWithout } from '../../test/support/users.ts';
import { keepsNothing } from './access-store.ts';
import { isRefusal } from './authenticator.ts';
import { AccessDirectory } from './directory.ts';
import { Standing } from './standing.ts';
import { HashQueue } from './users/hash-queue.ts';
import { UserAuthenticator } from './users/user-authenticator.ts';

const FOREIGN =
  '$6$F2AzuYH1MB560Jc3$kCuXF7FhCYON/CYXGFFcEKLL4mMymqV/v8Wk/uND3jSehLDvnkcOtp2/Q9q7eeDppBHf0Kc8hFI/ldRhwskXpg==';
/** Of a password that nobody knows. */
const OTHER_FOREIGN = `$6$F2AzuYH1MB560Jc3$${Buffer.alloc(64, 1).toString('base64')}`;

/** What is to be hashed waits until the test lets it. */
class HeldQueue extends HashQueue {
  readonly held = Promise.withResolvers<void>();

  override async run<T>(work: () => Promise<T>): Promise<T> {
    await this.held.promise;
    return super.run(work);
  }
}

async function opened(password: string) {
  const directory = await AccessDirectory.open(keepsNothing);
  await directory.edit([{ kind: 'add-user', user: userWithout('alice', { password }) }]);
  const standing = new Standing(directory);
  const queue = new HeldQueue();
  const users = new UserAuthenticator({ directory, standing, queue, allowsAnonymous: false });
  const logIn = () =>
    users.authenticate(peerOfTest('c'), {
      kind: 'password',
      user: 'alice',
      password: Buffer.from('wonder land'),
    });
  const change = (fields: object) => directory.edit([{ kind: 'alter-user', name: 'alice', fields }]);
  const present = () => directory.current.users.get('alice')!;
  return { standing, queue, logIn, change, present };
}

/**
 * A password was changed while a login with the one before was being checked, which takes longest where many log in. That
 * client counted as one who had shown the new password, and stayed; a foreign hash was even made anew of the old password.
 */
describe('a password that is changed while the one before is checked', () => {
  const changes = [
    ['a hash of ours', async () => (await userOf('alice', 'looking glass')).password],
    ['a hash of another broker', async () => OTHER_FOREIGN],
  ] as const;

  it.each(changes)('keeps out whoever showed the one before: %s', async (_, changed) => {
    const { standing, queue, logIn, change, present } = await opened(FOREIGN);
    const login = logIn();
    const password = await changed();
    await change({ password });
    queue.held.resolve();
    const found = await login;
    if (!isRefusal(found))
      expect(standing.of(found)).toMatchObject({ reason: expect.stringContaining('was changed') });
    // What replaces a hash would run behind this.
    await queue.run(async () => {});
    expect(present().password).toBe(password);
  });

  it('lets in whoever showed a hash that is only made anew, and who is in other groups', async () => {
    const { standing, queue, logIn, change } = await opened(FOREIGN);
    const logins = [logIn(), logIn()];
    await change({ groups: ['staff'] });
    queue.held.resolve();
    for (const login of logins) {
      const found = await login;
      if (isRefusal(found)) throw new Error(found.reason);
      expect(standing.of(found)).toMatchObject({ user: 'alice', groups: ['staff'] });
    }
  });
});
