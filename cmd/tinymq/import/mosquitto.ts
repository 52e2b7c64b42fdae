import { parseConfFile } from '../../../internal/access/mosquitto/conf-file.ts';
import { importAccess } from '../../../internal/admin/operations/import.ts';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { withAdmin } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { importMosquittoProgram } from './flags.ts';
import { beside, type FoundAccess, findAccess, textOf, writeUsersFile } from './mosquitto-access.ts';

export const importMosquitto = command(importMosquittoProgram, async (invocation) => {
  const { values } = invocation;
  const found = findIn(values);
  const { users, rules, left, needPassword } = found;
  if (users.length === 0 && rules.length === 0)
    throw new Failure(`there is nothing to take over${left.length > 0 ? `: ${left.join('; ')}` : ''}`);
  const isWritten = !values['dry-run'];
  if (isWritten && values.output !== undefined) await writeUsersFile(values.output, found);
  else if (isWritten) await withAdmin(invocation, (admin) => admin.call(importAccess, { users, rules }));
  if (values.json) {
    print({ users: users.map(({ name }) => name), rules, left, needPassword, isWritten });
    return;
  }
  if (values.quiet) return;
  const what = `${counted(users.length, 'user')} and ${counted(rules.length, 'rule')}`;
  const into = values.output === undefined ? '' : ` to ${values.output}`;
  const lines = [
    ...left.map((line) => `Not taken over: ${line}`),
    isWritten ? `Took over ${what}${into}.` : `Would take over ${what}.`,
  ];
  if (needPassword.length > 0) {
    const names = needPassword.map((name) => quoted(name)).join(', ');
    lines.push(`Need a new password (tinymq users add NAME): ${names}.`);
  }
  process.stdout.write(`${lines.map(printableText).join('\n')}\n`);
});

function findIn({ conf, passwords, acl }: Values<typeof importMosquittoProgram.options>): FoundAccess {
  if (conf === undefined && passwords === undefined && acl === undefined)
    throw new UsageError('-conf, -passwords or -acl names what is to be imported');
  const ofConf = conf === undefined ? undefined : parseConfFile(textOf('-conf', conf));
  const named = (files: readonly string[] = []) => files.map((file) => beside(conf!, file));
  const found = findAccess({
    passwordFiles: passwords === undefined ? named(ofConf?.passwordFiles) : [passwords],
    aclFiles: acl === undefined ? named(ofConf?.aclFiles) : [acl],
    allowsAnonymous: ofConf?.allowsAnonymous,
  });
  const left = (ofConf?.problems ?? []).map(({ line, problem }) => `${conf}, line ${line}: ${problem}`);
  return { ...found, left: [...left, ...found.left] };
}
