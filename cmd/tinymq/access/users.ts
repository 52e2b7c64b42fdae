import type { UserForm } from '../../../internal/admin/forms.ts';
import { addUser, alterUser, listUsers, removeUser } from '../../../internal/admin/operations/users.ts';
import { quoted } from '../../../internal/errors.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command, type Invocation } from '../../cli/run-program.ts';
import { withAdmin } from '../reach/reach.ts';
import { note } from '../report.ts';
import {
  usersAddProgram,
  usersAlterProgram,
  usersDisableProgram,
  usersEnableProgram,
  usersHashProgram,
  usersListProgram,
  usersPasswdProgram,
  usersRemoveProgram,
} from './flags.ts';
import { print, printTable, report, split } from './output.ts';
import { newSecrets } from './password.ts';

export const add = command(usersAddProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const name = operands[0]!;
  if (values['no-password'] && values['password-file'] !== undefined)
    throw new UsageError('-no-password and -password-file contradict each other');
  const secrets = values['no-password'] ? {} : await newSecrets(values['password-file'], stop, name);
  const input = { name, groups: split(values.groups), admin: values.admin, ...secrets };
  const { rulesAboutUser } = await withAdmin(invocation, (admin) => admin.call(addUser, input));
  report(values, { added: name }, `Added user ${quoted(name)}.`);
  if (!rulesAboutUser && !values.quiet)
    note(`No rule is about ${quoted(name)} yet, so it may do nothing: see tinymq acl add -help`);
});

export const passwd = command(usersPasswdProgram, async (invocation) => {
  const name = invocation.operands[0]!;
  const secrets = await newSecrets(invocation.values['password-file'], invocation.stop, name);
  await change(invocation, secrets, `User ${quoted(name)} has another password.`);
});

export const groups = command(usersAlterProgram, async (invocation) => {
  const name = invocation.operands[0]!;
  const named = split(invocation.values.groups);
  const where = named.length === 0 ? 'in no group' : `in ${named.map((group) => quoted(group)).join(', ')}`;
  await change(invocation, { groups: named }, `User ${quoted(name)} is ${where}.`);
});

export const enable = command(usersEnableProgram, (invocation) =>
  change(invocation, { enabled: true }, `User ${quoted(invocation.operands[0]!)} is enabled.`),
);

export const disable = command(usersDisableProgram, (invocation) =>
  change(invocation, { enabled: false }, `User ${quoted(invocation.operands[0]!)} is disabled.`),
);

export const remove = command(usersRemoveProgram, async (invocation) => {
  const name = invocation.operands[0]!;
  await withAdmin(invocation, (admin) => admin.call(removeUser, { name }));
  report(invocation.values, { removed: name }, `Removed user ${quoted(name)}.`);
});

export const list = command(usersListProgram, async (invocation) => {
  const users = await withAdmin(invocation, (admin) => admin.call(listUsers, {}));
  if (invocation.values.json) {
    print(users);
    return;
  }
  printTable(
    ['USER', 'STATE', 'LOGIN', 'FROM', 'GROUPS'],
    users.map(({ name, enabled, hasPassword, mechanisms, origin, groups: of }) => [
      name,
      enabled ? 'enabled' : 'disabled',
      [...(hasPassword ? ['password'] : []), ...(mechanisms.length > 0 ? ['SCRAM'] : [])].join(', ') || '-',
      origin,
      of.join(', ') || '-',
    ]),
  );
});

export const hash = command(usersHashProgram, async ({ values, operands, stop }) => {
  const secrets = await newSecrets(values['password-file'], stop, operands[0]);
  if (values.json) {
    print(secrets);
    return;
  }
  const [name] = operands;
  const indent = name === undefined ? '' : '    ';
  const lines = [
    ...(name === undefined ? [] : [`  ${JSON.stringify(name)}:`]),
    `${indent}password: ${secrets.password}`,
    `${indent}scram:`,
    ...secrets.scram!.map((word) => `${indent}  - ${word}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
});

type Changing = Pick<Invocation<typeof usersEnableProgram.options>, 'values' | 'given' | 'operands' | 'stop'>;

async function change(invocation: Changing, form: UserForm, said: string): Promise<void> {
  const name = invocation.operands[0]!;
  await withAdmin(invocation, (admin) => admin.call(alterUser, { name, ...form }));
  report(invocation.values, { changed: name }, said);
}
