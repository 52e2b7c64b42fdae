import { setTimeout as sleep } from 'node:timers/promises';
import type { ThroughputCase } from '../live-cases.ts';
import { connectAll } from './connect-all.ts';
import { Flow } from './flow.ts';
import { measure } from './meter.ts';
import type { Scenario, Setting } from './scenario.ts';
import { trafficOf } from './traffic.ts';

/** Until the window is full and everybody is at speed, at the beginning of each round. */
const RUN_UP_MS = 200;

/** As fast as it goes without loss. */
export async function throughput({ workload }: ThroughputCase, setting: Setting): Promise<Scenario> {
  const traffic = trafficOf(workload, setting.peer.wire);
  const { publishers, subscribers } = await connectAll(setting, traffic);
  const flow = new Flow(publishers, traffic);
  let ended: string | undefined;
  for (const connection of [...publishers, ...subscribers]) connection.onEnd = (reason) => (ended ??= reason);
  for (const subscriber of subscribers) subscriber.onBytes = (bytes) => flow.received(bytes);

  return {
    async round(seconds) {
      flow.start();
      await sleep(RUN_UP_MS);
      const meter = measure(setting.brokerPid, () => flow.receivedBytes / traffic.bytesPerDelivery);
      await sleep(seconds * 1000);
      const figures = meter();
      const lost = await flow.stop();
      if (ended !== undefined) throw new Error(ended);
      return { ...figures, lost };
    },
  };
}
