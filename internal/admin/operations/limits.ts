import { randomUUID } from 'node:crypto';
import { AccessError } from '../../access/access-error.ts';
import { identityOf } from '../../access/identity.ts';
import { describeLimit, type Limit, limitForm, parseLimit } from '../../access/limits/limit.ts';
import { limitsFor } from '../../access/limits/limits.ts';
import { THE_BROKER } from '../../access/policy.ts';
import { quoted } from '../../errors.ts';
import {
  type AdminParts,
  defineOperation,
  flag,
  listOf,
  number,
  objectOf,
  text,
  texts,
} from '../operation.ts';

const needs = { action: 'admin', resource: THE_BROKER } as const;

export interface ShownLimit {
  readonly id: string;
  readonly origin: Limit['origin'];
  /** In plain words. */
  readonly text: string;
  /** As it stands in a file. */
  readonly limit: Record<string, unknown>;
}

export const listLimits = defineOperation({
  ...{ name: 'limits list', summary: 'Shows all limits.', method: 'GET', path: '/limits', needs },
  answer: listOf(
    objectOf({ id: text, origin: text, text, limit: { type: 'object', additionalProperties: true } }),
  ),
  async run({ directory }: AdminParts, _input: object): Promise<ShownLimit[]> {
    return directory.current.limits.map((limit) => ({
      ...{ id: limit.id, origin: limit.origin, text: describeLimit(limit), limit: limitForm(limit) },
    }));
  },
});

export interface NewLimitInput {
  readonly id?: string;
  /** As it stands in a file; whoever reads it checks it. */
  readonly limit: object;
}

export const addLimit = defineOperation({
  ...{ name: 'limits add', summary: 'Adds a limit.', method: 'POST', path: '/limits', needs },
  body: objectOf({ id: text, limit: { type: 'object' } }, ['limit']),
  answer: objectOf({ id: text, text }),
  async run({ directory }: AdminParts, { id, limit: form }: NewLimitInput) {
    const limit = parseLimit(form, id ?? `limit-${randomUUID().slice(0, 8)}`);
    if (directory.current.limits.some((each) => each.id === limit.id))
      throw new AccessError('exists', `there is a limit ${quoted(limit.id)} already`);
    await directory.edit([{ kind: 'put-limit', limit }]);
    return { id: limit.id, text: describeLimit(limit) };
  },
});

export const alterLimit = defineOperation({
  ...{ name: 'limits alter', summary: 'Puts a limit in the place of another one.' },
  ...{ method: 'PATCH', path: '/limits/:id', needs },
  parameters: objectOf({ id: text }),
  body: objectOf({ limit: { type: 'object' } }),
  answer: objectOf({ text }),
  async run({ directory }: AdminParts, { id, limit: form }: NewLimitInput & { id: string }) {
    const limit = parseLimit(form, id);
    await directory.edit([{ kind: 'alter-limit', limit }]);
    return { text: describeLimit(limit) };
  },
});

export const removeLimit = defineOperation({
  ...{ name: 'limits remove', summary: 'Removes a limit.', method: 'DELETE', path: '/limits/:id', needs },
  parameters: objectOf({ id: text }),
  answer: objectOf({}),
  async run({ directory }: AdminParts, { id }: { id: string }) {
    await directory.edit([{ kind: 'remove-limit', id }]);
    return {};
  },
});

/** Whose limits somebody wants to know. Without a user it is an anonymous client. */
export interface LimitsQuestion {
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly clientId?: string;
}

export interface LimitsAnswer {
  readonly isKnownUser: boolean;
  /** What holds, the smallest of each kind, with the limit that says so. */
  readonly holds: readonly { readonly name: string; readonly value: number; readonly limit: string }[];
}

export const testLimits = defineOperation({
  ...{ name: 'limits test', summary: 'Says which limits hold for somebody.' },
  ...{ method: 'POST', path: '/limits/test', needs },
  body: objectOf({ user: text, groups: texts, clientId: text }, []),
  answer: objectOf({
    isKnownUser: flag,
    holds: listOf(objectOf({ name: text, value: number, limit: text })),
  }),
  async run({ directory }: AdminParts, question: LimitsQuestion): Promise<LimitsAnswer> {
    const { user, clientId = '' } = question;
    const { users, limits } = directory.current;
    const known = user === undefined ? undefined : users.get(user);
    const groups = [...new Set([...(known?.groups ?? []), ...(question.groups ?? [])])];
    const peer = { clientId, door: 'test', listener: 'test', remote: '', certificateName: undefined };
    const smallest = new Map<string, LimitsAnswer['holds'][number]>();
    for (const { id, values } of limitsFor(limits, identityOf(peer, { user, groups }))) {
      for (const [name, value] of Object.entries(values)) {
        if (value < (smallest.get(name)?.value ?? Number.POSITIVE_INFINITY))
          smallest.set(name, { name, value, limit: id });
      }
    }
    return { isKnownUser: known !== undefined, holds: [...smallest.values()] };
  },
});
