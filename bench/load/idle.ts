import { setTimeout as sleep } from 'node:timers/promises';
import type { IdleCase } from '../live-cases.ts';
import { cpuSeconds, residentBytes } from '../processes.ts';
import { openInWaves } from './connect-all.ts';
import { Connection } from './connection.ts';
import type { Scenario, Setting } from './scenario.ts';

/** What the first connections load and compile is not the price of a connection. */
const FIRST_CONNECTIONS = 100;
/** For what was needed only while connecting to be given back. */
const SETTLE_MS = 1_000;
const REST_MS = 3_000;
/** Longer than the case takes. */
const KEEP_ALIVE_SECONDS = 60;

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
        Connection.open(address, peer.wire, `idle-${index}`, KEEP_ALIVE_SECONDS),
      );
      const connectSeconds = (performance.now() - startMs) / 1000;
      await sleep(SETTLE_MS);
      const after = residentBytes(brokerPid);
      const cpuBefore = cpuSeconds(brokerPid);
      await sleep(REST_MS);
      const restBusy = ((cpuSeconds(brokerPid) - cpuBefore) * 1000) / REST_MS;
      for (const connection of opened) connection.close();
      return {
        bytesPerConnection: (after - before) / connections,
        residentBytes: after,
        connectsPerSecond: connections / connectSeconds,
        restBusy,
      };
    },
  };
}
