import type { GrpcCase } from '../grpc-cases.ts';
import type { KafkaLoadCase } from '../kafka-cases.ts';
import type { LiveCase } from '../live-cases.ts';
import { acknowledged, acknowledgedFrames } from './acknowledged.ts';
import { acknowledgedLog } from './acknowledged-log.ts';
import { churn } from './churn.ts';
import { grpcBulk } from './grpc/bulk.ts';
import { grpcStreamConsume } from './grpc/stream-consume.ts';
import { grpcStreamProduce } from './grpc/stream-produce.ts';
import { grpcUnary } from './grpc/unary.ts';
import { idle } from './idle.ts';
import { kafkaFetch } from './kafka/fetch.ts';
import { kafkaLatency } from './kafka/latency.ts';
import { liveUnderProduce } from './kafka/live-under-produce.ts';
import { kafkaManyPartitions } from './kafka/many-partitions.ts';
import { kafkaMemory } from './kafka/memory.ts';
import { kafkaProduce } from './kafka/produce.ts';
import { latency } from './latency.ts';
import { acknowledgedLatency } from './mqtt/latency.ts';
import { connectStorm } from './mqtt/storm.ts';
import type { GrpcSetting, KafkaSetting, Scenario, Setting } from './scenario.ts';
import { sdk } from './sdk.ts';
import { stuck } from './stuck.ts';
import { throughput } from './throughput.ts';

/** A case that needs a load generator. */
export type LoadCase = Exclude<LiveCase, { kind: 'startup' }> | KafkaLoadCase | GrpcCase;

/** What is known of a peer: each where it has a listener of the kind. */
export interface Settings {
  live: Setting | undefined;
  kafka: KafkaSetting | undefined;
  grpc: GrpcSetting | undefined;
}

/** Connects what a case needs and is ready to measure. */
export function scenarioOf(chosen: LoadCase, { live, kafka, grpc }: Settings): Promise<Scenario> {
  switch (chosen.kind) {
    case 'throughput':
      return throughput(chosen, live!);
    case 'latency':
      return latency(chosen, live!);
    case 'idle':
      return idle(chosen, live!);
    case 'stuck':
      return stuck(chosen, live!);
    case 'churn':
      return churn(chosen, live!);
    case 'sdk':
      return sdk(chosen, live!);
    case 'acknowledged':
      return acknowledged(chosen, live!);
    case 'acknowledged-frames':
      return acknowledgedFrames(chosen, live!);
    case 'acknowledged-log':
      return acknowledgedLog(chosen, live!);
    case 'acknowledged-latency':
      return acknowledgedLatency(chosen, live!);
    case 'connect-storm':
      return connectStorm(chosen, live!);
    case 'kafka-produce':
      return kafkaProduce(chosen, kafka!);
    case 'kafka-fetch':
      return kafkaFetch(chosen, kafka!);
    case 'kafka-latency':
      return kafkaLatency(chosen, kafka!);
    case 'kafka-many-partitions':
      return kafkaManyPartitions(chosen, kafka!);
    case 'kafka-memory':
      return kafkaMemory(chosen, kafka!);
    case 'live-under-produce':
      return liveUnderProduce(chosen, { live: live!, kafka: kafka! });
    case 'grpc-unary':
      return grpcUnary(chosen, grpc!);
    case 'grpc-stream-produce':
      return grpcStreamProduce(chosen, grpc!);
    case 'grpc-stream-consume':
      return grpcStreamConsume(chosen, grpc!);
    case 'grpc-bulk':
      return grpcBulk(chosen, grpc!);
  }
}
