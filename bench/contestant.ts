import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Case, SdkVariant, Transport } from './cases.ts';
import { makeCertificates } from './certificates.ts';
import type { Order, Reply } from './load/orders.ts';
import type { Figures } from './load/scenario.ts';
import type { Address, Certificates, Peer } from './peers/peer.ts';
import { BROKER_CORE, freePort, LOAD_CORE, type Started, start, untilListening } from './processes.ts';

/** A peer that is running and ready to be measured. */
export interface Contestant {
  name: string;
  round(seconds: number): Promise<Figures>;
  end(): Promise<void>;
}

/** Starts a peer on its core and a load generator for it on the other. */
export async function contestantWithLoad(
  chosen: Case,
  peer: Peer,
  transport: Transport,
  folder: string,
  variant?: SdkVariant,
): Promise<Contestant> {
  const { broker, address } = await startPeer(peer, transport, folder);
  const load = start(
    { program: process.execPath, args: [join(import.meta.dirname, 'load', 'main.ts')] },
    LOAD_CORE,
    { ipc: true },
  );
  const end = async (): Promise<void> => {
    await load.end();
    await broker.end();
  };
  try {
    await untilListening(broker, address);
    await ask(load, broker, {
      kind: 'prepare',
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
  return { name: peer.name, round: (seconds) => ask(load, broker, { kind: 'round', seconds }), end };
}

/** Starts a peer on an address that nobody else has. */
export async function startPeer(
  peer: Peer,
  transport: Transport,
  folder: string,
): Promise<{ broker: Started; address: Address }> {
  const own = mkdtempSync(join(folder, `${peer.name}-`));
  const certificates = transport === 'tls' ? certificatesIn(folder) : undefined;
  const address: Address =
    transport === 'unix'
      ? { transport, path: join(own, 'broker.sock') }
      : transport === 'tls'
        ? { transport, port: await freePort(), caFile: certificates!.caFile }
        : { transport, port: await freePort() };
  const command = peer.command({ address, certificates, folder: own });
  return { broker: start(command, BROKER_CORE), address };
}

let made: Certificates | undefined;

function certificatesIn(folder: string): Certificates {
  made ??= makeCertificates(folder);
  return made;
}

/** Gives the load generator an order and waits for its answer. */
function ask(load: Started, broker: Started, order: Order): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error(`the load generator ended: ${load.output()}`));
    if (load.hasEnded()) return gone();
    load.child.once('exit', gone);
    load.child.once('message', (reply: Reply) => {
      load.child.off('exit', gone);
      if ('figures' in reply) resolve(reply.figures);
      else reject(new Error([reply.error, broker.output()].filter(Boolean).join('; it says: ')));
    });
    load.child.send(order);
  });
}
