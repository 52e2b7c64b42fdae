import type { Variant } from '../live-cases.ts';
import type { Address } from '../peers/peer.ts';
import type { Figures } from './scenario.ts';

/** Whom to measure with what. */
export interface Preparation {
  caseName: string;
  peerName: string;
  brokerPid: number;
  /** Where the peer takes live messages. */
  address?: Address;
  /** Where subscribers are, if not there. */
  subscriberAddress?: Address;
  /** Where its Kafka listener is. */
  kafkaPort?: number;
  /** Where its gRPC listener is. */
  grpcPort?: number;
  variant?: Variant;
}

/** What the load generator's process is told. */
export type Order = ({ kind: 'prepare' } & Preparation) | { kind: 'round'; seconds: number };

/** What it answers, once for each order. */
export type Reply = { figures: Figures } | { error: string };
