import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../test/support/access.ts';
import { userOf, userWithout } from '../../test/support/users.ts';
import { keepsNothing } from './access-store.ts';
import { isRefusal } from './authenticator.ts';
import { AccessDirectory } from './directory.ts';
import { Standing } from './standing.ts';

const FOREIGN =
  '$6$F2AzuYH1MB560Jc3$kCuXF7FhCYON/CYXGFFcEKLL4mMymqV/v8Wk/uND3jSehLDvnkcOtp2/Q9q7eeDppBHf0Kc8hFI/ldRhwskXpg==';

/** Clients of one user with a foreign hash, whose first login had that replaced: the others must not be told to log in again. */
describe('a hash that is replaced by another of the same password', () => {
  it('lets those stay who were let in by the one before, until the password is another', async () => {
    const directory = await AccessDirectory.open(keepsNothing);
    await directory.edit([{ kind: 'add-user', user: userWithout('alice', { password: FOREIGN }) }]);
    const standing = new Standing(directory);
    const client = { ...identityOfTest('c'), user: 'alice' };
    standing.letIn(client, directory.current.users.get('alice')!);

    const { password = '', scram } = await userOf('alice', 'wonder land');
    const fields = { password, scram };
    const change = { kind: 'replace-password', name: 'alice', before: FOREIGN, fields } as const;
    standing.replacing(change);
    await directory.edit([change]);
    expect(isRefusal(standing.of(client))).toBe(false);
    // A change that comes too late changes nothing.
    await expect(directory.edit([change])).rejects.toThrow('changed meanwhile');

    const other = await userOf('alice', 'looking glass');
    await directory.edit([
      { kind: 'alter-user', name: 'alice', fields: { password: other.password, scram: other.scram } },
    ]);
    expect(isRefusal(standing.of(client))).toBe(true);
  });
});
