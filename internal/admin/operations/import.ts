import type { AccessChange } from '../../access/directory.ts';
import { THE_BROKER } from '../../access/policy.ts';
import { parseRule } from '../../access/rules/parse-rules.ts';
import { maxAdminRequestBytes } from '../../limits/access.ts';
import { USER_FORM, type UserForm, userOf } from '../forms.ts';
import { type AdminParts, defineOperation, listOf, number, objectOf, text } from '../operation.ts';

/** Users and rules of another system. */
export interface ImportInput {
  readonly users: readonly (UserForm & { readonly name: string })[];
  /** In their form in files; their ids have to be there. */
  readonly rules: readonly (Readonly<Record<string, unknown>> & { readonly id: string })[];
}

export const importAccess = defineOperation({
  ...{ name: 'import', summary: 'Takes over users and rules, all of them or none.' },
  ...{ method: 'POST', path: '/import', needs: { action: 'admin', resource: THE_BROKER } },
  maxBodyBytes: maxAdminRequestBytes,
  body: objectOf({
    users: listOf(objectOf({ name: text, ...USER_FORM }, ['name'])),
    rules: listOf({ type: 'object', properties: { id: text }, required: ['id'] }),
  }),
  answer: objectOf({ users: number, rules: number }),
  async run({ directory }: AdminParts, { users, rules }: ImportInput) {
    const changes: AccessChange[] = users.map(({ name, ...form }) => ({
      kind: 'put-user',
      user: userOf(name, form),
    }));
    for (const form of rules) changes.push({ kind: 'put-rule', rule: parseRule(form, 'store', form.id) });
    await directory.edit(changes);
    return { users: users.length, rules: rules.length };
  },
});
