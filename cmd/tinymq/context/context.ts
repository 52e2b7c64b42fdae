import { resolve } from 'node:path';
import { quoted } from '../../../internal/errors.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable, report } from '../access/output.ts';
import { type Context, contextNamed, readContexts, writeContexts } from '../reach/contexts.ts';
import { urlOf } from '../reach/target.ts';
import { contextAddProgram, contextLsProgram, contextRmProgram, contextUseProgram } from './flags.ts';

const NAME = /^[\w.@-]{1,64}$/;

export const add = command(contextAddProgram, async ({ values, given, operands }) => {
  const name = operands[0]!;
  if (!NAME.test(name)) throw new UsageError('a name has letters, digits and . _ - @, 64 of them at most');
  const context = contextOf(values, given);
  const { current = name, contexts } = readContexts();
  writeContexts({ current, contexts: { ...contexts, [name]: context } });
  report(
    values,
    { added: name, current },
    `Remembered ${quoted(name)}${current === name ? ', and using it' : ''}.`,
  );
});

export const use = command(contextUseProgram, async ({ values, operands }) => {
  const name = operands[0]!;
  const contexts = readContexts();
  contextNamed(contexts, name);
  writeContexts({ ...contexts, current: name });
  report(values, { current: name }, `Using ${quoted(name)}.`);
});

export const ls = command(contextLsProgram, async ({ values }) => {
  const { current, contexts } = readContexts();
  const all = Object.entries(contexts).sort(([one], [other]) => (one < other ? -1 : 1));
  if (values.json) {
    print(all.map(([name, context]) => ({ name, isCurrent: name === current, ...context })));
    return;
  }
  printTable(
    ['', 'NAME', 'BROKER', 'LOGIN'],
    all.map(([name, context]) => [name === current ? '*' : ' ', name, placeOf(context), loginOf(context)]),
  );
});

export const rm = command(contextRmProgram, async ({ values, operands }) => {
  const name = operands[0]!;
  const { current, contexts } = readContexts();
  contextNamed({ contexts }, name);
  const { [name]: _, ...others } = contexts;
  writeContexts({ ...(current !== undefined && current !== name && { current }), contexts: others });
  report(values, { removed: name }, `Forgot ${quoted(name)}.`);
});

type AddValues = Parameters<Parameters<typeof command<typeof contextAddProgram.options>>[1]>[0]['values'];

/** @throws UsageError where the flags name no place, or several. */
function contextOf(values: AddValues, given: ReadonlySet<string>): Context {
  const places = (['url', 'data-dir', 'kafka-log-dir'] as const).filter((name) => given.has(name));
  if (places.length !== 1) {
    throw new UsageError('a context has one place: -url URL, -data-dir FOLDER or -kafka-log-dir FOLDER');
  }
  const { url, user, 'data-dir': dataDir, 'kafka-log-dir': kafkaLogDirs } = values;
  const stray = (['user', 'password-file', 'token-file', 'tls-ca'] as const).find((name) => given.has(name));
  if (url === undefined) {
    if (stray !== undefined) throw new UsageError(`-${stray} goes with -url: a folder needs no login`);
    return dataDir === undefined
      ? { kafkaLogDirs: kafkaLogDirs.map((each) => resolve(each)) }
      : { dataDir: resolve(dataDir) };
  }
  const { 'password-file': passwordFile, 'token-file': tokenFile, 'tls-ca': tlsCa } = values;
  if (tokenFile !== undefined && (user !== undefined || passwordFile !== undefined)) {
    throw new UsageError('-token-file comes in place of -user and -password-file');
  }
  if (passwordFile !== undefined && user === undefined) throw new UsageError('-password-file needs -user');
  return {
    url: urlOf(url).href,
    ...(user !== undefined && { user }),
    ...(passwordFile !== undefined && { passwordFile: resolve(passwordFile) }),
    ...(tokenFile !== undefined && { tokenFile: resolve(tokenFile) }),
    ...(tlsCa !== undefined && { tlsCa: resolve(tlsCa) }),
  };
}

function placeOf({ url, dataDir, kafkaLogDirs }: Context): string {
  return url ?? dataDir ?? kafkaLogDirs?.join(', ') ?? '-';
}

function loginOf({ user, passwordFile, tokenFile }: Context): string {
  if (tokenFile !== undefined) return `token in ${tokenFile}`;
  if (user === undefined) return '-';
  return passwordFile === undefined ? user : `${user}, password in ${passwordFile}`;
}
