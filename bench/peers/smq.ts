import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { BROKER_CORE, start, untilListening } from '../processes.ts';
import type { GrpcPeer, GrpcServer } from './peer.ts';

/** The original server of Suhaib Message Queue: the program that `SMQ` names. */
export const smq: GrpcPeer = {
  name: 'smq',
  problem: () => problemOf(process.env.SMQ),
  startWithGrpc,
};

function problemOf(program: string | undefined): string | undefined {
  if (!program) return 'SMQ names no program; what it was measured at is shown instead';
  return existsSync(program) ? undefined : `${program} is not there`;
}

async function startWithGrpc(folder: string): Promise<GrpcServer> {
  const grpcPort = await freePort();
  const args = ['--dbpath', join(folder, 'smq.db'), '--port', String(grpcPort)];
  const server = start({ program: process.env.SMQ!, args, environment: { GOMAXPROCS: '1' } }, BROKER_CORE);
  await untilListening(server, { transport: 'tcp', port: grpcPort });
  return { pid: server.pid, grpcPort, output: server.output, end: server.end };
}
