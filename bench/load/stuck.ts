import { setTimeout as sleep } from 'node:timers/promises';
import type { StuckCase } from '../live-cases.ts';
import { residentBytes } from '../processes.ts';
import { connectAll } from './connect-all.ts';
import { Connection } from './connection.ts';
import type { Scenario, Setting } from './scenario.ts';
import { trafficOf } from './traffic.ts';
import { WatchedFlow } from './watched-flow.ts';

const MEMORY_SAMPLE_MS = 20;
/** Brokers wait for a subscriber before they go on without it; that is seen as a gap, not as a lower rate. */
const NOTICE_SECONDS = 2;
const STUCK_SECONDS = 3;

/** A flow before and after a second subscriber to the same topic joins and never reads. */
export async function stuck({ workload }: StuckCase, setting: Setting): Promise<Scenario> {
  const { peer, address, brokerPid } = setting;
  const traffic = trafficOf(workload, peer.wire);
  const parties = await connectAll(setting, traffic);
  const flow = new WatchedFlow(parties, traffic, brokerPid);

  return {
    async round(seconds) {
      const messagesPerSecondBefore = await flow.rateBefore(seconds);
      const residentBytesBefore = residentBytes(brokerPid);

      const sleeper = await Connection.open(address, peer.wire, 'stuck');
      sleeper.write(peer.wire.subscribe(traffic.subscriptions[0][0], traffic.firstSubscriptionId));
      sleeper.stopReading();
      flow.gaps.reset();
      const peakAtFirst = await peakOfMemory(brokerPid, NOTICE_SECONDS);
      const during = flow.measure();
      const residentBytesPeak = Math.max(peakAtFirst, await peakOfMemory(brokerPid, STUCK_SECONDS));
      const { messagesPerSecond } = during();
      const lost = await flow.stop().finally(() => sleeper.close());
      return {
        messagesPerSecondBefore,
        messagesPerSecond,
        longestGapMs: flow.gaps.longestMs,
        residentBytesBefore,
        residentBytesPeak,
        lost,
      };
    },
  };
}

async function peakOfMemory(pid: number, seconds: number): Promise<number> {
  let peak = 0;
  for (let samples = (seconds * 1000) / MEMORY_SAMPLE_MS; samples > 0; samples--) {
    peak = Math.max(peak, residentBytes(pid));
    await sleep(MEMORY_SAMPLE_MS);
  }
  return peak;
}
