import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectStormCase } from '../../live-cases.ts';
import { openInWaves } from '../connect-all.ts';
import { Connection } from '../connection.ts';
import { measure } from '../meter.ts';
import type { Scenario, Setting } from '../scenario.ts';

/** For the broker to have noticed that the clients of the round before are gone. */
const SETTLE_MS = 1_000;

/** Many clients that connect, and subscribe each to a topic of its own, as fast as they can; then all are gone. */
export async function connectStorm(
  { connections }: ConnectStormCase,
  { peer, address, brokerPid }: Setting,
): Promise<Scenario> {
  const { wire } = peer;
  return {
    async round() {
      await sleep(SETTLE_MS);
      let subscribed = 0;
      const meter = measure(brokerPid, () => subscribed);
      const opened = await openInWaves(connections, async (index) => {
        const connection = await Connection.open(address, wire, `storm-${index}`, KEEP_ALIVE_SECONDS);
        await connection.ask(wire.subscribe(`storm/${index}`, 1));
        subscribed++;
        return connection;
      });
      const { messagesPerSecond, ...figures } = meter();
      for (const connection of opened) connection.close();
      return { ...figures, connectsPerSecond: messagesPerSecond };
    },
  };
}

const KEEP_ALIVE_SECONDS = 60;
