import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.ts';

const PROGRAMS = fileURLToPath(new URL('../../bin/', import.meta.url));

export type ProgramName = 'broker' | 'publisher' | 'subscriber' | 'tinymq' | 'smq' | 'dashmq';

/** The path of a built program: from its source it would take a second of processor time to start. */
export function program(name: ProgramName): string {
  const path = `${PROGRAMS}${name}`;
  if (!existsSync(path)) throw new Error(`${path} is missing: run make build first`);
  return path;
}

/** What a program printed and how it ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A program that is running. */
export interface Running {
  readonly child: ChildProcess;
  /** Everything it wrote so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves when it has ended. */
  readonly ended: Promise<Ended>;
}

/** Starts a program of ours, or a shell line with `sh`. */
export function start(
  command: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Running {
  const child = spawn(command, args, {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  });
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  // It may end before it has read that.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Runs a program to its end. */
export function run(
  command: string,
  args: readonly string[],
  options?: Parameters<typeof start>[2],
): Promise<Ended> {
  return start(command, args, options).ended;
}

export type LogLine = Record<string, unknown>;

/** A broker in a process of its own. */
export interface BrokerProcess extends Running, AsyncDisposable {
  readonly pid: number;
  /** Where it listens, with real ports. */
  readonly urls: readonly string[];
  readonly url: string;
  /** Resident memory in bytes. */
  memory(): number;
  /** The lines of its log. */
  log(): LogLine[];
  /** The next line of its log that is like this; lines that are there already count. */
  logged(wanted: LogLine): Promise<LogLine>;
  /** Its counters, not older than this call. */
  stats(): Promise<LogLine>;
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/**
 * Starts the real `broker` and waits until it listens. It runs in a folder of its own, which goes with it: what it keeps in its
 * default folder is not found by the tests that run beside this one.
 */
export async function startBrokerProcess(
  flags: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<BrokerProcess> {
  const cwd = mkdtempSync(join(tmpdir(), 'tinymq-cwd-'));
  const running = start(program('broker'), [...flags, ...REPORTING], { cwd, env });
  const remove = () => rmSync(cwd, { recursive: true, force: true });
  running.ended.then(remove, remove);
  return brokerProcess(running);
}

/** What a broker has to be told so that a test can follow it. */
export const REPORTING = ['-json', '-log-format', 'json', '-stats', '0.1'];

/** Waits until a program that was started as a broker listens. */
export async function brokerProcess(running: Running): Promise<BrokerProcess> {
  const early = running.ended.then(({ code, stderr }) => {
    throw new Error(`the broker ended with code ${code}: ${stderr}`);
  });
  const ready = eventually(() => running.stdout().includes('\n'), 'the line that says what is listening');
  await Promise.race([ready, early]);
  early.catch(() => {});
  const { listeners, pid } = JSON.parse(running.stdout()) as { listeners: string[]; pid: number };

  function log(): LogLine[] {
    const lines = running.stderr().split('\n').slice(0, -1);
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
  }

  function logged(wanted: LogLine): Promise<LogLine> {
    const isWanted = (line: LogLine) => Object.entries(wanted).every(([key, value]) => line[key] === value);
    return eventually(() => log().find(isWanted), `a log line with ${JSON.stringify(wanted)}`);
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    const hasEnded = running.child.exitCode !== null || running.child.signalCode !== null;
    if (!hasEnded) process.kill(pid, signal);
    return running.ended;
  }

  return {
    ...running,
    pid,
    urls: listeners,
    url: listeners[0],
    memory: () => residentBytes(pid),
    log,
    logged,
    async stats() {
      // The first new line may have been on its way already.
      const seen = log().filter(({ msg }) => msg === 'rates').length;
      return eventually(() => log().filter(({ msg }) => msg === 'rates')[seen + 1], 'a line of rates');
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop('SIGKILL');
    },
  };
}

/** Resident memory of a process; none where it has ended. */
function residentBytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
