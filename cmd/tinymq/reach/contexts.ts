import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { suggestion } from '../../../internal/lib/nearest.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { UsageError } from '../../cli/options/program.ts';

/** A place that is remembered: a folder, or a URL with who one is there. Secrets are in files of their own. */
export interface Context {
  readonly dataDir?: string;
  readonly kafkaLogDirs?: readonly string[];
  readonly url?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
}

export interface Contexts {
  /** What commands use that name no place. */
  readonly current?: string;
  readonly contexts: Readonly<Record<string, Context>>;
}

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const TEXTS = ['dataDir', 'url', 'user', 'passwordFile', 'tokenFile', 'tlsCa'] as const;

/** The file of contexts, below the user's folder of settings (XDG Base Directory). */
export function contextsFile(environment: NodeJS.ProcessEnv = process.env): string {
  const folder = environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), '.config');
  return join(folder, 'tinymq', 'contexts.json');
}

/** @throws Failure where the file cannot be read. */
export function readContexts(file = contextsFile()): Contexts {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} };
    throw new Failure(`cannot read ${file}: ${systemReason(error)}`);
  }
  const contexts = parseContexts(content);
  if (contexts === undefined) throw new Failure(`${file} is not a file of contexts`);
  return contexts;
}

/** Written as a whole or not at all, for nobody but its owner. @throws Failure. */
export function writeContexts(contexts: Contexts, file = contextsFile()): void {
  const part = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
    writeFileSync(part, `${JSON.stringify(contexts, undefined, 2)}\n`, { mode: FILE_MODE });
    renameSync(part, file);
  } catch (error) {
    throw new Failure(`cannot write ${file}: ${systemReason(error)}`);
  }
}

/** @throws UsageError where there is none of that name. */
export function contextNamed({ contexts }: Contexts, name: string): Context {
  if (Object.hasOwn(contexts, name)) return contexts[name]!;
  const hint = suggestion(name, Object.keys(contexts));
  throw new UsageError(`there is no context ${quoted(name)}${hint}`);
}

function parseContexts(content: string): Contexts | undefined {
  try {
    const { current, contexts } = JSON.parse(content) as Contexts;
    if (current !== undefined && typeof current !== 'string') return undefined;
    return Object.values(contexts).every(isContext) ? { ...(current && { current }), contexts } : undefined;
  } catch {
    return undefined;
  }
}

function isContext(value: unknown): value is Context {
  if (typeof value !== 'object' || value === null) return false;
  const { kafkaLogDirs = [], ...texts } = value as Context;
  const areTexts = TEXTS.every((name) => texts[name] === undefined || typeof texts[name] === 'string');
  return areTexts && Array.isArray(kafkaLogDirs) && kafkaLogDirs.every((each) => typeof each === 'string');
}
