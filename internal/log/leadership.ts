/** The node that leads a partition: this one, another one by its number, or none for the moment. */
export type Leader = 'here' | 'nobody' | number;

/**
 * Which node of a cluster leads which partition: gives offsets, writes what clients send, delivers it to live subscribers,
 * and decides what is kept. Readers are served elsewhere too, but Kafka's clients ask the leader.
 */
export interface Leadership {
  /** By the store's number of the partition. Asked for each request, so it answers from memory. */
  leaderOf(partitionId: number): Leader;
}

/** A broker on its own leads everything. */
export const LEADS_ALL: Leadership = { leaderOf: () => 'here' };
