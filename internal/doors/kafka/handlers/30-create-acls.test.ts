import { describe, expect, it } from 'vitest';
import { accessOfTest, changeablePolicy } from '../../../../test/support/access.ts';
import { askHandler } from '../../../../test/support/kafka-handlers.ts';
import { keepsNothing } from '../../../access/access-store.ts';
import { AccessDirectory } from '../../../access/directory.ts';
import { parseRules } from '../../../access/rules/parse-rules.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { StoreError } from '../../../store/store-error.ts';
import { describeAclsHandler } from './29-describe-acls.ts';
import { createAclsHandler } from './30-create-acls.ts';
import { deleteAclsHandler } from './31-delete-acls.ts';

const { clusterAuthorizationFailed, invalidRequest, kafkaStorageError, policyViolation, securityDisabled } =
  KafkaErrorCode;

/** Numbers of Kafka's enumerations. */
const [ANY, TOPIC, GROUP] = [1, 2, 3];
const [MATCH, LITERAL, PREFIXED] = [2, 3, 4];
const [READ, WRITE] = [3, 4];
const [DENY, ALLOW] = [2, 3];

const acl = {
  resourceType: TOPIC,
  resourceName: 'orders',
  resourcePatternType: LITERAL,
  principal: 'User:ann',
  host: '*',
  operation: READ,
  permissionType: ALLOW,
};
const everything = {
  resourceTypeFilter: ANY,
  resourceNameFilter: null,
  patternTypeFilter: ANY,
  principalFilter: null,
  hostFilter: null,
  operation: ANY,
  permissionType: ANY,
};

type Acl = typeof acl;
type Filter = { [K in keyof typeof everything]: (typeof everything)[K] | string };

/** A directory that has a user, so that rules decide. */
async function open({ isProtected = true, store = keepsNothing } = {}) {
  const directory = await AccessDirectory.open(store);
  const root = { name: 'root', isEnabled: true, groups: [], scram: {} };
  if (isProtected) await directory.edit([{ kind: 'add-user', user: root }]);
  const asker = { parts: { directory }, access: accessOfTest('admin') };
  return {
    directory,
    asker,
    create: async (...creations: Acl[]) =>
      (await askHandler(createAclsHandler, 3, { creations }, asker)).results,
    describe: (filter: Partial<Filter> = {}, version = 3) =>
      askHandler(describeAclsHandler, version, { ...everything, ...filter } as typeof everything, asker),
    remove: async (...filters: Partial<Filter>[]) => {
      const wanted = filters.map((filter) => ({ ...everything, ...filter }) as typeof everything);
      return (await askHandler(deleteAclsHandler, 3, { filters: wanted }, asker)).filterResults;
    },
  };
}

describe('ACLs', () => {
  it.each([1, 2, 3])('are made and found by version %i', async (version) => {
    const { asker, describe: found } = await open();
    const creations = [
      acl,
      { ...acl, operation: WRITE },
      { ...acl, resourceName: 'ord', resourcePatternType: PREFIXED, permissionType: DENY },
    ];
    const { results } = await askHandler(createAclsHandler, version, { creations }, asker);
    expect(results).toEqual(creations.map(() => ({ errorCode: 0, errorMessage: null })));
    const rights = { principal: 'User:ann', host: '*' };
    expect(await found({}, version)).toMatchObject({
      errorCode: 0,
      resources: [
        {
          resourceType: TOPIC,
          resourceName: 'orders',
          patternType: LITERAL,
          acls: [
            { ...rights, operation: READ, permissionType: ALLOW },
            { ...rights, operation: WRITE, permissionType: ALLOW },
          ],
        },
        {
          resourceType: TOPIC,
          resourceName: 'ord',
          patternType: PREFIXED,
          acls: [{ ...rights, operation: READ, permissionType: DENY }],
        },
      ].sort((a, b) => a.acls[0]!.permissionType - b.acls[0]!.permissionType),
    });
  });

  it('are a set: the same one twice is one', async () => {
    const door = await open();
    await door.create(acl, acl);
    await door.create(acl);
    expect((await door.describe()).resources).toMatchObject([{ acls: [{ operation: READ }] }]);
    expect(door.directory.current.rules).toHaveLength(1);
  });

  it('are refused one by one, and the others are made', async () => {
    const door = await open();
    const wrong: Partial<Acl>[] = [
      { resourceType: 0 },
      { resourceType: ANY },
      { resourceType: 6 },
      { resourcePatternType: MATCH },
      { resourceName: '' },
      { principal: 'ann' },
      { host: 'example.com' },
      { operation: ANY },
      { operation: 99 },
      { permissionType: 0 },
    ];
    const results = await door.create(...wrong.map((fields) => ({ ...acl, ...fields })), acl);
    expect(results.map(({ errorCode }) => errorCode)).toEqual([...wrong.map(() => invalidRequest), 0]);
    for (const { errorMessage } of results.slice(0, -1)) expect(errorMessage).not.toBeNull();
    expect(door.directory.current.rules).toHaveLength(1);
  });

  it('are found by name with MATCH, and by each of their fields', async () => {
    const door = await open();
    await door.create(
      acl,
      { ...acl, resourceName: '*', principal: 'User:bob' },
      { ...acl, resourceName: 'or', resourcePatternType: PREFIXED, operation: WRITE },
      { ...acl, resourceType: GROUP, permissionType: DENY, host: '10.0.0.1' },
    );
    const count = async (filter: Partial<Filter>) =>
      (await door.describe(filter)).resources.flatMap(({ acls }) => acls).length;
    expect(await count({})).toBe(4);
    const topics = { resourceTypeFilter: TOPIC, resourceNameFilter: 'orders' };
    expect(await count({ ...topics, patternTypeFilter: MATCH })).toBe(3);
    expect(await count({ ...topics, patternTypeFilter: LITERAL })).toBe(1);
    expect(await count({ principalFilter: 'User:bob' })).toBe(1);
    expect(await count({ hostFilter: '10.0.0.1' })).toBe(1);
    expect(await count({ operation: WRITE })).toBe(1);
    expect(await count({ permissionType: DENY })).toBe(1);
  });

  it('are deleted by filters, each with what it found', async () => {
    const door = await open();
    await door.create(acl, { ...acl, operation: WRITE }, { ...acl, principal: 'User:bob' });
    const results = await door.remove(
      { principalFilter: 'User:ann' },
      { operation: WRITE },
      { principalFilter: 'User:nobody' },
      { operation: 0 },
    );
    expect(results.map(({ errorCode, matchingAcls }) => [errorCode, matchingAcls.length])).toEqual([
      [0, 2],
      [0, 1],
      [0, 0],
      [invalidRequest, 0],
    ]);
    expect((await door.describe()).resources).toMatchObject([{ acls: [{ principal: 'User:bob' }] }]);
  });

  it('of the file are shown, and stay', async () => {
    const door = await open();
    const form = { allow: ['Read'], users: ['ann'], kafka: { resource: 'topic', name: 'orders' } };
    const rules = parseRules([form, { allow: ['publish'], users: ['ann'], topics: ['a'] }], 'file');
    door.directory.replaceFile({ users: [], rules, limits: [] });
    expect((await door.describe()).resources).toMatchObject([{ acls: [{ principal: 'User:ann' }] }]);
    expect(await door.remove({})).toMatchObject([
      { errorCode: 0, matchingAcls: [{ errorCode: policyViolation, principal: 'User:ann' }] },
    ]);
    expect((await door.describe()).resources).toHaveLength(1);
  });

  it('are not made of rules that say more than an ACL can', async () => {
    const door = await open();
    const [rule] = parseRules([{ allow: ['publish'], users: ['ann'], topics: ['a'] }], 'store');
    await door.directory.edit([{ kind: 'put-rule', rule: rule! }]);
    expect((await door.describe()).resources).toEqual([]);
    expect(await door.remove({})).toMatchObject([{ matchingAcls: [] }]);
    expect(door.directory.current.rules).toHaveLength(1);
  });

  it('are disabled where there are no users: everybody may do everything', async () => {
    const door = await open({ isProtected: false });
    expect(await door.describe()).toMatchObject({ errorCode: securityDisabled, resources: [] });
    expect(await door.create(acl)).toMatchObject([{ errorCode: securityDisabled }]);
    expect(await door.remove({})).toMatchObject([{ errorCode: securityDisabled, matchingAcls: [] }]);
    expect(door.directory.current.rules).toEqual([]);
  });

  it('that cannot be kept are not made', async () => {
    let isFull = false;
    const store = {
      ...keepsNothing,
      write: async () => {
        if (isFull) throw new StoreError('unavailable', 'the disk is full');
      },
    };
    const door = await open({ store });
    isFull = true;
    expect(await door.create(acl)).toMatchObject([{ errorCode: kafkaStorageError }]);
    isFull = false;
    await door.create(acl);
    isFull = true;
    expect(await door.remove({})).toMatchObject([{ errorCode: kafkaStorageError, matchingAcls: [] }]);
    expect((await door.describe()).resources).toHaveLength(1);
  });

  it('are for who may describe and alter the cluster', async () => {
    const door = await open();
    const access = accessOfTest(
      'somebody',
      changeablePolicy(() => 'no'),
    );
    const asker = { ...door.asker, access };
    expect(await askHandler(describeAclsHandler, 3, everything, asker)).toMatchObject({
      errorCode: clusterAuthorizationFailed,
      resources: [],
    });
    expect(await askHandler(createAclsHandler, 3, { creations: [acl, acl] }, asker)).toMatchObject({
      results: [{ errorCode: clusterAuthorizationFailed }, { errorCode: clusterAuthorizationFailed }],
    });
    expect(await askHandler(deleteAclsHandler, 3, { filters: [everything] }, asker)).toMatchObject({
      filterResults: [{ errorCode: clusterAuthorizationFailed, matchingAcls: [] }],
    });
    expect(door.directory.current.rules).toEqual([]);
  });

  it('lose nothing where two admins delete the same at once', async () => {
    const door = await open();
    await door.create(acl, { ...acl, operation: WRITE });
    const both = await Promise.all([door.remove({}), door.remove({ operation: READ })]);
    expect(both.flat().map(({ errorCode }) => errorCode)).toEqual([0, 0]);
    expect(door.directory.current.rules).toEqual([]);
  });
});
