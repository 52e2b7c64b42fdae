import { afterAll, beforeAll, describe, it } from 'vitest';
import { adminCases } from './admin-cases.ts';
import type { ClientProgram } from './client-program.ts';
import { groupCases } from './group-cases.ts';
import { canStartPeer, type Peer, startPeer } from './peer.ts';
import { recordCases } from './record-cases.ts';
import type { Toolchain } from './toolchains.ts';

/** What a group of cases gets: the client, where the broker is, and a name that no other case has. */
export interface Trial {
  readonly client: ClientProgram;
  readonly peer: Peer;
  /** A new name for a topic or a group. */
  unique(what: string): string;
}

/** A case may start clients several times, and a JVM takes seconds on a machine that is busy. */
const CASE_PATIENCE_MS = 180_000;

let names = 0;

/** Tries every client of a family with everything, all with the same broker. */
export function describeFamily(family: string, clients: Toolchain<readonly ClientProgram[]>): void {
  describe(family, { timeout: CASE_PATIENCE_MS }, () => {
    if ('missing' in clients) {
      it.skip(clients.missing);
      return;
    }
    if (!canStartPeer()) {
      it.skip('this broker has no Kafka listener');
      return;
    }
    let peer: Peer;
    beforeAll(async () => {
      peer = await startPeer();
    }, CASE_PATIENCE_MS);
    afterAll(() => peer?.stop(), CASE_PATIENCE_MS);

    describe.each(clients.there)('$name', (client) => {
      const trial = (): Trial => ({ client, peer, unique: (what) => `${what}-${++names}` });
      recordCases(client, trial);
      groupCases(trial);
      adminCases(client, trial);
    });
  });
}
