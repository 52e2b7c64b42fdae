import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type ProgramName, program } from './broker-process.ts';
import { eventually } from './eventually.ts';

/** A program of ours whose standard streams are a terminal. */
export interface TerminalProgram extends Disposable {
  /** What the terminal has shown so far. */
  screen(): string;
  /** Waits until the terminal shows a text. */
  shows(text: string): Promise<void>;
  type(keys: string): void;
  /** The exit code; the terminal has shown everything then. */
  ended: Promise<number>;
}

/**
 * Starts a program in a terminal of its own, by `script` of util-linux, which every Linux has.
 *
 * @param afterwards a command of the shell that runs in the terminal when the program has ended.
 */
export function startInTerminal(
  name: ProgramName,
  args: readonly string[],
  { env = {}, afterwards }: { env?: NodeJS.ProcessEnv; afterwards?: string } = {},
): TerminalProgram {
  const line = [program(name), ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const command = afterwards === undefined ? line : `${line}; ${afterwards}`;
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm', NO_COLOR: '1', SHELL: '/bin/sh', ...env },
  });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  child.stderr.resume();
  child.stdin.on('error', () => {});
  return {
    screen: () => screen,
    async shows(text) {
      await eventually(() => screen.includes(text), `${text} in ${JSON.stringify(screen)}`);
    },
    type: (keys) => child.stdin.write(keys),
    ended: once(child, 'close').then(([code]) => code as number),
    [Symbol.dispose]: () => child.kill('SIGKILL'),
  };
}
