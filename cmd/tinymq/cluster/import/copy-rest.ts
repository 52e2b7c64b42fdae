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
import { maxImportedMessages } from '../../../../internal/limits/admin.ts';
import { REQUEST_CHARACTERS } from '../../broker/json-lines.ts';
import { allPages } from '../../broker/pages.ts';
import type { RunningBroker } from '../../reach/reach.ts';

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
  for (let at = 0; at < left.length; ) {
    const some = portionFrom(left, at);
    imported += (await broker.call(importRetained, { messages: some.map(formOf) })).imported;
    at += some.length;
  }
  return imported;
}

function portionFrom(messages: readonly Message[], at: number): Message[] {
  const portion: Message[] = [];
  let bytes = 0;
  for (const message of messages.slice(at, at + maxImportedMessages)) {
    bytes += message.payload.length;
    // In base64.
    if (portion.length > 0 && bytes * 2 > REQUEST_CHARACTERS) break;
    portion.push(message);
  }
  return portion;
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
