import { LEADS_ALL, type Leader, type Leadership } from './leadership.ts';

/** A broker as the others of its cluster know it. */
export interface Node {
  /** Another one each time that it starts. */
  readonly id: number;
  /** Where Kafka's clients reach it; undefined where it has no door for them. */
  readonly kafka: KafkaBroker | undefined;
}

export interface KafkaAddress {
  readonly host: string;
  readonly port: number;
}

/** A broker as Kafka's clients know it. */
export interface KafkaBroker extends KafkaAddress {
  readonly brokerId: number;
}

/** The brokers that share a store, as far as this one hears of them. */
export interface Nodes extends Leadership {
  /** The number of this one. */
  readonly self: number;
  /** By which Kafka's clients know this one: the same as long as they reach it at the same address. */
  readonly brokerId: number;
  /** The other ones that are there now. */
  readonly others: readonly Node[];
  /** Who coordinates all groups. */
  readonly coordinator: Leader;
  /** Whether others may take this one for gone, as nobody hears it: then it knows nothing of them. */
  readonly isCutOff: boolean;
  /** How often that was so. */
  readonly cutOffs: number;
  /** Whether another one is there. It is asked, and while it does not answer this waits, for as long as it takes until it counts as gone. */
  isThere(node: number): Promise<boolean>;
  /** The shards that logs lie in; undefined for a broker on its own. */
  readonly shards?: ShardsView;
}

/** The shards of a cluster, as one of its nodes sees them. */
export interface ShardsView {
  /** How many this node owns. */
  readonly owned: number;
  /** How many nobody owns who is there. */
  readonly ownerless: number;
  /** In the order of their numbers, how many messages there are of which this node has not heard yet. */
  readonly behind: readonly number[];
}

/** A broker on its own. */
export function aloneAs(self: number): Nodes {
  const alone = { isCutOff: false, cutOffs: 0, isThere: async () => false };
  return { ...LEADS_ALL, self, brokerId: self, others: [], coordinator: 'here', ...alone };
}
