/** What is measured. A case is data; load/ knows how to run each kind, report.ts how to show it. */
import { type ClusterCase, clusterCases } from './cluster-cases.ts';
import { type GrpcCase, grpcCases } from './grpc-cases.ts';
import { type KafkaCase, kafkaCases } from './kafka-cases.ts';
import { type LiveCase, liveCases } from './live-cases.ts';
import { mqttCases } from './mqtt-cases.ts';

export type Case = LiveCase | KafkaCase | GrpcCase | ClusterCase;

export const cases: readonly Case[] = [
  ...liveCases,
  ...mqttCases,
  ...kafkaCases,
  ...grpcCases,
  ...clusterCases,
];
