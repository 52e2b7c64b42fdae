import { describe, expect, it } from 'vitest';
import { identityOf } from '../identity.ts';
import type { Action } from '../policy.ts';
import {
  type AclBinding,
  AclOperation,
  AclPatternType,
  AclPermission,
  AclResourceType,
  bindingFilterProblem,
  bindingProblem,
  bindingsOf,
  matchesBinding,
  ruleOfBinding,
} from './kafka-patterns.ts';
import { parseRule, parseRules } from './parse-rules.ts';
import { ruleForm } from './rule.ts';
import { rulesInOrder } from './rule-order.ts';
import { RulePolicy } from './rule-policy.ts';

const readOrders: AclBinding = {
  resourceType: AclResourceType.topic,
  resourceName: 'orders.eu',
  patternType: AclPatternType.literal,
  principal: 'User:alice',
  host: '*',
  operation: AclOperation.read,
  permissionType: AclPermission.allow,
};

/** One of each kind. */
const BINDINGS: AclBinding[] = [
  readOrders,
  { ...readOrders, patternType: AclPatternType.prefixed, resourceName: 'orders.' },
  { ...readOrders, resourceName: '*', principal: 'User:*', permissionType: AclPermission.deny },
  { ...readOrders, principal: 'User:ANONYMOUS', host: '10.0.0.1' },
  { ...readOrders, principal: 'User:CN=a,O=b', host: '::1' },
  { ...readOrders, resourceType: AclResourceType.group, resourceName: 'a*[b]/c' },
  { ...readOrders, resourceType: AclResourceType.transactionalId, resourceName: '*' },
  { ...readOrders, resourceType: AclResourceType.cluster, resourceName: 'kafka-cluster' },
  ...Object.values(AclOperation)
    .filter((operation) => operation !== AclOperation.any)
    .map((operation) => ({ ...readOrders, operation })),
];

describe('a binding of Kafka', () => {
  it.each(BINDINGS.map((binding) => [JSON.stringify(Object.values(binding)), binding] as const))(
    'comes back from a rule that was kept as it was made: %s',
    (_, binding) => {
      expect(bindingProblem(binding)).toBeUndefined();
      const rule = ruleOfBinding(binding);
      const kept = parseRule(JSON.parse(JSON.stringify(ruleForm(rule))), 'store', rule.id);
      expect(kept).toEqual(rule);
      expect(bindingsOf(kept)).toEqual([binding]);
    },
  );

  it('has an id of its own, and the same one when it is made again', () => {
    const ids = BINDINGS.slice(0, -11).map((binding) => ruleOfBinding(binding).id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ruleOfBinding({ ...readOrders }).id).toBe(ids[0]);
  });

  it.each<[Partial<AclBinding>, string]>([
    [{ resourceType: 6 }, 'resources of type 6 are not served'],
    [{ patternType: AclPatternType.match }, 'a binding is literal or prefixed'],
    [{ patternType: 0 }, 'a binding is literal or prefixed'],
    [{ operation: AclOperation.any }, 'operation 1 is not served'],
    [{ operation: 13 }, 'operation 13 is not served'],
    [{ permissionType: AclPermission.any }, 'a binding allows or denies'],
    [{ resourceName: '' }, 'a resource has a name'],
    [{ resourceName: 'a/b' }, "no topic can be called 'a/b'"],
    [{ resourceType: AclResourceType.group, resourceName: 'a\nb' }, 'has control characters'],
    [{ resourceType: AclResourceType.cluster, resourceName: 'c' }, 'the cluster is called kafka-cluster'],
    [{ principal: 'alice' }, 'a principal is User:NAME'],
    [{ principal: 'Group:alice' }, 'a principal is User:NAME'],
    [{ principal: 'User:' }, 'the name of a principal is empty'],
    [{ principal: 'User:anonymous' }, 'User:ANONYMOUS are clients without credentials'],
    [{ host: 'example.org' }, 'a host is an address, or *'],
  ])('with %j is refused', (fields, problem) => {
    expect(bindingProblem({ ...readOrders, ...fields })).toMatch(problem);
  });

  it('is not what other rules are', () => {
    const [own, several, ofGroup] = parseRules(
      [
        { allow: ['publish'], users: ['a'], topics: ['a'] },
        { allow: ['Read'], users: ['a', 'b'], kafka: { resource: 'topic', name: 'a' } },
        { allow: ['Read'], groups: ['g'], kafka: { resource: 'topic', name: 'a' } },
      ],
      'file',
    );
    expect(bindingsOf(own!)).toEqual([]);
    expect(bindingsOf(several!).map(({ principal }) => principal)).toEqual(['User:a', 'User:b']);
    expect(bindingsOf(ofGroup!)).toEqual([]);
  });
});

describe('a filter of bindings', () => {
  const all = {
    resourceType: AclResourceType.any,
    resourceName: null,
    patternType: AclPatternType.any,
    principal: null,
    host: null,
    operation: AclOperation.any,
    permissionType: AclPermission.any,
  };
  const found = (fields: Partial<typeof all> | object) =>
    BINDINGS.slice(0, 8).flatMap((binding, index) =>
      matchesBinding({ ...all, ...fields }, binding) ? [index] : [],
    );

  it('finds by each field', () => {
    expect(found({})).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(found({ resourceType: AclResourceType.group })).toEqual([5]);
    expect(found({ permissionType: AclPermission.deny })).toEqual([2]);
    expect(found({ principal: 'User:*' })).toEqual([2]);
    expect(found({ host: '10.0.0.1' })).toEqual([3]);
    expect(found({ host: '*' })).toEqual([0, 1, 2, 5, 6, 7]);
    expect(found({ operation: AclOperation.write })).toEqual([]);
    expect(found({ resourceType: AclResourceType.topic, resourceName: 'orders.eu' })).toEqual([0, 3, 4]);
    expect(found({ patternType: AclPatternType.prefixed })).toEqual([1]);
    expect(found({ patternType: AclPatternType.literal, resourceName: '*' })).toEqual([2, 6]);
  });

  it('finds with MATCH whatever is about a name', () => {
    const match = { resourceType: AclResourceType.topic, patternType: AclPatternType.match };
    expect(found({ ...match, resourceName: 'orders.eu' })).toEqual([0, 1, 2, 3, 4]);
    expect(found({ ...match, resourceName: 'orders' })).toEqual([2]);
    expect(found({ ...match, resourceName: null })).toEqual([0, 1, 2, 3, 4]);
  });

  it('has no unknown elements', () => {
    expect(bindingFilterProblem(all)).toBeUndefined();
    for (const field of ['resourceType', 'patternType', 'operation', 'permissionType'] as const)
      expect(bindingFilterProblem({ ...all, [field]: 0 })).toMatch('no unknown elements');
  });
});

describe('bindings as a policy', () => {
  const alice = identityOf(
    { clientId: 'c', door: 'kafka', listener: '', remote: '10.0.0.1:1', certificateName: undefined },
    { user: 'alice' },
  );

  function may(
    bindings: readonly AclBinding[],
    action: Action,
    name: string,
    kind: 'topic' | 'group' | 'broker' = 'topic',
  ) {
    const policy = new RulePolicy();
    policy.replace(rulesInOrder([], bindings.map(ruleOfBinding)), true);
    return policy.may(alice, action, { kind, name }) === undefined;
  }

  it('deny before they allow, in whatever order they came', () => {
    const deny = { ...readOrders, permissionType: AclPermission.deny };
    const all = { ...readOrders, resourceName: '*', operation: AclOperation.all };
    expect(may([all, deny], 'read', 'orders/eu')).toBe(false);
    expect(may([all, deny], 'write', 'orders/eu')).toBe(true);
    // As in Kafka, what is denied to be read may still be described.
    expect(may([all, deny], 'describe', 'orders/eu')).toBe(true);
    expect(may([all, { ...deny, host: '10.0.0.2' }], 'read', 'orders/eu')).toBe(true);
  });

  it('imply Describe and DescribeConfigs as Kafka has it', () => {
    const asked: Action[] = [
      'read',
      'write',
      'delete',
      'alter',
      'describe',
      'describe-configs',
      'alter-configs',
      'create',
    ];
    const allowedBy = (operation: number) =>
      asked.filter((action) => may([{ ...readOrders, operation }], action, 'orders/eu')).join(' ');
    expect(allowedBy(AclOperation.read)).toBe('read describe');
    expect(allowedBy(AclOperation.write)).toBe('write describe');
    expect(allowedBy(AclOperation.delete)).toBe('delete describe');
    expect(allowedBy(AclOperation.alter)).toBe('alter describe');
    expect(allowedBy(AclOperation.describe)).toBe('describe');
    expect(allowedBy(AclOperation.describeConfigs)).toBe('describe-configs');
    expect(allowedBy(AclOperation.alterConfigs)).toBe('describe-configs alter-configs');
    expect(allowedBy(AclOperation.create)).toBe('create');
    expect(allowedBy(AclOperation.all)).toBe(asked.join(' '));
  });

  it('are about what begins with a prefix, on every door', () => {
    const prefixed = { ...readOrders, patternType: AclPatternType.prefixed, resourceName: 'orders.e' };
    const may1 = (name: string) => may([prefixed], 'subscribe', name);
    expect(['orders/e', 'orders/eu/x', 'orders/e/x', 'orders/eu/#'].map(may1)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['orders', 'orders/a', 'orders/#', 'orders/+'].map(may1)).toEqual([false, false, false, false]);
  });

  it('that create on the cluster create every topic', () => {
    const cluster = { ...readOrders, resourceType: AclResourceType.cluster, resourceName: 'kafka-cluster' };
    expect(may([{ ...cluster, operation: AclOperation.create }], 'create', 'a/b')).toBe(true);
    expect(may([{ ...cluster, operation: AclOperation.create }], 'write', 'a/b')).toBe(false);
    expect(may([{ ...cluster, operation: AclOperation.alter }], 'describe', 'broker', 'broker')).toBe(true);
  });

  it('name groups without wildcards', () => {
    const group = { ...readOrders, resourceType: AclResourceType.group, resourceName: 'a*' };
    expect(may([group], 'read', 'a*', 'group')).toBe(true);
    expect(may([group], 'read', 'ab', 'group')).toBe(false);
    expect(may([{ ...group, patternType: AclPatternType.prefixed }], 'read', 'a*/b', 'group')).toBe(true);
    expect(may([{ ...group, resourceName: '*' }], 'read', 'x', 'group')).toBe(true);
  });
});
