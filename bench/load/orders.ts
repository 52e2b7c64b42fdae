import type { SdkVariant } from '../cases.ts';
import type { Address } from '../peers/peer.ts';
import type { Figures } from './scenario.ts';

/** What the load generator's process is told. */
export type Order =
  | {
      kind: 'prepare';
      caseName: string;
      peerName: string;
      address: Address;
      brokerPid: number;
      variant: SdkVariant | undefined;
    }
  | { kind: 'round'; seconds: number };

/** What it answers, once for each order. */
export type Reply = { figures: Figures } | { error: string };
