import type { Values } from '../../cli/options/option.ts';
import { UsageError } from '../../cli/options/program.ts';
import type { Invocation } from '../../cli/run-program.ts';
import { type Context, contextNamed, readContexts } from './contexts.ts';
import type { placeOptions, urlOptions } from './flags.ts';

/** The flags that say where a broker is; commands on users and rules have only those of folders and contexts. */
export interface Place {
  values: Values<typeof placeOptions> & Partial<Values<typeof urlOptions>>;
  given: ReadonlySet<string>;
  stop: Invocation<typeof placeOptions>['stop'];
}

/** Where a broker is. */
export type Target =
  | {
      readonly kind: 'folder';
      readonly folder: string;
      readonly kafkaLogDirs: readonly string[];
      /** Whether somebody named it. */
      readonly isNamed: boolean;
    }
  | { readonly kind: 'url'; readonly url: URL; readonly login: Login };

/** Who one is there: names of files, and what is in them is read when it is needed. */
export interface Login {
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly tlsCa?: string | undefined;
}

const PLACES = ['url', 'data-dir', 'kafka-log-dir', 'context'] as const;

/**
 * What flags and environment say; where they say nothing, the context that is in use, and else the usual folder.
 *
 * @throws UsageError; Failure where the contexts cannot be read.
 */
export function targetOf({ values, given }: Place): Target {
  const named = PLACES.filter((name) => given.has(name));
  if (named.includes('context') && named.length > 1) {
    throw new UsageError(
      `-context and -${named.find((name) => name !== 'context')} both say where the broker is`,
    );
  }
  if (named.includes('url') && named.length > 1) {
    throw new UsageError(`-url and -${named[1]} both say where the broker is`);
  }
  const login = loginOf(values);
  if (values.url !== undefined) return { kind: 'url', url: urlOf(values.url), login };
  const context = contextOf(values, named.length > 0);
  if (context?.url === undefined) return folderOf(context, values, named.length > 0);
  const isSomebodyElse = login.user !== undefined || login.tokenFile !== undefined;
  const { user, passwordFile, tokenFile, tlsCa } = context;
  const remembered = isSomebodyElse ? {} : { user, passwordFile, tokenFile };
  return {
    kind: 'url',
    url: urlOf(context.url),
    login: { ...login, ...remembered, tlsCa: login.tlsCa ?? tlsCa },
  };
}

function loginOf(values: Place['values']): Login {
  const { user, 'password-file': passwordFile, 'token-file': tokenFile, 'tls-ca': tlsCa } = values;
  return { user, passwordFile, tokenFile, tlsCa };
}

function contextOf({ context }: Place['values'], isNamed: boolean): Context | undefined {
  if (context !== undefined) return contextNamed(readContexts(), context);
  if (isNamed) return undefined;
  const contexts = readContexts();
  return contexts.current === undefined ? undefined : contexts.contexts[contexts.current];
}

function folderOf(context: Context | undefined, values: Place['values'], isNamed: boolean): Target {
  const kafkaLogDirs = context?.kafkaLogDirs ?? values['kafka-log-dir'];
  const folder = kafkaLogDirs[0] ?? context?.dataDir ?? values['data-dir'];
  return { kind: 'folder', folder, kafkaLogDirs, isNamed: isNamed || context !== undefined };
}

/** @throws UsageError where it is none of the HTTP door. */
export function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError(`-url is a URL such as http://localhost:8080, not '${text}'`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('-url has no user and password in it: there are -user and -password-file');
  }
  return url;
}
