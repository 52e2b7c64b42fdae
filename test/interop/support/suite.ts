import { afterAll, beforeAll, describe, it } from 'vitest';
import { adminCases } from './admin-cases.ts';
import type { ClientProgram } from './client-program.ts';
import { groupCases } from './group-cases.ts';
import { type Peer, startPeer } from './peer.ts';
import { recordCases } from './record-cases.ts';
import type { Toolchain } from './toolchains.ts';
import { type Trial, unique } from './trial.ts';

/** A case may start clients several times, and a JVM takes seconds on a machine that is busy. */
const CASE_PATIENCE_MS = 180_000;

/** Tries the clients of a family with everything, all with the same broker. */
export function describeFamily<T>(
  family: string,
  toolchain: Toolchain<T>,
  clients: (there: T) => readonly ClientProgram[],
): void {
  describeWithPeer(family, toolchain, (there, peer) => {
    describe.each(clients(there))('$name', (client) => {
      const trial = (): Trial => ({ client, peer: peer(), unique });
      recordCases(client, trial);
      groupCases(trial);
      adminCases(client, trial);
    });
  });
}

/** Starts the broker for what is described, or says why that cannot run. Cases wait more than they work. */
export function describeWithPeer<T>(
  what: string,
  toolchain: Toolchain<T>,
  cases: (there: T, peer: () => Peer) => void,
): void {
  describe(what, { timeout: CASE_PATIENCE_MS, concurrent: true }, () => {
    if ('missing' in toolchain) {
      it(toolchain.missing, ({ skip }) => skip());
      return;
    }
    let peer: Peer;
    beforeAll(async () => {
      peer = await startPeer();
    }, CASE_PATIENCE_MS);
    afterAll(() => peer?.[Symbol.asyncDispose](), CASE_PATIENCE_MS);
    cases(toolchain.there, () => peer);
  });
}
