import { readFileSync } from 'node:fs';
import { printableText } from '../../internal/lib/printable.ts';
import { systemReason } from '../../internal/lib/system-reason.ts';
import { askPassword } from './ask-password.ts';
import type { credentialOptions } from './options/credential-options.ts';
import type { Values } from './options/option.ts';
import { UsageError } from './options/program.ts';
import type { Invocation } from './run-program.ts';

/** Who a program is for the broker. Secrets are read anew at each connection, because files of tokens are renewed. */
export type GivenCredentials =
  | { readonly user: string; readonly password: () => string }
  | { readonly token: () => string };

/**
 * What flags and environment say of it; undefined where they say nothing. Where there is a user and no password, it is
 * asked for on the terminal. A flag wins over a variable.
 *
 * @throws UsageError; Failure where nobody answers.
 */
export async function credentialsOf({
  values,
  stop,
}: Pick<Invocation<typeof credentialOptions>, 'stop'> & {
  values: Values<typeof credentialOptions> & { password?: string | undefined };
}): Promise<GivenCredentials | undefined> {
  const { user, 'password-file': passwordFile, 'token-file': tokenFile } = values;
  const { TINYMQ_TOKEN: token, TINYMQ_PASSWORD: password } = process.env;
  if (values.password !== undefined && values.password !== process.env.TINYMQ_PASSWORD) {
    if (user === undefined) throw new UsageError('-password needs -user');
    if (passwordFile ?? tokenFile)
      throw new UsageError('-password comes in place of -password-file and -token-file');
    return { user, password: always(values.password) };
  }
  if (tokenFile !== undefined && (user !== undefined || passwordFile !== undefined)) {
    throw new UsageError('-token-file comes in place of -user and -password-file');
  }
  if (tokenFile !== undefined) return { token: fileReader('token-file', tokenFile) };
  if (user === undefined) {
    if (passwordFile !== undefined) throw new UsageError('-password-file needs -user');
    return token ? { token: () => token } : undefined;
  }
  if (passwordFile !== undefined) return { user, password: fileReader('password-file', passwordFile) };
  // Whoever writes -user does not mean the token of the environment; of two variables nobody knows which one was meant.
  if (token && user === process.env.TINYMQ_USER)
    throw new UsageError('TINYMQ_TOKEN comes in place of TINYMQ_USER');
  if (password !== undefined) return { user, password: always(password) };
  if (!process.stdin.isTTY) {
    throw new UsageError(
      '-user needs a password: -password-file FILE, the variable TINYMQ_PASSWORD, or a terminal',
    );
  }
  const typed = await askPassword(`Password of ${printableText(user)}: `, stop);
  return { user, password: always(typed) };
}

function always(secret: string): () => string {
  return () => secret;
}

/** Reads the file at once, so that a wrong name is told before anything begins. @throws UsageError. */
function fileReader(flag: keyof Values<typeof credentialOptions>, file: string): () => string {
  const read = () => {
    try {
      return /^[^\r\n]*/.exec(readFileSync(file, 'utf8'))![0];
    } catch (error) {
      throw new UsageError(`-${flag}: cannot read ${file}: ${systemReason(error)}`);
    }
  };
  if (read() === '') throw new UsageError(`-${flag}: the first line of ${file} is empty`);
  return read;
}
