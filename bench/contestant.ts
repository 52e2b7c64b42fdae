import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { makeCertificates } from './certificates.ts';
import type { LiveCase, Variant } from './live-cases.ts';
import type { Figures } from './load/scenario.ts';
import { startLoad } from './load-process.ts';
import type { Address, Certificates, LivePeer, StartRequest } from './peers/peer.ts';
import { BROKER_CORE, type Started, start, untilListening } from './processes.ts';
import type { Transport } from './workload.ts';

/** A peer that is running and ready to be measured. */
export interface Contestant {
  name: string;
  /** How long it needs to be under load before it is measured, where it needs longer than others. */
  warmUpSeconds?: number;
  round(seconds: number): Promise<Figures>;
  end(): Promise<void>;
}

/** Starts a peer on its core and a load generator for it on the other. */
export async function contestantWithLoad(
  chosen: LiveCase,
  peer: LivePeer,
  transport: Transport,
  folder: string,
  variant?: Variant,
): Promise<Contestant> {
  const { broker, address } = await startPeer(peer, transport, folder, {
    keepsSessions: 'session' in chosen && chosen.session === 'persistent',
    keptFilter: 'keptFilter' in chosen ? chosen.keptFilter : undefined,
  });
  const load = startLoad(broker);
  const end = async (): Promise<void> => {
    await load.end();
    await broker.end();
  };
  try {
    await untilListening(broker, address);
    await load.prepare({
      caseName: chosen.name,
      peerName: peer.name,
      address,
      brokerPid: broker.pid,
      variant,
    });
  } catch (error) {
    await end();
    throw error;
  }
  return { name: peer.name, round: (seconds) => load.round(seconds), end };
}

/** Starts a peer on an address that nobody else has. */
export async function startPeer(
  peer: LivePeer,
  transport: Transport,
  folder: string,
  kept: Pick<StartRequest, 'keepsSessions' | 'keptFilter'> = { keepsSessions: false, keptFilter: undefined },
): Promise<{ broker: Started; address: Address }> {
  const own = mkdtempSync(join(folder, `${peer.name}-`));
  const certificates = transport === 'tls' ? certificatesIn(folder) : undefined;
  const address: Address =
    transport === 'unix'
      ? { transport, path: join(own, 'broker.sock') }
      : transport === 'tls'
        ? { transport, port: await freePort(), caFile: certificates!.caFile }
        : { transport, port: await freePort() };
  const command = peer.command({ address, certificates, folder: own, ...kept });
  return { broker: start(command, BROKER_CORE), address };
}

let made: Certificates | undefined;

function certificatesIn(folder: string): Certificates {
  made ??= makeCertificates(folder);
  return made;
}
