import { addresses, type Kinds, number, objectOf, text, yesOrNo } from '../../lib/option-kinds.ts';

/** Options of the Kafka door. All but `listen` may be left out. */
export interface KafkaOptions {
  /** The addresses to listen on: `tcp://host:port` or `tls://host:port`. Port 0 takes a free one. */
  listen: readonly string[];
  /** `host:port` at which clients find the broker. Default: what each of them dialled. */
  advertised?: string;
  /** Whether a topic is created when a client first asks for it. Default: true. */
  autoCreate?: boolean;
  /** Partitions of a topic where nobody says how many. Default: 1. */
  partitions?: number;
}

/** The same for those who have no compiler. */
export const kafkaOptionKinds = objectOf({
  listen: addresses,
  advertised: text,
  autoCreate: yesOrNo,
  partitions: number,
} satisfies Kinds<KafkaOptions>);
