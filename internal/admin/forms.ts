import { AccessError } from '../access/access-error.ts';
import type { UserFields } from '../access/draft.ts';
import { parseScramText, scramText } from '../access/users/scram-text.ts';
import type { ScramKeys, ScramMechanism, User } from '../access/users/user.ts';
import { quoted } from '../errors.ts';
import { type AdminParts, flag, type JsonSchema, text, texts } from './operation.ts';

/** What may be said of a user, as in the file of users: its password is a hash there. */
export interface UserForm {
  readonly groups?: readonly string[];
  readonly enabled?: boolean;
  readonly password?: string;
  readonly scram?: readonly string[];
}

export const USER_FORM: Readonly<Record<string, JsonSchema>> = {
  groups: texts,
  enabled: flag,
  password: text,
  scram: texts,
};

/** The same from somebody who has the password itself. */
export interface NewUserForm extends UserForm {
  /** The broker hashes it, remembers nothing else of it, and tells nobody. */
  readonly newPassword?: string;
}

export const NEW_USER_FORM: Readonly<Record<string, JsonSchema>> = {
  ...USER_FORM,
  password: { ...text, description: 'A hash, as `tinymq users hash` makes it.' },
  newPassword: { ...text, description: 'The password itself, which the broker hashes.' },
};

/** A form with what is stored of its new password. @throws AccessError, BusyError. */
export async function withHash(
  makePassword: AdminParts['makePassword'],
  { newPassword, ...form }: NewUserForm,
): Promise<UserForm> {
  if (newPassword === undefined) return form;
  if (form.password !== undefined || form.scram !== undefined)
    throw new AccessError('invalid', 'a user has either a new password or what is stored of one');
  return { ...form, ...secretsForm(await makePassword(newPassword)) };
}

/** A user as it is shown: what logs in with, and nothing that could be used for that. */
export interface ShownUser {
  readonly name: string;
  readonly enabled: boolean;
  readonly groups: readonly string[];
  readonly hasPassword: boolean;
  readonly mechanisms: readonly string[];
  readonly origin: User['origin'];
}

export function shownUser({ name, isEnabled, groups, password, scram, origin }: User): ShownUser {
  return {
    ...{ name, enabled: isEnabled, groups: [...groups] },
    ...{ hasPassword: password !== undefined, mechanisms: Object.keys(scram), origin },
  };
}

/** The fields that a form says; others are left out. @throws AccessError `invalid`. */
export function fieldsOf(name: string, { groups, enabled, password, scram }: UserForm): Partial<UserFields> {
  return {
    ...(groups !== undefined && { groups }),
    ...(enabled !== undefined && { isEnabled: enabled }),
    ...(password !== undefined && { password }),
    ...(scram !== undefined && { scram: scramOf(name, scram) }),
  };
}

/** A whole user from its form. @throws AccessError `invalid`. */
export function userOf(name: string, form: UserForm): Omit<User, 'origin'> {
  return { name, isEnabled: true, groups: [], scram: {}, ...fieldsOf(name, form) };
}

/** What is stored of a password, as a form has it. */
export function secretsForm({ password, scram }: Pick<User, 'password' | 'scram'>): UserForm {
  const keys = Object.entries(scram) as [ScramMechanism, ScramKeys][];
  return { password, scram: keys.map(([mechanism, each]) => scramText(mechanism, each)) };
}

function scramOf(name: string, words: readonly string[]): User['scram'] {
  const scram: Partial<Record<ScramMechanism, ScramKeys>> = {};
  for (const word of words) {
    const parsed = parseScramText(word);
    if (parsed === undefined)
      throw new AccessError('invalid', `the scram keys of ${quoted(name)} are not in their form`);
    scram[parsed.mechanism] = parsed.keys;
  }
  return scram;
}
