import { clusterStatus } from '../../internal/cluster/inspect/status.ts';
import { metadata } from '../../internal/protocol/kafka/apis/03-metadata.ts';
import { KafkaWire } from './kafka-wire.ts';
import type { ClusterNode, ClusterProcesses } from './mortal-cluster.ts';

/** How long a broker has to say what it knows: one of them may stand still. */
const ANSWER_MS = 3_000;

interface Watched {
  readonly cluster: ClusterProcesses;
  /** Of which the leaders are told, as each broker knows them. */
  readonly topic: string;
  readonly everyMs: number;
}

/** Waits for something, and tells again and again what is known of the cluster while that has not come. */
export async function whileWaiting<T>(
  work: Promise<T>,
  tell: (waitedMs: number, state: string) => void,
  { cluster, topic, everyMs }: Watched,
): Promise<T> {
  const beganMs = performance.now();
  const timer = setInterval(async () => {
    const waitedMs = performance.now() - beganMs;
    tell(waitedMs, await stateOf(cluster, topic));
  }, everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/** What NATS says of the streams and their owners, and what each broker says of who leads. */
async function stateOf({ nats, nodes }: ClusterProcesses, topic: string): Promise<string> {
  const byBrokers = nodes.map(async (node) => `broker ${node.ports.kafka}: ${await leadersAt(node, topic)}`);
  return [await saidByNats(nats.urls), ...(await Promise.all(byBrokers))].join('\n  ');
}

async function saidByNats(urls: readonly string[]): Promise<string> {
  try {
    const { problems, nodes, streams } = await clusterStatus({ urls, name: 'tinymq' });
    const heard = nodes.map(({ node, kafka, shards }) => `node ${node} (${kafka}) owns ${shards.join(' ')}`);
    const lasts = streams.map(({ stream, lastSequence, owner }) =>
      [stream, lastSequence, owner && `of ${owner.node} in ${owner.epoch}`].filter(Boolean).join(' '),
    );
    return [problems.join('; ') || 'no problem for NATS', heard.join('; '), lasts.join('; ')].join('\n  ');
  } catch (error) {
    return `NATS does not answer: ${(error as Error).message}`;
  }
}

/** The leader of each partition, by its number. */
async function leadersAt(node: ClusterNode, topic: string): Promise<string> {
  const asked = KafkaWire.open(node.urlOf('kafka')).then(async (wire) => {
    const tooLate = setTimeout(() => wire.close(), ANSWER_MS);
    try {
      const { topics } = await wire.ask(metadata, 9, { topics: [{ name: topic }] });
      return topics[0]!.partitions.map(({ leaderId }) => leaderId).join(' ');
    } finally {
      clearTimeout(tooLate);
      wire.close();
    }
  });
  return asked.catch((error: Error) => error.message);
}
