import { setTimeout as pause } from 'node:timers/promises';
import { fetch } from '../../internal/protocol/kafka/apis/01-fetch.ts';
import { listOffsets } from '../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { offsetFetch } from '../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { KafkaErrorCode } from '../../internal/protocol/kafka/error-codes.ts';
import type { Committer, KafkaWriter } from './cluster-writers.ts';
import { KafkaWire } from './kafka-wire.ts';
import type { ClusterNode } from './mortal-cluster.ts';

const ASK_EVERY_MS = 50;
/** Of one node: one that stands still answers all of them when it goes on. */
const MOST_WAITING = 200;
const LATEST = -1;
const EARLIEST = -2;

export interface Watched {
  readonly topic: string;
  /** One of each partition, in their order. */
  readonly writers: readonly KafkaWriter[];
  readonly committer: Committer;
}

/** What was acknowledged before a question was sent: no answer may say less. */
interface Known {
  readonly ends: readonly number[];
  readonly committed: number;
}

/**
 * Asks all nodes again and again how far logs and a group are, each time over another connection, so that one which stands still finds
 * questions that were asked while another one took over.
 */
export class AnswerWatch {
  readonly problems = new Map<string, number>();
  /** Answers without an error. */
  answers = 0;
  readonly #watched: Watched;
  readonly #nodes: readonly ClusterNode[];
  #asked = 0;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(nodes: readonly ClusterNode[], watched: Watched) {
    this.#nodes = nodes;
    this.#watched = watched;
  }

  start(): void {
    this.#running = Promise.all(this.#nodes.map((node) => this.#watch(node)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #watch(node: ClusterNode): Promise<void> {
    const waiting = new Set<Promise<void>>();
    while (!this.#isStopped) {
      if (waiting.size < MOST_WAITING) {
        const asking = this.#ask(node).catch(() => {
          // The node was killed, or is not there yet.
        });
        waiting.add(asking);
        void asking.then(() => waiting.delete(asking));
      }
      await pause(ASK_EVERY_MS);
    }
    await Promise.all(waiting);
  }

  async #ask(node: ClusterNode): Promise<void> {
    const wire = await KafkaWire.open(node.urlOf('kafka'));
    try {
      const known = this.#known();
      await Promise.all([
        this.#askCommit(wire, known),
        this.#askOffsets(wire, known, LATEST),
        this.#askOffsets(wire, known, EARLIEST),
        this.#fetch(wire, known, [...known.ends.entries()]),
        // That one is there, wherever a node believes that the log ends.
        this.#fetch(wire, known, [[this.#asked++ % known.ends.length, 0]]),
      ]);
    } finally {
      wire.close();
    }
  }

  #known(): Known {
    const { writers, committer } = this.#watched;
    const ends = writers.map(({ acknowledged }) => (acknowledged.at(-1)?.offset ?? -1) + 1);
    return { ends, committed: committer.committed };
  }

  async #askCommit(wire: KafkaWire, { committed }: Known): Promise<void> {
    const { topic: name, committer } = this.#watched;
    const topics = [{ name, partitionIndexes: [0] }];
    const { errorCode, topics: found } = await wire.ask(offsetFetch, 5, { groupId: committer.group, topics });
    const [partition] = found[0]?.partitions ?? [];
    if (errorCode !== 0) return;
    if (partition === undefined) this.#tell('OffsetFetch without the partition');
    else if (partition.errorCode === 0)
      this.#expect('OffsetFetch', Number(partition.committedOffset) >= committed || committed === 0);
  }

  async #askOffsets(wire: KafkaWire, { ends }: Known, timestamp: number): Promise<void> {
    const { topic: name } = this.#watched;
    const asked = ends.map((_end, partitionIndex) => ({ partitionIndex, timestamp }));
    const topics = [{ name, partitions: asked }];
    const { topics: found } = await wire.ask(listOffsets, 3, { replicaId: -1, isolationLevel: 0, topics });
    for (const { partitionIndex, errorCode, offset } of found[0].partitions) {
      if (errorCode !== 0) continue;
      if (timestamp === EARLIEST) this.#expect('ListOffsets of the earliest', Number(offset) === 0);
      else this.#expect('ListOffsets of the latest', Number(offset) >= ends[partitionIndex]!);
    }
  }

  /** @param offsets by partition. */
  async #fetch(
    wire: KafkaWire,
    { ends }: Known,
    offsets: readonly (readonly [number, number])[],
  ): Promise<void> {
    const { topic } = this.#watched;
    const partitions = offsets.map(([partition, fetchOffset]) => ({
      ...{ partition, fetchOffset, partitionMaxBytes: 1_000 },
    }));
    const { responses } = await wire.ask(fetch, 4, {
      ...{ replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 10_000, isolationLevel: 0 },
      topics: [{ topic, partitions }],
    });
    for (const { partitionIndex, errorCode, highWatermark } of responses[0]?.partitions ?? []) {
      if (errorCode === KafkaErrorCode.offsetOutOfRange) this.#tell('Fetch out of range');
      else if (errorCode === 0) this.#expect('Fetch', Number(highWatermark) >= ends[partitionIndex]!);
    }
  }

  #expect(what: string, isRight: boolean): void {
    this.answers++;
    if (!isRight) this.#tell(`${what} says less than was acknowledged`);
  }

  #tell(problem: string): void {
    this.problems.set(problem, (this.problems.get(problem) ?? 0) + 1);
  }
}
