import { join } from 'node:path';
import type { LivePeer } from './peer.ts';
import { frames } from './tinymq.ts';

/** The limit: a process that only copies bytes from the publishers' sockets to the subscribers'. */
export const relay: LivePeer = {
  name: 'relay',
  transports: ['tcp', 'tls', 'unix'],
  problem: () => undefined,
  command: ({ address, certificates }) => ({
    program: process.execPath,
    args: [
      join(import.meta.dirname, 'relay-server.ts'),
      address.transport === 'unix' ? address.path : String(address.port),
      ...(certificates ? [certificates.certFile, certificates.keyFile] : []),
    ],
  }),
  wire: frames,
};
