import { makePassword, type ReplacedPassword } from '../../internal/access/users/passwords.ts';
import type { User } from '../../internal/access/users/user.ts';
import type { UserDirectory } from '../../internal/access/users/user-authenticator.ts';

/** A directory of users that a test may change. */
export function directoryOf(...users: User[]) {
  const directory = {
    current: { users: mapOf(users), isProtected: true },
    async edit([change]: readonly ReplacedPassword[]) {
      const user = directory.current.users.get(change!.name);
      if (user?.password !== change!.before) throw new Error('changed meanwhile');
      directory.change({ ...user, ...change!.fields });
    },
    change(...changed: User[]) {
      directory.current = {
        users: mapOf([...directory.current.users.values(), ...changed]),
        isProtected: true,
      };
    },
  };
  return directory satisfies UserDirectory;
}

function mapOf(users: readonly User[]): ReadonlyMap<string, User> {
  return new Map(users.map((user) => [user.name, user]));
}

/** A user with this password; hashing it takes as long as it does in the product. */
export async function userOf(name: string, password: string, more: Partial<User> = {}): Promise<User> {
  return { ...userWithout(name), ...(await makePassword(password)), ...more };
}

/** A user without a password. */
export function userWithout(name: string, more: Partial<User> = {}): User {
  return { name, isEnabled: true, groups: [], scram: {}, origin: 'store', ...more };
}
