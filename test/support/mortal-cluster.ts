import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BrokerProcess,
  brokerProcess,
  type Ended,
  program,
  REPORTING,
  start,
} from './broker-process.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { type NatsOptions, type NatsServers, startNats } from './nats-servers.ts';

/** Where one broker of a cluster listens, whatever becomes of its process. */
export interface NodePorts {
  readonly frames: number;
  readonly kafka: number;
  readonly grpc: number;
  readonly http: number;
}

/** One broker of a cluster: it is killed, paused and started again with the same ports and folder. */
export class ClusterNode {
  readonly ports: NodePorts;
  readonly #flags: readonly string[];
  #process: BrokerProcess | undefined;

  constructor(ports: NodePorts, flags: readonly string[]) {
    this.ports = ports;
    this.#flags = flags;
  }

  get process(): BrokerProcess {
    if (this.#process === undefined) throw new Error('the broker was not started');
    return this.#process;
  }

  urlOf(door: keyof NodePorts): string {
    return `tcp://127.0.0.1:${this.ports[door]}`;
  }

  /** As whoever watches over it does: where its servers do not answer yet it is started again. */
  async start(): Promise<void> {
    this.#process = await eventually(() => this.#started(), 'a broker that starts');
  }

  async #started(): Promise<BrokerProcess | undefined> {
    const running = start(program('broker'), [...this.#flags, ...REPORTING]);
    try {
      return await brokerProcess(running);
    } catch (error) {
      running.child.kill('SIGKILL');
      // The next one has the same ports.
      await running.ended;
      const said = running.stderr();
      if (said.includes('does not answer')) return undefined;
      throw new Error(`${(error as Error).message}; it said: ${said}`);
    }
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    await this.#process?.stop('SIGKILL');
  }

  /** Ends it as whoever upgrades it does. */
  stop(): Promise<Ended> {
    return this.process.stop('SIGTERM');
  }

  /** Stops its process where it is. */
  pause(): void {
    process.kill(this.process.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.process.pid, 'SIGCONT');
  }
}

/** Brokers and NATS servers, each in a process of its own. */
export interface ClusterProcesses extends AsyncDisposable {
  readonly nats: NatsServers;
  readonly nodes: readonly ClusterNode[];
}

export interface ClusterProcessOptions {
  nodes?: number;
  nats?: NatsOptions;
  /** More flags of each broker. */
  flags?: readonly string[];
}

/** Starts three NATS servers and three brokers on them, unless told otherwise. */
export async function startClusterProcesses(
  natsProgram: string,
  { nodes: count = 3, nats: natsOptions, flags = [] }: ClusterProcessOptions = {},
): Promise<ClusterProcesses> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-cluster-'));
  const nats = await startNats(natsProgram, natsOptions);
  const nodes: ClusterNode[] = [];
  async function dispose(): Promise<void> {
    await Promise.all(nodes.map((node) => node.kill()));
    await nats.close();
    rmSync(folder, { recursive: true, force: true });
  }
  try {
    for (let index = 0; index < count; index++) {
      const ports = await freePorts();
      const folderOfNode = join(folder, `node-${index + 1}`);
      nodes.push(new ClusterNode(ports, [...flagsOf(ports, nats, folderOfNode), ...flags]));
    }
    // The first makes the streams, for which all would ask at once otherwise.
    for (const node of nodes) await node.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return { nats, nodes, [Symbol.asyncDispose]: dispose };
}

async function freePorts(): Promise<NodePorts> {
  return {
    frames: await freePort(),
    kafka: await freePort(),
    grpc: await freePort(),
    http: await freePort(),
  };
}

function flagsOf({ frames, kafka, grpc, http }: NodePorts, { urls }: NatsServers, folder: string): string[] {
  return [
    ...['-listen', `tcp://127.0.0.1:${frames}`, '-kafka', `127.0.0.1:${kafka}`],
    ...['-grpc', `127.0.0.1:${grpc}`, '-http', `127.0.0.1:${http}`],
    ...['-data-dir', folder, ...urls.flatMap((url) => ['-cluster', url])],
  ];
}
