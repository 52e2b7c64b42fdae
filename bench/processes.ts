/** Starting, watching and ending other processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { availableParallelism } from 'node:os';
import type { Address, Command } from './peers/peer.ts';

/** The broker has one core and the load generator another, so that neither takes the other's time. */
export const BROKER_CORE = 0;
export const LOAD_CORE = 1;

/** What a kernel of Linux counts CPU time in: USER_HZ, the same on every machine we run on. */
const TICKS_PER_SECOND = 100;
const END_TIMEOUT_MS = 3_000;
const START_TIMEOUT_MS = 10_000;
const KEPT_OUTPUT_CHARACTERS = 2_000;

/** Whether processes can be tied to cores here. */
export const canPin = availableParallelism() >= 2 && problemOfProgram('taskset') === undefined;

/** Why a program cannot be run, or undefined where it can. */
export function problemOfProgram(program: string): string | undefined {
  const isThere = (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/${program}`));
  return isThere ? undefined : `${program} is not installed`;
}

/** A process that was started here, and ends with this one. */
export interface Started {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The last of what it wrote to stdout and stderr. */
  output(): string;
  /** It ended, or could not be started at all. */
  hasEnded(): boolean;
  /** Asks it to end, and ends it where it does not. */
  end(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a program on one core, or on any. */
export function start(command: Command, core: number | undefined, options: { ipc?: boolean } = {}): Started {
  const argv =
    canPin && core !== undefined
      ? ['taskset', '-c', String(core), command.program, ...command.args]
      : [command.program, ...command.args];
  const child = spawn(argv[0], argv.slice(1), {
    env: { ...process.env, ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
  });
  running.add(child);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-KEPT_OUTPUT_CHARACTERS);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (error) => keep(Buffer.from(error.message)));
  child.on('exit', () => running.delete(child));
  const hasEnded = (): boolean =>
    child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid ?? 0,
    child,
    output: () => output.trim(),
    hasEnded,
    async end() {
      if (hasEnded()) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await exit;
      clearTimeout(timer);
    },
    async kill() {
      if (hasEnded()) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/**
 * Waits until a process accepts connections.
 *
 * @throws Error with what it said, where it ends before, or takes more than 10 seconds.
 */
export async function untilListening(process: Started, address: Address): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await accepts(address))) {
    if (process.hasEnded()) throw new Error(`it ended at once: ${process.output()}`);
    if (Date.now() > deadline) throw new Error(`it does not listen after 10 seconds: ${process.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function accepts(address: Address): Promise<boolean> {
  const socket = address.transport === 'unix' ? connect(address.path) : connect(address.port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).then((answer) => {
    socket.destroy();
    return answer as boolean;
  });
}

/** The CPU time that a process has used, in seconds, of all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is the name, in parentheses, and may have spaces; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The memory of a process that is in use now, in bytes. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return line ? Number(line[1]) * 1024 : 0;
}
