import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Contestant, startPeer } from './contestant.ts';
import { Connection } from './load/connection.ts';
import type { LivePeer } from './peers/peer.ts';
import { untilListening } from './processes.ts';

/** For the process before to be gone, with its files and its memory. */
const PAUSE_MS = 100;

/** Each round is a new process: from its start until it has answered the first client. */
export async function startupContestant(peer: LivePeer, folder: string): Promise<Contestant> {
  return {
    name: peer.name,
    async round() {
      await sleep(PAUSE_MS);
      const startMs = performance.now();
      const { broker, address } = await startPeer(peer, 'tcp', folder);
      try {
        await untilListening(broker, address);
        const connection = await Connection.open(address, peer.wire, 'first');
        const startupMs = performance.now() - startMs;
        connection.close();
        return { startupMs };
      } finally {
        await broker.end();
      }
    },
    end: async () => {},
  };
}
