import { quoted } from '../errors.ts';
import * as accessLimits from '../limits/access.ts';
import { AccessError } from './access-error.ts';
import { checkLimit, type Limit } from './limits/limit.ts';
import type { Rule } from './rules/rule.ts';
import { SCRAM_HASHES } from './users/scram-keys.ts';
import { parseStoredHash } from './users/stored-hash.ts';
import { groupNameProblem, SCRAM_MECHANISMS, type User, userNameProblem } from './users/user.ts';

/** @throws AccessError `invalid`. */
export function checkUser(user: Pick<User, 'name' | 'groups' | 'password' | 'scram'>): void {
  const problem = userProblem(user);
  if (problem !== undefined) throw new AccessError('invalid', `user ${quoted(user.name)}: ${problem}`);
}

/** Why something cannot be a user; undefined where it can. Nothing secret stands in it. */
export function userProblem(user: Pick<User, 'name' | 'groups' | 'password' | 'scram'>): string | undefined {
  return userNameProblem(user.name) ?? groupsProblem(user.groups) ?? secretsProblem(user);
}

function groupsProblem(groups: readonly string[]): string | undefined {
  if (groups.length > accessLimits.maxGroupsOfUser)
    return `a user is in at most ${accessLimits.maxGroupsOfUser} groups`;
  for (const group of groups) {
    const problem = groupNameProblem(group);
    if (problem !== undefined) return `group ${quoted(group)}: ${problem}`;
  }
  return undefined;
}

function secretsProblem({ password, scram }: Pick<User, 'password' | 'scram'>): string | undefined {
  if (password !== undefined && parseStoredHash(password) === undefined)
    return 'its password is no hash as `tinymq users hash` makes it';
  for (const mechanism of SCRAM_MECHANISMS) {
    const keys = scram[mechanism];
    if (keys === undefined) continue;
    const { iterations, salt, storedKey, serverKey } = keys;
    const { minScramIterations: least, maxScramIterations: most } = accessLimits;
    if (!(iterations >= least && iterations <= most && Number.isInteger(iterations)))
      return `the keys for ${mechanism} have ${least} to ${most} iterations`;
    const { bytes } = SCRAM_HASHES[mechanism];
    if (salt.length === 0 || storedKey.length !== bytes || serverKey.length !== bytes)
      return `the keys for ${mechanism} have ${bytes} bytes and a salt`;
  }
  return undefined;
}

/** @throws AccessError `invalid` where an id stands twice, or there are too many. */
export function checkCounts(
  users: ReadonlyMap<string, User>,
  rules: readonly Rule[],
  limits: readonly Limit[],
): void {
  if (users.size > accessLimits.maxUsers)
    throw new AccessError('invalid', `a broker has at most ${accessLimits.maxUsers} users`);
  if (rules.length > accessLimits.maxRules)
    throw new AccessError('invalid', `a broker has at most ${accessLimits.maxRules} rules`);
  checkIds('rules', rules);
  if (limits.length > accessLimits.maxLimits)
    throw new AccessError('invalid', `a broker has at most ${accessLimits.maxLimits} limits`);
  for (const limit of limits) checkLimit(limit);
  checkIds('limits', limits);
}

function checkIds(what: string, entries: readonly { readonly id: string }[]): void {
  const ids = new Set<string>();
  for (const { id } of entries) {
    if (ids.has(id)) throw new AccessError('invalid', `two ${what} have the id ${quoted(id)}`);
    ids.add(id);
  }
}
