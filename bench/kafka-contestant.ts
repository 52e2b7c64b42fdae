import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Contestant } from './contestant.ts';
import type {
  KafkaLoadCase,
  KafkaPerfConsumeCase,
  KafkaPerfProduceCase,
  KafkaStartupCase,
} from './kafka-cases.ts';
import { consumerPerformance, producerPerformance } from './kafka-tools.ts';
import { createTopic, fillTopic, untilAnswersMetadata } from './load/kafka/topic.ts';
import type { Figures } from './load/scenario.ts';
import { startLoad } from './load-process.ts';
import type { KafkaServer, KafkaVariant } from './peers/peer.ts';
import { cpuSeconds, residentBytes } from './processes.ts';

/** Who takes part: a peer in one of the ways that it is set up. */
export interface KafkaEntrant {
  peerName: string;
  variant: KafkaVariant;
}

/** For the process before to be gone, with its files and its memory. */
const PAUSE_MS = 100;
/** For what a start needs only once to be given back. */
const SETTLE_MS = 1_000;

/** Starts a peer on its core and a load generator for its Kafka listener on the other. */
export async function kafkaContestantWithLoad(
  chosen: KafkaLoadCase,
  { peerName, variant }: KafkaEntrant,
  folder: string,
): Promise<Contestant> {
  const server = await startIn(folder, peerName, variant);
  const load = startLoad(server);
  const end = async (): Promise<void> => {
    await load.end();
    await server.end();
  };
  try {
    await load.prepare({
      caseName: chosen.name,
      peerName,
      brokerPid: server.pid,
      address: server.liveAddress,
      kafkaPort: server.kafkaPort,
    });
  } catch (error) {
    await end();
    throw error;
  }
  const { warmUpSeconds } = variant;
  return { name: peerName, warmUpSeconds, round: (seconds) => load.round(seconds), end };
}

/** Starts a peer on its core; each round is a run of one of Kafka's own tools on the other. */
export async function kafkaToolContestant(
  chosen: KafkaPerfProduceCase | KafkaPerfConsumeCase,
  { peerName, variant }: KafkaEntrant,
  folder: string,
): Promise<Contestant> {
  const server = await startIn(folder, peerName, variant);
  const { pid, kafkaPort } = server;
  try {
    if (chosen.kind === 'kafka-perf-produce') await createTopic(kafkaPort, chosen.name);
    else await fillTopic(kafkaPort, chosen.name, chosen.shape, chosen.logBytes);
  } catch (error) {
    await server.end();
    throw error;
  }
  const recordBytes = chosen.kind === 'kafka-perf-produce' ? chosen.recordBytes : chosen.shape.recordBytes;
  return {
    name: peerName,
    async round(): Promise<Figures> {
      const startCpuSeconds = cpuSeconds(pid);
      const recordsPerSecond =
        chosen.kind === 'kafka-perf-produce'
          ? await producerPerformance(kafkaPort, chosen.name, chosen)
          : await consumerPerformance(kafkaPort, chosen.name, chosen.records);
      const brokerCpuSeconds = cpuSeconds(pid) - startCpuSeconds;
      return {
        messagesPerSecond: recordsPerSecond,
        bytesPerSecond: recordsPerSecond * recordBytes,
        brokerCpuNs: (brokerCpuSeconds * 1e9) / chosen.records,
        brokerCpuSeconds,
        residentBytes: residentBytes(pid),
      };
    },
    end: () => server.end(),
  };
}

/** Each round is a new process: from its start until it has answered Metadata. */
export async function kafkaStartupContestant(
  { name, logBytes, shape }: KafkaStartupCase,
  { peerName, variant }: KafkaEntrant,
  folder: string,
): Promise<Contestant> {
  const own = mkdtempSync(join(folder, `${peerName}-`));
  // Once, so that what a new folder needs, and Maven, is there.
  const first = await variant.start(own);
  if (logBytes === 0) {
    await first.end();
  } else {
    await fillTopic(first.kafkaPort, name, shape, logBytes);
    await first.kill();
  }
  return {
    name: peerName,
    async round() {
      await sleep(PAUSE_MS);
      const startMs = performance.now();
      const server = await variant.start(own);
      try {
        await untilAnswersMetadata(server.kafkaPort);
        const startupMs = performance.now() - startMs;
        await sleep(SETTLE_MS);
        return { startupMs, residentBytes: residentBytes(server.pid) };
      } finally {
        if (logBytes === 0) await server.end();
        else await server.kill();
      }
    },
    end: async () => rmSync(own, { recursive: true, force: true }),
  };
}

function startIn(folder: string, peerName: string, variant: KafkaVariant): Promise<KafkaServer> {
  return variant.start(mkdtempSync(join(folder, `${peerName}-`)));
}
