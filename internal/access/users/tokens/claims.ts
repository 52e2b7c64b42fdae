import { maxTokenGroups } from '../../../limits/access.ts';
import { groupNameProblem, userNameProblem } from '../user.ts';

/** The claims of a token that say who somebody is. */
export interface ClaimNames {
  /** Such as `sub`; a dot leads into an object, unless a claim has the whole name. */
  readonly user: string;
  readonly groups: string;
}

export type Claims = Readonly<Record<string, unknown>>;

/** @throws Error, where the claim is missing or no name. */
export function userOfClaims(claims: Claims, { user }: ClaimNames): string {
  const name = claimOf(claims, user);
  if (typeof name !== 'string') throw new Error(`its claim ${user} is no text`);
  const problem = userNameProblem(name);
  if (problem !== undefined) throw new Error(`its claim ${user} is no name of a user: ${problem}`);
  return name;
}

/**
 * The groups of a token: a list, or names with spaces in between as in `scope` (RFC 8693). One that is no name makes the
 * whole token useless: if it were passed over, so would be the rules that deny something to that group.
 *
 * @throws Error.
 */
export function groupsOfClaims(claims: Claims, { groups }: ClaimNames): readonly string[] {
  const claim = claimOf(claims, groups);
  if (claim === undefined || claim === null) return [];
  const names: unknown[] =
    typeof claim === 'string' ? claim.split(' ').filter((name) => name !== '') : listOf(claim, groups);
  if (names.length > maxTokenGroups)
    throw new Error(`its claim ${groups} has more than ${maxTokenGroups} groups`);
  return names.map((name) => {
    const problem = typeof name === 'string' ? groupNameProblem(name) : 'it is no text';
    if (problem !== undefined)
      throw new Error(`its claim ${groups} has something that is no group: ${problem}`);
    return name as string;
  });
}

function listOf(claim: unknown, name: string): unknown[] {
  if (!Array.isArray(claim)) throw new Error(`its claim ${name} is neither a list nor a text`);
  return claim;
}

function claimOf(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Claims)[name];
  }
  return value;
}
