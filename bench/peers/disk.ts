import type { DiskPeer } from './peer.ts';

/** The limit of what lasts before it is acknowledged: one plain file, which is written and synced (fdatasync). */
export const disk: DiskPeer = { name: 'disk', problem: () => undefined, isPlainFile: true };
