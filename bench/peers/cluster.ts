import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { startNats } from '../../test/support/nats-servers.ts';
import { problemOfProgram, type Started, start, untilListening } from '../processes.ts';
import type { Address, ClusterPeer, KafkaPeer, RunningCluster } from './peer.ts';
import { frames } from './tinymq.ts';

const NATS_SERVER = 'nats-server';
const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'broker');
/** Until the servers have elected who leads, and all are at speed. */
const WARM_UP_SECONDS = 2;

/**
 * Brokers of this checkout on three NATS servers, with `sync_interval: always`. There is one where records are written, which leads
 * all; live messages go from one to another. None of the processes has a core of its own: there are more than cores.
 */
export const cluster: ClusterPeer & KafkaPeer = {
  name: 'cluster',
  takesPartWhereNamed: true,
  problem() {
    if (!existsSync(PROGRAM)) return `${PROGRAM} is not there: make build writes it`;
    return problemOfProgram(NATS_SERVER);
  },
  wire: frames,
  kafka: [
    {
      label: '',
      warmUpSeconds: WARM_UP_SECONDS,
      async start(folder) {
        const { nodes, end, output } = await startNodes(folder, 1);
        const [{ pid, kafkaPort, liveAddress }] = nodes as [(typeof nodes)[0]];
        return { pid, kafkaPort, liveAddress, output, end, kill: end };
      },
    },
  ],
  start: startNodes,
};

async function startNodes(folder: string, count: number): Promise<RunningCluster> {
  const nats = await startNats(NATS_SERVER);
  const brokers: Started[] = [];
  const end = async () => {
    await Promise.all(brokers.map((broker) => broker.end()));
    await nats.close();
  };
  try {
    const nodes = [];
    for (let number = 1; number <= count; number++) {
      const kafkaPort = await freePort();
      const liveAddress: Address = { transport: 'tcp', port: await freePort() };
      const args = [
        ...['-quiet', '-cluster', nats.urls.join(','), '-data-dir', join(folder, `node-${number}`)],
        ...['-listen', `tcp://127.0.0.1:${liveAddress.port}`, '-kafka', `127.0.0.1:${kafkaPort}`],
      ];
      const broker = start({ program: PROGRAM, args }, undefined);
      brokers.push(broker);
      await untilListening(broker, { transport: 'tcp', port: kafkaPort });
      nodes.push({ pid: broker.pid, kafkaPort, liveAddress });
    }
    const output = () => brokers.map((broker) => broker.output()).join('\n');
    return { nodes, natsPids: nats.servers.map(({ pid }) => pid), output, end };
  } catch (error) {
    await end();
    throw error;
  }
}
