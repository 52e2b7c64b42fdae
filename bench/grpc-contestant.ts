import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant } from './contestant.ts';
import type { GrpcCase } from './grpc-cases.ts';
import { startLoad } from './load-process.ts';
import type { GrpcPeer } from './peers/peer.ts';

/** Until the store's threads are at speed too. */
const WARM_UP_SECONDS = 2;

/** Starts a peer on its core and a load generator for its gRPC listener on the other. */
export async function grpcContestant(chosen: GrpcCase, peer: GrpcPeer, folder: string): Promise<Contestant> {
  const server = await peer.startWithGrpc(mkdtempSync(join(folder, `${peer.name}-`)));
  const load = startLoad(server);
  const end = async (): Promise<void> => {
    await load.end();
    await server.end();
  };
  try {
    await load.prepare({
      caseName: chosen.name,
      peerName: peer.name,
      brokerPid: server.pid,
      grpcPort: server.grpcPort,
    });
  } catch (error) {
    await end();
    throw error;
  }
  const round = (seconds: number) => load.round(seconds);
  return { name: peer.name, warmUpSeconds: WARM_UP_SECONDS, round, end };
}

/** One who does not run: what it was measured at stands in the case. */
export async function originalContestant(name: string, { originalCpuUs }: GrpcCase): Promise<Contestant> {
  return { name, round: async () => ({ brokerCpuNs: originalCpuUs * 1000 }), end: async () => {} };
}
