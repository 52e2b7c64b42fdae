import type { AccessChange, AccessSnapshot } from '../../access/directory.ts';
import { THE_BROKER } from '../../access/policy.ts';
import { parseRule } from '../../access/rules/parse-rules.ts';
import {
  fieldsOf,
  NEW_USER_FORM,
  type NewUserForm,
  type ShownUser,
  shownUser,
  type UserForm,
  userOf,
  withHash,
} from '../forms.ts';
import { type AdminParts, defineOperation, flag, listOf, objectOf, text, texts } from '../operation.ts';

const needs = { action: 'admin', resource: THE_BROKER } as const;
const named = objectOf({ name: text });
const done = objectOf({});

const SHOWN_USER = objectOf({
  ...{ name: text, enabled: flag, groups: texts, hasPassword: flag, mechanisms: texts, origin: text },
});

export const listUsers = defineOperation({
  ...{ name: 'users list', summary: 'Shows all users.', method: 'GET', path: '/users', needs },
  answer: listOf(SHOWN_USER),
  async run({ directory }: AdminParts, _input: object): Promise<ShownUser[]> {
    const users = [...directory.current.users.values()];
    return users.sort((one, other) => (one.name < other.name ? -1 : 1)).map(shownUser);
  },
});

/** The group whose members may do everything. */
export const ADMIN_GROUP = 'admin';
const ADMIN_RULE_ID = 'admin';

/** It names no resource, so it is about all of them: topics that begin with `$` too, which no list of filters would end. */
const ADMIN_RULE = { allow: 'all', groups: ADMIN_GROUP };

export const addUser = defineOperation({
  ...{ name: 'users add', summary: 'Makes a user.', method: 'POST', path: '/users', needs },
  body: objectOf({ name: text, ...NEW_USER_FORM, admin: flag }, ['name']),
  answer: objectOf({ rulesAboutUser: flag }),
  async run({ directory, makePassword }: AdminParts, { name, admin, ...form }: AddedUser) {
    // What cannot be is refused before anything is hashed.
    directory.after(addedUser(directory.current, { name, admin }));
    const user = { name, admin, ...(await withHash(makePassword, form)) };
    await directory.edit(addedUser(directory.current, user));
    return { rulesAboutUser: isMentioned(directory, name) };
  },
});

export interface AddedUser extends NewUserForm {
  readonly name: string;
  /** Whether it may do everything. */
  readonly admin?: boolean | undefined;
}

/** The changes that make a user. @throws AccessError `invalid`. */
export function addedUser(
  { rules }: AccessSnapshot,
  { name, admin = false, ...form }: UserForm & Omit<AddedUser, 'newPassword'>,
): AccessChange[] {
  const groups = admin ? [...new Set([...(form.groups ?? []), ADMIN_GROUP])] : form.groups;
  const user = userOf(name, groups === undefined ? form : { ...form, groups });
  const changes: AccessChange[] = [{ kind: 'add-user', user }];
  if (admin && !rules.some(({ id }) => id === ADMIN_RULE_ID)) {
    const rule = parseRule(ADMIN_RULE, 'store', ADMIN_RULE_ID);
    changes.push({ kind: 'put-rule', rule, place: 'first' });
  }
  return changes;
}

export const alterUser = defineOperation({
  ...{ name: 'users alter', summary: 'Changes a user.', method: 'PATCH', path: '/users/:name', needs },
  parameters: named,
  body: objectOf(NEW_USER_FORM, []),
  answer: done,
  async run({ directory, makePassword }: AdminParts, { name, ...form }: NewUserForm & { name: string }) {
    directory.after([{ kind: 'alter-user', name, fields: {} }]);
    const fields = fieldsOf(name, await withHash(makePassword, form));
    await directory.edit([{ kind: 'alter-user', name, fields }]);
    return {};
  },
});

export const removeUser = defineOperation({
  ...{ name: 'users remove', summary: 'Removes a user.', method: 'DELETE', path: '/users/:name', needs },
  parameters: named,
  answer: done,
  async run({ directory }: AdminParts, { name }: { name: string }) {
    await directory.edit([{ kind: 'remove-user', name }]);
    return {};
  },
});

/** Whether any rule that allows something is about a user; without one it may do nothing. */
function isMentioned({ current }: AdminParts['directory'], name: string): boolean {
  const groups = current.users.get(name)?.groups ?? [];
  return current.rules.some(
    (rule) =>
      rule.effect === 'allow' &&
      (rule.users?.some((user) => user === name || user === '*') ||
        rule.groups?.some((group) => groups.includes(group))),
  );
}
