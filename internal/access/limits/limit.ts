import { nameForLog, quoted } from '../../errors.ts';
import { maxLimitValue, maxUserNameBytes } from '../../limits/access.ts';
import { AccessError } from '../access-error.ts';
import type { User } from '../users/user.ts';

/** Rates, of a second: who goes faster is slowed. */
export const RATE_NAMES = [
  'connectionsPerSecond',
  'messagesInPerSecond',
  'messagesOutPerSecond',
  'bytesInPerSecond',
  'bytesOutPerSecond',
] as const;

/** Numbers: what would go beyond them is refused. */
export const COUNT_NAMES = [
  'connections',
  'subscriptions',
  'sessions',
  'inflight',
  'queuedBytes',
  'retainedBytes',
] as const;

export type RateName = (typeof RATE_NAMES)[number];
export type CountName = (typeof COUNT_NAMES)[number];

/** What can be bounded for one user, one group or one client. */
export type LimitName = RateName | CountName;

/**
 * Bounds for whoever it names. Connections and rates are shared by all of them; subscriptions, messages in flight and queued
 * bytes are those of each client, sessions and retained bytes those of each user. Where it names several, as a user and a client,
 * it is for who is both. Without a name it is for everybody, each user on his own, and each client without a user; it holds
 * where no limit that names them says something else of the same.
 */
export interface Limit {
  readonly id: string;
  readonly user?: string;
  readonly group?: string;
  readonly client?: string;
  readonly values: Readonly<Partial<Record<LimitName, number>>>;
  readonly origin: User['origin'];
}

export const LIMIT_NAMES: readonly LimitName[] = [...RATE_NAMES, ...COUNT_NAMES];

const NAMES: ReadonlySet<string> = new Set(LIMIT_NAMES);
/** Nothing of these would be a client that can do nothing. */
const AT_LEAST_ONE: ReadonlySet<string> = new Set([...RATE_NAMES, 'inflight', 'queuedBytes']);

/** A limit as it stands in a file. @throws AccessError `invalid` */
export function parseLimit(form: unknown, id: string): Limit {
  if (typeof form !== 'object' || form === null || Array.isArray(form))
    throw new AccessError('invalid', 'a limit is a group of keys');
  const { user, group, client, ...values } = form as Record<string, unknown>;
  for (const [what, name] of Object.entries({ user, group, client })) {
    if (name !== undefined && typeof name !== 'string')
      throw new AccessError('invalid', `${what} is the name of one`);
  }
  const limit = { id, user, group, client, values, origin: 'file' } as Limit;
  checkLimit(limit);
  return limit;
}

/** A limit as it stands in a file, without its id. */
export function limitForm({ user, group, client, values }: Limit): Record<string, unknown> {
  return {
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
    ...(client !== undefined && { client }),
    ...values,
  };
}

/** A limit in plain words: `connections 10, inflight 20 for user anna`. */
export function describeLimit({ user, group, client, values }: Limit): string {
  const bounds = Object.entries(values).map(([name, value]) => `${name} ${value}`);
  const names = Object.entries({ user, group, client }).filter(([, name]) => name !== undefined);
  const whom = names.map(([what, name]) => `${what} ${nameForLog(name!)}`).join(' and ');
  return `${bounds.join(', ')} for ${whom === '' ? 'everybody else, each' : whom}`;
}

/** @throws AccessError `invalid` where something of a limit is not what it has to be. */
export function checkLimit({ id, user, group, client, values }: Limit): void {
  const problem =
    nameProblem('id', id) ??
    nameProblem('user', user) ??
    nameProblem('group', group) ??
    nameProblem('client', client) ??
    valuesProblem(values);
  if (problem !== undefined) throw new AccessError('invalid', `limit ${quoted(id)}: ${problem}`);
}

function nameProblem(what: string, name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (name === '') return `its ${what} is empty`;
  if (Buffer.byteLength(name) > maxUserNameBytes)
    return `its ${what} has more than ${maxUserNameBytes} bytes`;
  return undefined;
}

function valuesProblem(values: Limit['values']): string | undefined {
  const entries = Object.entries(values);
  if (entries.length === 0) return 'it bounds nothing';
  for (const [name, value] of entries) {
    if (!NAMES.has(name)) return `there is no limit of ${quoted(name)}; there are ${[...NAMES].join(', ')}`;
    const least = AT_LEAST_ONE.has(name) ? 1 : 0;
    if (!Number.isSafeInteger(value) || value < least || value > maxLimitValue)
      return `${name} is a whole number from ${least} to ${maxLimitValue}`;
  }
  return undefined;
}
