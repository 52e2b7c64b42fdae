import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { program } from './broker-process.ts';

/** How `tinymq` ended, and what it wrote. */
export interface TinymqEnd {
  code: number | null;
  out: string;
  errors: string;
}

/** A `tinymq` that is running, as it was built. */
export interface TinymqProcess extends Disposable {
  child: ChildProcess;
  /** What it wrote so far. */
  out(): string;
  errors(): string;
  ended: Promise<TinymqEnd>;
}

/** Starts `tinymq`; its standard input stays open. */
export function startTinymq(args: readonly string[], env: NodeJS.ProcessEnv = {}): TinymqProcess {
  const child = spawn(program('tinymq'), args, { env: { PATH: process.env.PATH, ...env } });
  let out = '';
  let errors = '';
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, errors }));
  return {
    child,
    out: () => out,
    errors: () => errors,
    ended,
    [Symbol.dispose]: () => child.kill('SIGKILL'),
  };
}

/** Runs `tinymq` to its end; nothing comes from its standard input unless given. */
export function runTinymq(
  args: readonly string[],
  input: string | Uint8Array = '',
  env?: NodeJS.ProcessEnv,
): Promise<TinymqEnd> {
  const { child, ended } = startTinymq(args, env);
  child.stdin!.end(input);
  return ended;
}
