import { performance } from 'node:perf_hooks';
import { cpuSeconds } from '../processes.ts';
import type { Figures } from './scenario.ts';

/**
 * Begins to measure; what it returns ends it.
 *
 * @param delivered how many messages have been delivered so far.
 */
export function measure(brokerPid: number, delivered: () => number): () => Figures {
  const startMs = performance.now();
  const startDelivered = delivered();
  const startCpuSeconds = cpuSeconds(brokerPid);
  const startLoad = process.cpuUsage();
  return () => {
    const seconds = (performance.now() - startMs) / 1000;
    const messages = delivered() - startDelivered;
    const brokerCpuSeconds = cpuSeconds(brokerPid) - startCpuSeconds;
    const load = process.cpuUsage(startLoad);
    const loadCpuSeconds = (load.user + load.system) / 1e6;
    return {
      messagesPerSecond: messages / seconds,
      brokerCpuNs: (brokerCpuSeconds * 1e9) / messages,
      brokerBusy: brokerCpuSeconds / seconds,
      loadCpuNs: (loadCpuSeconds * 1e9) / messages,
      loadBusy: loadCpuSeconds / seconds,
    };
  };
}
