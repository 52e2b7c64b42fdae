import { describe, expect, it } from 'vitest';
import { askHandler } from '../../../../test/support/kafka-handlers.ts';
import { keepsNothing } from '../../../access/access-store.ts';
import { AccessDirectory } from '../../../access/directory.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { EntityFilter } from '../client-quotas.ts';
import { describeClientQuotasHandler } from './48-describe-client-quotas.ts';
import { alterClientQuotasHandler } from './49-alter-client-quotas.ts';

const { invalidRequest, policyViolation, unsupportedVersion } = KafkaErrorCode;
const [EXACT, DEFAULT, ANY] = [0, 1, 2];
const IN = 'producer_byte_rate';
const OUT = 'consumer_byte_rate';

type Names = { user?: string | null; 'client-id'?: string | null; ip?: string };

const entityOf = (names: Names) =>
  Object.entries(names).map(([entityType, entityName]) => ({ entityType, entityName }));

async function open() {
  const directory = await AccessDirectory.open(keepsNothing);
  const asker = { parts: { directory } };
  async function alter(names: Names, quotas: Record<string, number | undefined>, validateOnly = false) {
    const ops = Object.entries(quotas).map(([key, value = 0]) => ({
      key,
      value,
      remove: quotas[key] === undefined,
    }));
    const entries = [{ entity: entityOf(names), ops }];
    const answer = await askHandler(alterClientQuotasHandler, 1, { entries, validateOnly }, asker);
    expect(answer.entries[0]!.entity).toEqual(entityOf(names));
    return answer.entries[0]!.errorCode;
  }
  async function ask(components: EntityFilter[] = [], strict = false, version = 1) {
    return askHandler(describeClientQuotasHandler, version, { components, strict }, asker);
  }
  async function quotas(components: EntityFilter[] = [], strict = false) {
    const { entries } = await ask(components, strict);
    return entries!.map(({ entity, values }) => [
      Object.fromEntries(entity.map(({ entityType, entityName }) => [entityType, entityName])),
      Object.fromEntries(values.map(({ key, value }) => [key, value])),
    ]);
  }
  return { directory, alter, ask, quotas, limits: () => directory.current.limits };
}

describe('quotas', () => {
  it.each<[Names, object]>([
    [{ user: 'ann' }, { user: 'ann' }],
    [{ 'client-id': 'c' }, { client: 'c' }],
    [
      { user: 'ann', 'client-id': 'c' },
      { user: 'ann', client: 'c' },
    ],
    [{ user: null }, {}],
  ])('of %j are limits of the directory', async (names, named) => {
    const door = await open();
    expect(await door.alter(names, { [IN]: 1024, [OUT]: 2048 })).toBe(0);
    const values = { bytesInPerSecond: 1024, bytesOutPerSecond: 2048 };
    expect(door.limits()).toEqual([{ id: expect.any(String), ...named, values, origin: 'store' }]);
    expect(await door.quotas()).toEqual([[names, { [IN]: 1024, [OUT]: 2048 }]]);
    expect(await door.alter(names, { [IN]: undefined, [OUT]: 1 })).toBe(0);
    expect(await door.quotas()).toEqual([[names, { [OUT]: 1 }]]);
    expect(await door.alter(names, { [OUT]: undefined })).toBe(0);
    expect(door.limits()).toEqual([]);
  });

  it('change the limit that has them, whoever made it, and leave the rest of it', async () => {
    const door = await open();
    const limit = { id: 'own', user: 'ann', values: { bytesInPerSecond: 5, connections: 3 } };
    const ofGroup = { id: 'group', group: 'g', values: { bytesInPerSecond: 7 } };
    await door.directory.edit([
      { kind: 'put-limit', limit },
      { kind: 'put-limit', limit: ofGroup },
    ]);
    expect(await door.quotas()).toEqual([[{ user: 'ann' }, { [IN]: 5 }]]);
    await door.alter({ user: 'ann' }, { [IN]: 9 });
    expect(door.limits()[0]).toMatchObject({ id: 'own', values: { bytesInPerSecond: 9, connections: 3 } });
    await door.alter({ user: 'ann' }, { [IN]: undefined });
    expect(door.limits()).toMatchObject([{ id: 'own', values: { connections: 3 } }, { id: 'group' }]);
  });

  it('of the file stay', async () => {
    const door = await open();
    const limit = { id: 'own', user: 'ann', values: { bytesInPerSecond: 5 }, origin: 'file' as const };
    door.directory.replaceFile({ users: [], rules: [], limits: [limit] });
    expect(await door.alter({ user: 'ann' }, { [IN]: 9 })).toBe(policyViolation);
    expect(await door.quotas()).toEqual([[{ user: 'ann' }, { [IN]: 5 }]]);
  });

  it.each<[Names, Record<string, number>]>([
    [{}, { [IN]: 1 }],
    [{ user: '' }, { [IN]: 1 }],
    [{ 'client-id': null }, { [IN]: 1 }],
    [{ user: null, 'client-id': 'c' }, { [IN]: 1 }],
    [{ ip: '10.0.0.1' }, { connection_creation_rate: 1 }],
    [{ user: 'ann' }, { request_percentage: 50 }],
    [{ user: 'ann' }, { controller_mutation_rate: 1 }],
    [{ user: 'ann' }, { nonsense: 1 }],
    [{ user: 'ann' }, { [IN]: 0 }],
    [{ user: 'ann' }, { [IN]: 1.5 }],
    [{ user: 'ann' }, { [IN]: Number.NaN }],
    [{ user: 'ann' }, { [IN]: 1, request_percentage: 50 }],
  ])('of %j to be %j are refused, and nothing is set', async (names, quotas) => {
    const door = await open();
    expect(await door.alter(names, quotas)).toBe(invalidRequest);
    expect(door.limits()).toEqual([]);
  });

  it('are only checked where that is all that is wanted', async () => {
    const door = await open();
    expect(await door.alter({ user: 'ann' }, { [IN]: 1 }, true)).toBe(0);
    expect(await door.alter({ user: 'ann' }, { [IN]: -1 }, true)).toBe(invalidRequest);
    expect(door.limits()).toEqual([]);
  });

  it('are found by what they are for', async () => {
    const door = await open();
    const all: Names[] = [
      { user: 'ann' },
      { user: null },
      { 'client-id': 'c' },
      { user: 'ann', 'client-id': 'c' },
    ];
    for (const names of all) await door.alter(names, { [IN]: 1 });
    const found = async (components: EntityFilter[], strict = false) =>
      (await door.quotas(components, strict)).map(([entity]) => all.findIndex((one) => same(one, entity!)));
    const user = (matchType: number, match: string | null = null) => ({
      entityType: 'user',
      matchType,
      match,
    });
    expect(await found([])).toEqual([0, 1, 2, 3]);
    expect(await found([user(EXACT, 'ann')])).toEqual([0, 3]);
    expect(await found([user(EXACT, 'ann')], true)).toEqual([0]);
    expect(await found([user(DEFAULT)])).toEqual([1]);
    expect(await found([user(ANY)])).toEqual([0, 1, 3]);
    expect(await found([user(ANY), { entityType: 'client-id', matchType: EXACT, match: 'c' }])).toEqual([3]);
    expect(await found([{ entityType: 'ip', matchType: ANY, match: null }])).toEqual([]);
  });

  it.each<[EntityFilter[], number]>([
    [[{ entityType: 'team', matchType: ANY, match: null }], unsupportedVersion],
    [[{ entityType: 'user', matchType: 9, match: null }], invalidRequest],
    [[{ entityType: 'user', matchType: EXACT, match: null }], invalidRequest],
    [[{ entityType: 'user', matchType: DEFAULT, match: 'x' }], invalidRequest],
    [Array(2).fill({ entityType: 'user', matchType: ANY, match: null }), invalidRequest],
  ])('are not looked for by %j', async (components, errorCode) => {
    for (const version of [0, 1]) {
      expect(await (await open()).ask(components, false, version)).toMatchObject({
        errorCode,
        entries: null,
      });
    }
  });
});

function same(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
