import { hash } from 'node:crypto';
import type { AccessChange, AccessDirectory } from '../../access/directory.ts';
import type { Limit, LimitName } from '../../access/limits/limit.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { directoryError, NO_DIRECTORY } from './directory-errors.ts';
import { type KafkaError, kafkaError, NO_ERROR } from './errors.ts';
import type { KafkaParts } from './handler.ts';
import { duplicatesOf } from './topics.ts';

/**
 * Kafka's client quotas are limits of the directory: those of a user, of a client id, of both together, and the one of every
 * user who has none of his own. Limits of groups are none of Kafka's.
 */

/** A part of what a quota is for; no name stands for the default. */
export interface EntityPart {
  readonly entityType: string;
  readonly entityName: string | null;
}

/** What is done to one quota. */
export interface QuotaOperation {
  readonly key: string;
  readonly value: number;
  readonly remove: boolean;
}

/** What is looked for in one part of an entity. */
export interface EntityFilter {
  readonly entityType: string;
  readonly matchType: number;
  readonly match: string | null;
}

/** Whom a limit is for, as far as Kafka has words for it. */
type Entity = Pick<Limit, 'user' | 'client'>;

const USER = 'user';
const CLIENT = 'client-id';
const IP = 'ip';

/** Kafka's names of quotas, and the limit that each of them is. */
const QUOTAS: Readonly<Record<string, LimitName>> = {
  producer_byte_rate: 'bytesInPerSecond',
  consumer_byte_rate: 'bytesOutPerSecond',
};

/** Quotas of Kafka that are not served, and why. */
const NOT_SERVED: Readonly<Record<string, string>> = {
  request_percentage: 'the time of requests is not measured by user; bound bytes or messages',
  controller_mutation_rate: 'changes of topics are not bounded by rate',
  connection_creation_rate:
    'connections are bounded by user and client (limit connectionsPerSecond), not by address',
};

/** All quotas that a filter finds, each with what it is for. */
export function findQuotas(
  { directory }: KafkaParts,
  components: readonly EntityFilter[],
  isStrict: boolean,
) {
  const problem = filterProblem(components);
  if (problem !== undefined) return problem;
  const found = new Map<string, { entity: EntityPart[]; values: { key: string; value: number }[] }>();
  for (const limit of directory?.current.limits ?? []) {
    if (limit.group !== undefined || !isFound(limit, components, isStrict)) continue;
    const entry = found.get(idOf(limit)) ?? { entity: partsOf(limit), values: [] };
    for (const [key, name] of Object.entries(QUOTAS)) {
      const value = limit.values[name];
      if (value !== undefined) entry.values.push({ key, value });
    }
    if (entry.values.length > 0) found.set(idOf(limit), entry);
  }
  return [...found.values()];
}

/** Sets quotas of one entity and takes them away: all of it or nothing. */
export async function alterQuotas(
  { directory }: KafkaParts,
  parts: readonly EntityPart[],
  operations: readonly QuotaOperation[],
  validateOnly: boolean,
): Promise<KafkaError> {
  if (directory === undefined) return NO_DIRECTORY;
  const entity = entityOf(parts);
  const problem = typeof entity === 'string' ? entity : operationsProblem(operations);
  if (typeof entity === 'string' || problem !== undefined) {
    return kafkaError(KafkaErrorCode.invalidRequest, problem!);
  }
  if (validateOnly) return NO_ERROR;
  try {
    await directory.edit(changesFor(directory, entity, operations));
    return NO_ERROR;
  } catch (error) {
    return directoryError(error, KafkaErrorCode.invalidRequest);
  }
}

/** A limit that has a quota already is changed, whoever made it; what is new goes into one of Kafka's own. */
function changesFor(
  { current }: AccessDirectory,
  entity: Entity,
  operations: readonly QuotaOperation[],
): AccessChange[] {
  const own = { id: idOf(entity), ...entity, values: {} };
  const before = current.limits.filter((limit) => limit.group === undefined && idOf(limit) === own.id);
  const after = new Map<string, Omit<Limit, 'origin'>>(before.map((limit) => [limit.id, limit]));
  const changed = new Set<string>();
  const put = (limit: Omit<Limit, 'origin'>, values: Limit['values']) => {
    changed.add(limit.id);
    after.set(limit.id, { ...limit, values });
  };
  for (const { key, value, remove } of operations) {
    const name = QUOTAS[key]!;
    const holders = [...after.values()].filter(({ values }) => values[name] !== undefined);
    for (const holder of holders) {
      const { [name]: _, ...others } = holder.values;
      put(holder, remove ? others : { ...others, [name]: value });
    }
    if (holders.length > 0 || remove) continue;
    const limit = after.get(own.id) ?? own;
    put(limit, { ...limit.values, [name]: value });
  }
  return Array.from(changed, (id) => {
    const limit = after.get(id)!;
    const isEmpty = Object.keys(limit.values).length === 0;
    return isEmpty ? { kind: 'remove-limit', id } : { kind: 'put-limit', limit };
  });
}

/** The id of the limit that Kafka's clients make; the same for every limit of the same entity. */
function idOf({ user, client }: Entity): string {
  const names = JSON.stringify([user ?? null, client ?? null]);
  return `quota-${hash('sha256', names, 'base64url').slice(0, 22)}`;
}

function partsOf({ user, client }: Entity): EntityPart[] {
  const parts: EntityPart[] = [];
  // The limit of everybody who has none is that of each user.
  if (user !== undefined || client === undefined) parts.push({ entityType: USER, entityName: user ?? null });
  if (client !== undefined) parts.push({ entityType: CLIENT, entityName: client });
  return parts;
}

/** Whom a quota would be for, or why it cannot be. */
function entityOf(parts: readonly EntityPart[]): Entity | string {
  const types = parts.map(({ entityType }) => entityType);
  if (parts.length === 0) return 'a quota is for somebody: a user, a client id or both';
  const unknown = types.find((type) => type !== USER && type !== CLIENT);
  if (unknown === IP) return NOT_SERVED.connection_creation_rate!;
  if (unknown !== undefined) return `a quota is for a ${USER} or a ${CLIENT}`;
  if (duplicatesOf(types).size > 0) return 'a quota names each type once';
  if (parts.some(({ entityName }) => entityName === '')) return 'a name is not empty';
  const user = parts.find(({ entityType }) => entityType === USER);
  const client = parts.find(({ entityType }) => entityType === CLIENT);
  if (client?.entityName === null)
    return `there is no default for a ${CLIENT}; the one of users is for clients without a user, too`;
  if (client !== undefined && user?.entityName === null)
    return `a quota of a ${CLIENT} is for one ${USER} or for all together`;
  return {
    ...(typeof user?.entityName === 'string' && { user: user.entityName }),
    ...(client !== undefined && { client: client.entityName }),
  };
}

function operationsProblem(operations: readonly QuotaOperation[]): string | undefined {
  const keys = operations.map(({ key }) => key);
  if (duplicatesOf(keys).size > 0) return 'a quota is set or removed once in a request';
  for (const { key, value, remove } of operations) {
    if (QUOTAS[key] === undefined)
      return `${key} is not served: ${NOT_SERVED[key] ?? 'there is no such quota'}`;
    if (!remove && !(Number.isSafeInteger(value) && value > 0)) return `${key} is a whole number above 0`;
  }
  return undefined;
}

/** How a part of a filter is meant. */
const Match = { exact: 0, default: 1, any: 2 } as const;

function filterProblem(components: readonly EntityFilter[]): KafkaError | undefined {
  const types = components.map(({ entityType }) => entityType);
  const invalid = (text: string) => kafkaError(KafkaErrorCode.invalidRequest, text);
  if (duplicatesOf(types).size > 0) return invalid('a filter names each type once');
  const known = [USER, CLIENT, IP];
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined) {
    return kafkaError(KafkaErrorCode.unsupportedVersion, `quotas are for ${known.join(', ')}`);
  }
  if (types.includes(IP) && types.length > 1) return invalid(`an ${IP} stands alone`);
  for (const { matchType, match } of components) {
    if (!Object.values(Match).some((type) => type === matchType))
      return invalid(`there is no match type ${matchType}`);
    if ((matchType === Match.exact) === (match === null))
      return invalid('a name is said for an exact match, and only there');
  }
  return undefined;
}

function isFound(limit: Entity, components: readonly EntityFilter[], isStrict: boolean): boolean {
  const parts = partsOf(limit);
  if (isStrict && parts.length !== components.length) return false;
  return components.every(({ entityType, matchType, match }) => {
    const part = parts.find((each) => each.entityType === entityType);
    if (part === undefined) return false;
    return matchType === Match.any || part.entityName === match;
  });
}
