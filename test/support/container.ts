import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { type Ended, type Running, run, start } from './broker-process.ts';
import { eventually } from './eventually.ts';

/** What an image says of the containers that are made of it. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Volumes: Readonly<Record<string, object>>;
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/** An image whose files lie in a folder. */
export interface Image {
  readonly files: string;
  readonly config: ImageConfig;
}

/** How a container is started, as by the flags of `docker run`. */
export interface HowToRun {
  readonly args?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The folder that is mounted as the volume; it stays when the container ends. */
  readonly data: string;
}

/**
 * Starts a container as a runtime would: in namespaces of its own (files, network, processes), with a root file system that
 * cannot be written to, as the user of the image. It needs root.
 */
export function startContainer(image: Image, how: HowToRun): Running {
  const [volume] = Object.keys(image.config.Volumes);
  const command = [...(how.entrypoint ?? image.config.Entrypoint), ...(how.args ?? [])];
  const inside = ['chroot', `--userspec=${image.config.User}`, image.files, ...command];
  const script = [
    'set -e',
    'root=$1; data=$2; volume=$3; shift 3',
    'mount --bind "$root" "$root"',
    'mount --bind "$data" "$root$volume"',
    'mount -t proc proc "$root/proc"',
    'mount -t tmpfs dev "$root/dev"',
    'for name in null zero random urandom; do cp -a "/dev/$name" "$root/dev/$name"; done',
    'mount -o remount,bind,ro "$root"',
    'ip link set lo up',
    'exec "$@"',
  ].join('\n');
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
  const args = [...namespaces, 'sh', '-c', script, 'sh', image.files, how.data, volume!, ...inside];
  return start('env', ['-i', ...environmentOf(image, how.env), 'unshare', ...args]);
}

/** A program that does not come to its end must not hold up whoever looks. */
const BOUNDED = ['timeout', '--signal=KILL', '30'];

/** Runs a program in a container that runs, as `docker exec` does. */
export async function execInContainer(
  image: Image,
  container: Running,
  command: readonly string[],
): Promise<Ended> {
  const pid = String(await firstProcess(container));
  const enter = [
    '--target',
    pid,
    '--mount',
    '--net',
    '--pid',
    'chroot',
    `--userspec=${image.config.User}`,
    image.files,
  ];
  return run('env', ['-i', ...environmentOf(image), ...BOUNDED, 'nsenter', ...enter, ...command]);
}

/** Runs a program of this machine in the network of a container. */
export async function runBeside(
  container: Running,
  command: string,
  args: readonly string[],
): Promise<Ended> {
  const pid = String(await firstProcess(container));
  return run('env', [...BOUNDED, 'nsenter', '--target', pid, '--net', command, ...args]);
}

/** Sends a signal to the first process of a container, as `docker stop` and `docker kill` do. */
export async function signalContainer(container: Running, signal: NodeJS.Signals): Promise<Ended> {
  const pid = await firstProcess(container);
  const namespace = processNamespace(pid);
  process.kill(pid, signal);
  let ended: Ended | undefined;
  container.ended.then((end) => {
    ended = end;
  });
  try {
    return await eventually(() => ended, `the end of a container after ${signal}`);
  } catch (error) {
    // Where it hangs is not to be found out afterwards: it does so once in many runs.
    throw new Error(`${(error as Error).message}:\n${processesIn(namespace)}\n${container.stderr()}`);
  }
}

function processNamespace(pid: number): string {
  return /\d+/.exec(readlinkSync(`/proc/${pid}/ns/pid`))![0];
}

/** The processes of a container: number, state, what the kernel does for each, command. */
function processesIn(namespace: string): string {
  const all = execFileSync('ps', ['-e', '-o', 'pidns=,pid=,stat=,wchan:24=,args='], { encoding: 'utf8' });
  return all
    .split('\n')
    .filter((line) => line.trimStart().startsWith(namespace))
    .join('\n');
}

/** Ends whatever runs in a container at once. */
export async function killContainer(container: Running): Promise<void> {
  const { child } = container;
  if (child.exitCode !== null || child.signalCode !== null) return;
  // The first process has changed its user, so it does not end with the one that started it.
  await signalContainer(container, 'SIGKILL');
}

/** The number that the first process of a container has outside. */
async function firstProcess({ child }: Running): Promise<number> {
  return eventually(() => {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  }, 'the first process of a container');
}

function environmentOf({ config }: Image, env: Readonly<Record<string, string>> = {}): string[] {
  const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const path = config.Env.find((variable) => variable.startsWith('PATH='))!;
  // What starts the container needs the programs of this machine; the image has its own in the same folders.
  const [, folders] = path.split('=');
  const system = execFileSync('sh', ['-c', 'echo "$PATH"'], { encoding: 'utf8' }).trim();
  return [...config.Env.filter((variable) => variable !== path), `PATH=${folders}:${system}`, ...given];
}
