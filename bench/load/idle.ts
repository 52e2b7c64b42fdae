import { setTimeout as sleep } from 'node:timers/promises';
import type { IdleCase } from '../cases.ts';
import { residentBytes } from '../processes.ts';
import { openInWaves } from './connect-all.ts';
import { Connection } from './connection.ts';
import type { Scenario, Setting } from './scenario.ts';

/** What the first connections load and compile is not the price of a connection. */
const FIRST_CONNECTIONS = 100;
/** For what was needed only while connecting to be given back. */
const SETTLE_MS = 1_000;

/** What a connection that says nothing takes of the broker's memory. */
export async function idle({ connections }: IdleCase, setting: Setting): Promise<Scenario> {
  const { peer, address, brokerPid } = setting;
  await openInWaves(FIRST_CONNECTIONS, (index) => Connection.open(address, peer.wire, `first-${index}`));

  return {
    async round() {
      await sleep(SETTLE_MS);
      const before = residentBytes(brokerPid);
      const startMs = performance.now();
      const opened = await openInWaves(connections, (index) =>
        Connection.open(address, peer.wire, `idle-${index}`),
      );
      const connectSeconds = (performance.now() - startMs) / 1000;
      await sleep(SETTLE_MS);
      const after = residentBytes(brokerPid);
      for (const connection of opened) connection.close();
      return {
        bytesPerConnection: (after - before) / connections,
        residentBytes: after,
        connectsPerSecond: connections / connectSeconds,
      };
    },
  };
}
