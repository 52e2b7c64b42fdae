import { hash } from 'node:crypto';
import { isIP } from 'node:net';
import { kafkaNameProblem, nameProblem } from './parse-rules.ts';
import {
  ANONYMOUS,
  type Effect,
  EVERYBODY,
  type KAFKA_PATTERNS,
  type KAFKA_RESOURCES,
  type KafkaOperation,
  type KafkaRule,
  type Rule,
} from './rule.ts';

/**
 * ACL bindings of Kafka as rules, and back without loss.
 *
 * CreateAcls asks {@link bindingProblem} and puts {@link ruleOfBinding} into the directory (`put-rule`); the same binding has
 * the same id, so making it twice makes one. DescribeAcls lists {@link bindingsOf} all rules that {@link matchesBinding} its
 * filter; DeleteAcls removes these by their ids. Both ask {@link bindingFilterProblem} first. What they are told is
 * answered with INVALID_REQUEST.
 *
 * Only rules that came by Kafka are bindings: others say more than a binding can. `rule-order.ts` says how they are asked
 * with others; `rule-actions.ts` what each operation implies.
 */

/** An ACL binding in the numbers and names of Kafka's protocol. */
export interface AclBinding {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** What DescribeAcls and DeleteAcls look for: in each place a value, or ANY or null for all of them. */
export type AclBindingFilter = Omit<AclBinding, 'resourceName' | 'principal' | 'host'> & {
  readonly resourceName: string | null;
  readonly principal: string | null;
  readonly host: string | null;
};

export const AclResourceType = { any: 1, topic: 2, group: 3, cluster: 4, transactionalId: 5 } as const;
export const AclPatternType = { any: 1, match: 2, literal: 3, prefixed: 4 } as const;
export const AclPermission = { any: 1, deny: 2, allow: 3 } as const;
export const AclOperation = {
  any: 1,
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;

/** Says why a binding cannot be a rule, or undefined where it can. */
export function bindingProblem(binding: AclBinding): string | undefined {
  const { resourceType, resourceName, patternType, principal, host, operation, permissionType } = binding;
  const resource = RESOURCES.get(resourceType);
  if (resource === undefined) return `resources of type ${resourceType} are not served`;
  const pattern = PATTERNS.get(patternType);
  if (pattern === undefined) return `a binding is literal or prefixed, not of pattern type ${patternType}`;
  if (!OPERATIONS.has(operation)) return `operation ${operation} is not served`;
  if (!EFFECTS.has(permissionType))
    return `a binding allows or denies; it has permission type ${permissionType}`;
  return (
    kafkaNameProblem(resource, pattern, resourceName) ?? principalProblem(principal) ?? hostProblem(host)
  );
}

/** The rule that a binding is; {@link bindingProblem} has found nothing. */
export function ruleOfBinding(binding: AclBinding): KafkaRule {
  const { resourceType, resourceName, patternType, principal, host, operation, permissionType } = binding;
  return {
    id: idOf(binding),
    origin: 'store',
    effect: EFFECTS.get(permissionType)!,
    actions: [OPERATIONS.get(operation)!],
    users: [userOf(principal)],
    ...(host !== ANY_HOST && { hosts: [host] }),
    kafka: {
      resource: RESOURCES.get(resourceType)!,
      pattern: PATTERNS.get(patternType)!,
      name: resourceName,
    },
  };
}

/**
 * The bindings that a rule is: one, as {@link ruleOfBinding} made it. A rule of Kafka's kind that somebody wrote into a file may
 * be for several users and hosts; one with groups says what no binding can.
 */
export function bindingsOf(rule: Rule): AclBinding[] {
  const { kafka, effect, users = [], groups, hosts = [ANY_HOST] } = rule;
  if (kafka === undefined || groups !== undefined) return [];
  const resource = {
    resourceType: keyOf(RESOURCES, kafka.resource),
    resourceName: kafka.name,
    patternType: keyOf(PATTERNS, kafka.pattern),
  };
  const right = { operation: keyOf(OPERATIONS, rule.actions[0]), permissionType: keyOf(EFFECTS, effect) };
  return users.flatMap((user) =>
    hosts.map((host) => ({ ...resource, principal: principalOf(user), host, ...right })),
  );
}

/** Says what is wrong with a filter, or undefined where nothing is. */
export function bindingFilterProblem(filter: AclBindingFilter): string | undefined {
  const { resourceType, patternType, operation, permissionType } = filter;
  // Zero is what a client reads that does not know the number.
  const isUnknown = [resourceType, patternType, operation, permissionType].some((value) => value <= 0);
  return isUnknown ? 'a filter has no unknown elements' : undefined;
}

/** Whether a filter finds a binding. */
export function matchesBinding(filter: AclBindingFilter, binding: AclBinding): boolean {
  return (
    isOrAny(filter.resourceType, binding.resourceType) &&
    isOrAny(filter.operation, binding.operation) &&
    isOrAny(filter.permissionType, binding.permissionType) &&
    (filter.principal === null || filter.principal === binding.principal) &&
    (filter.host === null || filter.host === binding.host) &&
    matchesResource(filter, binding)
  );
}

/** With MATCH a name finds all patterns that are about it; otherwise the pattern of that name (KIP-290). */
function matchesResource(
  { resourceName: name, patternType }: AclBindingFilter,
  binding: AclBinding,
): boolean {
  const { match } = AclPatternType;
  if (patternType !== match && !isOrAny(patternType, binding.patternType)) return false;
  if (name === null || name === binding.resourceName) return true;
  if (patternType !== match) return false;
  return binding.patternType === AclPatternType.prefixed
    ? name.startsWith(binding.resourceName)
    : binding.resourceName === '*';
}

/** ANY is the same number in all of Kafka's enumerations. */
function isOrAny(wanted: number, value: number): boolean {
  return wanted === 1 || wanted === value;
}

const ANY_HOST = '*';
const PRINCIPAL_TYPE = 'User:';
const ANONYMOUS_PRINCIPAL = `${PRINCIPAL_TYPE}ANONYMOUS`;

function principalProblem(principal: string): string | undefined {
  if (!principal.startsWith(PRINCIPAL_TYPE)) return `a principal is ${PRINCIPAL_TYPE}NAME`;
  const name = principal.slice(PRINCIPAL_TYPE.length);
  if (name === ANONYMOUS)
    return `${ANONYMOUS_PRINCIPAL} are clients without credentials; no user is called ${name}`;
  const problem = nameProblem(name);
  return problem && `the name of a principal ${problem}`;
}

function hostProblem(host: string): string | undefined {
  return host === ANY_HOST || isIP(host) !== 0 ? undefined : `a host is an address, or ${ANY_HOST}`;
}

function userOf(principal: string): string {
  if (principal === ANONYMOUS_PRINCIPAL) return ANONYMOUS;
  return principal === `${PRINCIPAL_TYPE}*` ? EVERYBODY : principal.slice(PRINCIPAL_TYPE.length);
}

function principalOf(user: string): string {
  return user === ANONYMOUS ? ANONYMOUS_PRINCIPAL : `${PRINCIPAL_TYPE}${user}`;
}

/** Bindings are a set in Kafka: the same one has the same id. */
function idOf(binding: AclBinding): string {
  const { resourceType, resourceName, patternType, principal, host, operation, permissionType } = binding;
  const fields = [resourceType, resourceName, patternType, principal, host, operation, permissionType];
  return `acl-${hash('sha256', JSON.stringify(fields), 'base64url').slice(0, 22)}`;
}

const RESOURCES = new Map<number, (typeof KAFKA_RESOURCES)[number]>([
  [AclResourceType.topic, 'topic'],
  [AclResourceType.group, 'group'],
  [AclResourceType.cluster, 'cluster'],
  [AclResourceType.transactionalId, 'transactional-id'],
]);

const PATTERNS = new Map<number, (typeof KAFKA_PATTERNS)[number]>([
  [AclPatternType.literal, 'literal'],
  [AclPatternType.prefixed, 'prefixed'],
]);

const EFFECTS = new Map<number, Effect>([
  [AclPermission.deny, 'deny'],
  [AclPermission.allow, 'allow'],
]);

const OPERATIONS = new Map<number, KafkaOperation>([
  [AclOperation.all, 'All'],
  [AclOperation.read, 'Read'],
  [AclOperation.write, 'Write'],
  [AclOperation.create, 'Create'],
  [AclOperation.delete, 'Delete'],
  [AclOperation.alter, 'Alter'],
  [AclOperation.describe, 'Describe'],
  [AclOperation.clusterAction, 'ClusterAction'],
  [AclOperation.describeConfigs, 'DescribeConfigs'],
  [AclOperation.alterConfigs, 'AlterConfigs'],
  [AclOperation.idempotentWrite, 'IdempotentWrite'],
]);

function keyOf<T>(map: ReadonlyMap<number, T>, wanted: T): number {
  return [...map].find(([, value]) => value === wanted)![0];
}
