import type { AccessSnapshot } from '../../../../internal/access/directory.ts';
import { limitForm } from '../../../../internal/access/limits/limit.ts';
import { ruleForm } from '../../../../internal/access/rules/rule.ts';
import { secretsForm } from '../../../../internal/admin/forms.ts';
import { formOf } from '../../../../internal/admin/message-form.ts';
import { importAccess } from '../../../../internal/admin/operations/import.ts';
import { addLimit, listLimits } from '../../../../internal/admin/operations/limits.ts';
import { importRetained, listRetained } from '../../../../internal/admin/operations/retained.ts';
import { listRules } from '../../../../internal/admin/operations/rules.ts';
import { listUsers } from '../../../../internal/admin/operations/users.ts';
import type { Message } from '../../../../internal/broker/delivery/publication.ts';
import { allPages } from '../../broker/pages.ts';
import type { RunningBroker } from '../../reach/reach.ts';
import { portionsOf } from './portions.ts';

/** Publishes retained messages of topics that have none there. @returns how many, without those that have expired */
export async function copyRetained(messages: readonly Message[], broker: RunningBroker): Promise<number> {
  const found = await allPages(
    Number.MAX_SAFE_INTEGER,
    (page) => broker.call(listRetained, page),
    (page) => page.retained,
  );
  const there = new Set(found.map(({ topic }) => topic));
  const left = messages.filter(({ topic }) => !there.has(topic));
  let imported = 0;
  // In base64.
  for (const some of portionsOf(left, ({ payload }) => payload.length * 2)) {
    imported += (await broker.call(importRetained, { messages: some.map(formOf) })).imported;
  }
  return imported;
}

/** How much of users, rules and limits was taken over. */
export interface CopiedAccess {
  readonly users: number;
  readonly rules: number;
  readonly limits: number;
}

/** Takes over users, rules and limits whose names are not there. Users come last: from then on it matters who asks. */
export async function copyAccess(access: AccessSnapshot, broker: RunningBroker): Promise<CopiedAccess> {
  const users = [...access.users.values()];
  const { rules, limits } = access;
  if (users.length + rules.length + limits.length === 0) return { users: 0, rules: 0, limits: 0 };
  const userNames = new Set((await broker.call(listUsers, {})).map(({ name }) => name));
  const ruleIds = new Set((await broker.call(listRules, {})).map(({ id }) => id));
  const limitIds = new Set((await broker.call(listLimits, {})).map(({ id }) => id));
  const newLimits = limits.filter(({ id }) => !limitIds.has(id));
  for (const limit of newLimits) await broker.call(addLimit, { id: limit.id, limit: limitForm(limit) });
  const newUsers = users
    .filter(({ name }) => !userNames.has(name))
    .map((user) => {
      const { name, isEnabled: enabled, groups } = user;
      return { name, enabled, groups: [...groups], ...secretsForm(user) };
    });
  const newRules = rules
    .filter(({ id }) => !ruleIds.has(id))
    .map((rule) => ({ ...ruleForm(rule), id: rule.id }));
  if (newUsers.length + newRules.length > 0)
    await broker.call(importAccess, { users: newUsers, rules: newRules });
  return { users: newUsers.length, rules: newRules.length, limits: newLimits.length };
}
