import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestant.ts';
import type { ThroughputCase } from './live-cases.ts';
import { startLoad } from './load-process.ts';
import type { ClusterPeer } from './peers/peer.ts';
import { cpuSeconds } from './processes.ts';

/** Nodes get their share of the logs after ten seconds. */
const SETTLE_MS = 12_000;
/** Shorter ones are a few ticks of the clock that CPU time is counted by. */
const LEAST_SECONDS = 5;

/** Publishers at one node, subscribers at another one. */
export async function betweenNodes(
  chosen: ThroughputCase,
  peer: ClusterPeer,
  folder: string,
): Promise<Contestant> {
  const running = await peer.start(mkdtempSync(join(folder, 'cluster-')), 2);
  const [publishers, subscribers] = running.nodes as [(typeof running.nodes)[0], (typeof running.nodes)[0]];
  const load = startLoad(running);
  const end = async (): Promise<void> => {
    await load.end();
    await running.end();
  };
  try {
    await load.prepare({
      ...{ caseName: chosen.name, peerName: peer.name, brokerPid: publishers.pid },
      ...{ address: publishers.liveAddress, subscriberAddress: subscribers.liveAddress },
    });
  } catch (error) {
    await end();
    throw error;
  }
  return { name: peer.name, round: (seconds) => load.round(seconds), end };
}

/** What nodes and servers take of the processor where nobody asks for anything. */
export async function idleNodes(peer: ClusterPeer, folder: string): Promise<Contestant> {
  const running = await peer.start(mkdtempSync(join(folder, 'cluster-')), 3);
  await sleep(SETTLE_MS);
  const cpuOf = (pids: readonly number[]) =>
    pids.map(cpuSeconds).reduce((sum, each) => sum + each) / pids.length;
  const nodePids = running.nodes.map(({ pid }) => pid);
  return {
    name: peer.name,
    async round(atLeastSeconds) {
      const seconds = Math.max(atLeastSeconds, LEAST_SECONDS);
      const before = [cpuOf(nodePids), cpuOf(running.natsPids)] as const;
      await sleep(seconds * 1_000);
      return {
        nodeBusy: (cpuOf(nodePids) - before[0]) / seconds,
        natsBusy: (cpuOf(running.natsPids) - before[1]) / seconds,
      };
    },
    end: running.end,
  };
}
