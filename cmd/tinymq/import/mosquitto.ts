import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAclFile } from '../../../internal/access/mosquitto/acl-file.ts';
import { parseConfFile } from '../../../internal/access/mosquitto/conf-file.ts';
import { parsePasswordFile } from '../../../internal/access/mosquitto/password-file.ts';
import { ruleForm } from '../../../internal/access/rules/rule.ts';
import { type ImportInput, importAccess } from '../../../internal/admin/operations/import.ts';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { withAdmin } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { importMosquittoProgram } from './flags.ts';

/** What was found in the files of a mosquitto. */
interface Found extends ImportInput {
  /** What was not taken over, each with file and line. */
  readonly left: readonly string[];
  /** Users whose password was not taken over, so that somebody has to make them anew. */
  readonly needPassword: readonly string[];
}

export const importMosquitto = command(importMosquittoProgram, async (invocation) => {
  const { values } = invocation;
  const found = findIn(values);
  const { users, rules, left, needPassword } = found;
  if (users.length === 0 && rules.length === 0)
    throw new Failure(`there is nothing to take over${left.length > 0 ? `: ${left.join('; ')}` : ''}`);
  const isWritten = !values['dry-run'];
  if (isWritten && values.output !== undefined) await writeFile(values.output, found);
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

function findIn({ conf, passwords, acl }: Values<typeof importMosquittoProgram.options>): Found {
  if (conf === undefined && passwords === undefined && acl === undefined)
    throw new UsageError('-conf, -passwords or -acl names what is to be imported');
  const left: string[] = [];
  const read = <
    T extends { problems: readonly { line: number; name?: string | undefined; problem: string }[] },
  >(
    flag: string,
    file: string,
    parse: (text: string) => T,
  ): T => {
    const parsed = parse(textOf(flag, file));
    for (const { line, name, problem } of parsed.problems) {
      const whose = name === undefined ? '' : `, user ${quoted(name)}`;
      left.push(`${file}, line ${line}${whose}: ${problem}`);
    }
    return parsed;
  };
  const ofConf = conf === undefined ? undefined : read('-conf', conf, parseConfFile);
  const named = (files: readonly string[] = []) => files.map((file) => beside(conf!, file));
  const passwordFiles = passwords === undefined ? named(ofConf?.passwordFiles) : [passwords];
  const aclFiles = acl === undefined ? named(ofConf?.aclFiles) : [acl];
  const found = passwordFiles.map((file) => read('-passwords', file, parsePasswordFile));
  const users = [...new Map(found.flatMap((file) => file.users).map((user) => [user.name, user])).values()];
  const taken = new Set(users.map(({ name }) => name));
  const refused = found.flatMap(({ problems }) => problems.flatMap(({ name }) => name ?? []));
  const needPassword = [...new Set(refused)].filter((name) => !taken.has(name));
  const ofAcl = aclFiles.flatMap((file) => read('-acl', file, parseAclFile).rules);
  const forms = ofAcl.map((rule, index) => ({ ...ruleForm(rule), id: `mosquitto-${index + 1}` }));
  const rules = [...anonymousRules(ofConf?.allowsAnonymous), ...forms];
  // Without an ACL file whoever is let in may do everything.
  if (aclFiles.length === 0) rules.push(EVERYTHING);
  return { users, rules, left, needPassword };
}

type RuleForm = ImportInput['rules'][number];

const EVERYTHING: RuleForm = {
  id: 'mosquitto-everything',
  ...{ allow: ['publish', 'subscribe'], users: ['*'], topics: ['#', '$SYS/#'] },
};

/** Clients without a user are let in where a rule names them. */
function anonymousRules(allowsAnonymous: boolean | undefined): RuleForm[] {
  if (allowsAnonymous === undefined) return [];
  const effect = allowsAnonymous ? 'allow' : 'deny';
  return [{ id: 'mosquitto-anonymous', [effect]: ['connect'], users: ['anonymous'] }];
}

function textOf(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag}: cannot read ${file}: ${systemReason(error)}`);
  }
}

/** Mosquitto looks from where it was started, which mostly is not known. */
function beside(conf: string, file: string): string {
  return existsSync(file) ? file : join(dirname(conf), file);
}

async function writeFile(file: string, { users, rules }: Found): Promise<void> {
  const { stringify } = await import('yaml');
  const content = {
    users: Object.fromEntries(users.map(({ name, ...form }) => [name, form])),
    rules,
  };
  try {
    writeFileSync(file, stringify(content), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new Failure(`cannot write ${file}: ${systemReason(error)}`);
  }
}
