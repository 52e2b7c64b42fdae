import type { ChurnCase } from '../live-cases.ts';
import { connectAll } from './connect-all.ts';
import { Connection } from './connection.ts';
import type { Scenario, Setting } from './scenario.ts';
import { trafficOf } from './traffic.ts';
import { WatchedFlow } from './watched-flow.ts';

/** Filters that are asked for at once, before their answers are waited for. */
const BATCH_FILTERS = 1_000;

/** A flow before and while another client subscribes to many filters and unsubscribes from them again. */
export async function churn({ workload, filters }: ChurnCase, setting: Setting): Promise<Scenario> {
  const { peer, address, brokerPid } = setting;
  const traffic = trafficOf(workload, peer.wire);
  const parties = await connectAll(setting, traffic);
  const restless = await Connection.open(address, peer.wire, 'restless');
  await restless.answerLateQuestion();
  const subscribes = batches(filters, (filter, id) => peer.wire.subscribe(filter, id));
  const unsubscribes = batches(filters, (filter, id) => peer.wire.unsubscribe(filter, id));
  const flow = new WatchedFlow(parties, traffic, brokerPid);

  return {
    async round(seconds) {
      const messagesPerSecondBefore = await flow.rateBefore(seconds);
      flow.gaps.reset();
      const during = flow.measure();
      const startMs = performance.now();
      for (const batch of [...subscribes, ...unsubscribes]) await restless.ask(batch);
      const churnSeconds = (performance.now() - startMs) / 1000;
      const { messagesPerSecond } = during();
      const { longestMs: longestGapMs } = flow.gaps;
      const lost = await flow.stop();
      return { messagesPerSecondBefore, messagesPerSecond, longestGapMs, churnSeconds, lost };
    },
  };
}

/** Requests for filters that match nothing in the flow, half of them with a wildcard. */
function batches(count: number, encode: (filter: string, id: number) => Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let first = 0; first < count; first += BATCH_FILTERS) {
    const requests = Array.from({ length: Math.min(BATCH_FILTERS, count - first) }, (_, offset) => {
      const number = first + offset;
      return encode(`plant/p${number % 100}/${number % 2 === 0 ? '+' : 'all'}/n${number}`, number + 1);
    });
    all.push(Buffer.concat(requests));
  }
  return all;
}
