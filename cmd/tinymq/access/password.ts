import { readFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import { makePassword, passwordProblem } from '../../../internal/access/users/passwords.ts';
import { secretsForm, type UserForm } from '../../../internal/admin/forms.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { UsageError } from '../../cli/options/program.ts';

/**
 * What is stored of a new password, which stands in a file or is asked for twice. It is never an argument: other users of the
 * machine see those.
 *
 * @throws UsageError, Failure.
 */
export async function newSecrets(file: string | undefined, name?: string): Promise<UserForm> {
  const password = file === undefined ? await askTwice(name) : firstLine(await contentOf(file));
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

async function askTwice(name: string | undefined): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      'there is no terminal to ask for the password: name a file with -password-file FILE, or - for the standard input',
    );
  }
  const whose = name === undefined ? '' : ` of ${name}`;
  const first = await ask(`Password${whose}: `);
  if (first !== (await ask('The same again: '))) throw new Failure('the two passwords differ');
  return first;
}

const ENTER = /[\r\n]/;
const BACKSPACE = /[\x7f\b]/;

/** Asks on the terminal, which does not show what is typed. */
function ask(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (act: () => void) => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      act();
    };
    const take = (text: string) => {
      for (const [index, character] of [...text].entries()) {
        if (ENTER.test(character)) {
          const rest = [...text].slice(index + 1).join('');
          end(() => resolve(typed));
          if (rest !== '') stdin.unshift(rest);
          return;
        }
        if (character === '\x03' || character === '\x04') {
          end(() => reject(new Failure('no password was given')));
          return;
        }
        if (BACKSPACE.test(character)) typed = [...typed].slice(0, -1).join('');
        else if (character === '\x15') typed = '';
        else typed += character;
      }
    };
    stdin.on('data', take);
  });
}
