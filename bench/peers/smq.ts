import type { Peer } from './peer.ts';

/** The original server of Suhaib Message Queue, which is not run: its cases have what it was measured at. */
export const smq: Peer = { name: 'smq', problem: () => undefined };
