import { readFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { makePassword, passwordProblem } from '../../../internal/access/users/passwords.ts';
import { secretsForm, type UserForm } from '../../../internal/admin/forms.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { askPassword } from '../../cli/ask-password.ts';
import { UsageError } from '../../cli/options/program.ts';

/**
 * What is stored of a new password, which stands in a file or is asked for twice. It is never an argument: other users of the
 * machine see those.
 *
 * @throws UsageError, Failure.
 */
export async function newSecrets(
  file: string | undefined,
  stop: AbortSignal,
  name?: string,
): Promise<UserForm> {
  const password = file === undefined ? await askTwice(name, stop) : firstLine(await contentOf(file));
  const problem = passwordProblem(password);
  if (problem !== undefined) throw new Failure(problem);
  return secretsForm(await makePassword(password));
}

async function contentOf(file: string): Promise<string> {
  if (file === '-') return textOf(process.stdin);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`-password-file: cannot read ${file}: ${systemReason(error)}`);
  }
}

function firstLine(content: string): string {
  return /^[^\r\n]*/.exec(content)![0];
}

async function askTwice(name: string | undefined, stop: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      'there is no terminal to ask for the password: name a file with -password-file FILE, or - for the standard input',
    );
  }
  const whose = name === undefined ? '' : ` of ${printableText(name)}`;
  const first = await askPassword(`Password${whose}: `, stop);
  if (first !== (await askPassword('The same again: ', stop))) throw new Failure('the two passwords differ');
  return first;
}
