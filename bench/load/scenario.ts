import type { Variant } from '../live-cases.ts';
import type { Address, LivePeer } from '../peers/peer.ts';

/** What a round measured, by name; the names are in report.ts, with their units. */
export type Figures = Record<string, number>;

/** A case in progress against one peer, in the process of the load generator. */
export interface Scenario {
  /** Measures for about this long. */
  round(seconds: number): Promise<Figures>;
}

/** What a scenario is told. */
export interface Setting {
  peer: Pick<LivePeer, 'wire' | 'mqtt'>;
  address: Address;
  /** Where subscribers are, if not there. */
  subscriberAddress: Address | undefined;
  /** The process that is measured. */
  brokerPid: number;
  variant: Variant | undefined;
}

/** What a scenario of a Kafka listener is told. */
export interface KafkaSetting {
  kafkaPort: number;
  /** The process that is measured. */
  brokerPid: number;
}

/** What a scenario of a gRPC listener is told. */
export interface GrpcSetting {
  grpcPort: number;
  /** The process that is measured. */
  brokerPid: number;
}
