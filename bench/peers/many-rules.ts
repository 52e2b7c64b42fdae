import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const USERS = 100;
/** Rules that are for everybody, and so are looked at for each client. */
const FOR_EVERYBODY = 98;

/**
 * Writes a file of 100 users and 200 rules. Clients of the cases show no credentials, and the last two rules are what lets
 * them in; all that are for everybody stand before these.
 */
export function writeManyRules(folder: string): string {
  const users = Object.fromEntries(
    Array.from({ length: USERS }, (_, user) => [`user-${user}`, { groups: [`group-${user % 10}`] }]),
  );
  const own = Array.from({ length: USERS }, (_, user) => ({
    allow: ['publish', 'subscribe'],
    users: [`user-${user}`],
    topics: [`devices/user-${user}/#`],
  }));
  // They are about names that the cases do not use, and that their filters do not match.
  const common = Array.from({ length: FOR_EVERYBODY }, (_, index) => ({
    [index % 2 === 0 ? 'allow' : 'deny']: ['publish', 'subscribe'],
    users: ['*'],
    topics: [`$SYS/internal/${index}/+/%u/#`, `$SYS/internal/${index}/#`],
  }));
  const anonymous = [
    { allow: ['publish', 'subscribe', 'create', 'describe'], users: ['anonymous'], topics: ['#'] },
    { allow: ['subscribe', 'describe'], users: ['anonymous'], consumerGroups: ['*'] },
  ];
  const file = join(folder, 'many-rules.json');
  writeFileSync(file, JSON.stringify({ users, rules: [...own, ...common, ...anonymous] }), { mode: 0o600 });
  return file;
}
