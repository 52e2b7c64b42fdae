import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parseAclFile } from '../../../internal/access/mosquitto/acl-file.ts';
import { parsePasswordFile } from '../../../internal/access/mosquitto/password-file.ts';
import { ruleForm } from '../../../internal/access/rules/rule.ts';
import type { ImportInput } from '../../../internal/admin/operations/import.ts';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { UsageError } from '../../cli/options/program.ts';

/** The files in which a mosquitto has users and rules. */
export interface AccessFiles {
  readonly passwordFiles: readonly string[];
  readonly aclFiles: readonly string[];
  /** Undefined where nothing is said. */
  readonly allowsAnonymous: boolean | undefined;
}

/** What was found in the files of a mosquitto. */
export interface FoundAccess extends ImportInput {
  /** What was not taken over, each with file and line. */
  readonly left: readonly string[];
  /** Users whose password was not taken over, so that somebody has to make them anew. */
  readonly needPassword: readonly string[];
}

/** Users and rules as they are here. @throws UsageError where a file cannot be read. */
export function findAccess({ passwordFiles, aclFiles, allowsAnonymous }: AccessFiles): FoundAccess {
  const left: string[] = [];
  const read = <T extends Parsed>(flag: string, file: string, parse: (text: string) => T): T => {
    const parsed = parse(textOf(flag, file));
    for (const { line, name, problem } of parsed.problems) {
      const whose = name === undefined ? '' : `, user ${quoted(name)}`;
      left.push(`${file}, line ${line}${whose}: ${problem}`);
    }
    return parsed;
  };
  const found = passwordFiles.map((file) => read('-passwords', file, parsePasswordFile));
  const users = [...new Map(found.flatMap((file) => file.users).map((user) => [user.name, user])).values()];
  const taken = new Set(users.map(({ name }) => name));
  const refused = found.flatMap(({ problems }) => problems.flatMap(({ name }) => name ?? []));
  const needPassword = [...new Set(refused)].filter((name) => !taken.has(name));
  const ofAcl = aclFiles.flatMap((file) => read('-acl', file, parseAclFile).rules);
  const forms = ofAcl.map((rule, index) => ({ ...ruleForm(rule), id: `mosquitto-${index + 1}` }));
  const rules = [...anonymousRules(allowsAnonymous), ...forms];
  // Without an ACL file whoever is let in may do everything.
  if (aclFiles.length === 0) rules.push(EVERYTHING);
  return { users, rules, left, needPassword };
}

interface Parsed {
  problems: readonly { line: number; name?: string | undefined; problem: string }[];
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

/** @throws UsageError. */
export function textOf(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag}: cannot read ${file}: ${systemReason(error)}`);
  }
}

/** Mosquitto looks from where it was started, which mostly is not known. */
export function beside(conf: string, file: string): string {
  return isAbsolute(file) || existsSync(file) ? file : join(dirname(conf), file);
}

/** Writes a new file for `broker -users`. @throws Failure. */
export async function writeUsersFile(
  file: string,
  { users, rules }: Pick<FoundAccess, 'users' | 'rules'>,
): Promise<void> {
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
