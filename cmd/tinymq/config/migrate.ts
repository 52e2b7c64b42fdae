import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Failure } from '../../../internal/lib/failure.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { brokerProgram } from '../../broker/flags.ts';
import { SCHEMA_FILE } from '../../cli/options/file/schema.ts';
import type { Values } from '../../cli/options/option.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { textOf, writeUsersFile } from '../import/mosquitto-access.ts';
import { note, reporter } from '../report.ts';
import { configMigrateProgram } from './flags.ts';
import { migrateKafka } from './kafka.ts';
import type { Left, Migrated } from './migrated.ts';
import { migrateMosquitto } from './mosquitto/migrate.ts';
import { schemaText } from './schema.ts';

const USERS_FILE = 'users.yaml';

export const migrate = command(configMigrateProgram, async ({ values, operands }) => {
  const [file] = operands;
  const migrated = kindOf(file, values.from) === 'kafka' ? migrateKafka(file) : migrateMosquitto(file);
  const text = await textFor(file, migrated);
  const written = values['dry-run'] ? [] : await write(values.output, text, migrated);
  const left = [...migrated.left.map(toldLeft), ...(migrated.access?.left ?? [])];
  const needPassword = migrated.access?.needPassword ?? [];
  if (values.json) {
    print({ written, file: text, left, needless: migrated.needless.map(toldLeft), needPassword });
    return;
  }
  tell(values, { text, written, left, needPassword, needless: migrated.needless.map(toldLeft) });
});

interface Told {
  readonly text: string;
  readonly written: readonly string[];
  readonly left: readonly string[];
  readonly needless: readonly string[];
  readonly needPassword: readonly string[];
}

/** What has to be looked at goes to the standard error, so that the file can be piped. */
function tell(
  values: Values<typeof configMigrateProgram.options>,
  { text, written, left, needless, needPassword }: Told,
): void {
  if (values['dry-run']) process.stdout.write(text);
  if (values.quiet) return;
  for (const line of left) note(`Done in another way here, or not at all: ${line}`);
  for (const line of needless) note(`Not needed: ${line}`);
  if (needPassword.length > 0) note(`Need a new password (tinymq users hash): ${needPassword.join(', ')}`);
  const say = reporter(false);
  if (written.length === 0) return;
  say(`Wrote ${written.join(', ')}.`);
  say(`Check it: tinymq config check ${written[0]}. Start it: broker -config ${written[0]}`);
}

/** Keys of Kafka have dots in them and = behind; those of mosquitto have neither. */
function kindOf(file: string, from: 'mosquitto' | 'kafka' | undefined): 'mosquitto' | 'kafka' {
  if (from !== undefined) return from;
  return /^\s*[a-z]+(\.[a-z]+)+\s*[=:]/m.test(textOf('FILE', file)) ? 'kafka' : 'mosquitto';
}

async function textFor(file: string, { options, access }: Migrated): Promise<string> {
  const { optionsText } = await import('../../cli/options/file/write.ts');
  const all = new Map(options);
  if (access !== undefined)
    all.set('users', { texts: [USERS_FILE], note: 'made of password_file, acl_file and allow_anonymous' });
  return optionsText(brokerProgram, all, [`made of ${basename(file)} by tinymq config migrate`]);
}

/** @returns the files that were written. @throws Failure where one is there already; then nothing is written. */
async function write(output: string, text: string, { access }: Migrated): Promise<string[]> {
  const written = [output];
  writeNew(output, text);
  if (access !== undefined) {
    const users = join(dirname(output), USERS_FILE);
    await writeUsersFile(users, access);
    written.push(users);
  }
  const schema = join(dirname(output), SCHEMA_FILE);
  if (!isThere(schema)) {
    writeNew(schema, schemaText());
    written.push(schema);
  }
  return written;
}

function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    throw new Failure(`cannot write ${file}: ${systemReason(error)}`);
  }
}

function isThere(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

function toldLeft({ file, line, problem }: Left): string {
  return printableText(line === undefined ? `${file}: ${problem}` : `${file}, line ${line}: ${problem}`);
}
