import { lookedForMessages } from '../../limits/cluster.ts';
import type { JetStream } from '../jetstream.ts';
import { type KindCount, kindCounts } from './kinds.ts';
import { type ReplicaMessage, type ReplicaReader, replicaReaders } from './replica-readers.ts';

/** Messages that one server has not, or not as they were written, and others have. */
export interface Lacking {
  readonly server: string;
  readonly stream: string;
  readonly count: number;
  /** What they are. */
  readonly kinds: readonly KindCount[];
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export interface Comparison {
  readonly messages: number;
  readonly lacking: readonly Lacking[];
  /** Servers from which it could not be read. */
  readonly unread: readonly string[];
}

/** Which stream of which cluster, and the servers that have it. */
export interface Compared {
  readonly cluster: string;
  readonly stream: string;
  readonly servers: readonly string[];
}

/**
 * Reads a stream from each of its servers side by side, up to a sequence, and hands each message over that any of them has.
 *
 * @throws StoreUnavailableError
 */
export async function compareReplicas(
  jetStream: JetStream,
  { cluster, stream, servers }: Compared,
  until: number,
  see: (message: ReplicaMessage) => void,
): Promise<Comparison> {
  const readers = await replicaReaders(jetStream, stream, servers);
  try {
    const { messages, missing } = await readSideBySide(readers, until, see);
    const lacking: Lacking[] = [];
    for (const [server, lacked] of missing) {
      const still = await stillThere(
        jetStream,
        stream,
        lacked.map(({ sequence }) => sequence),
      );
      if (still.length === 0) continue;
      const [firstSequence, lastSequence] = [still[0]!, still.at(-1)!];
      const subjects = lacked
        .filter(({ sequence }) => sequence >= firstSequence && sequence <= lastSequence)
        .map(({ subject }) => subject);
      const kinds = kindCounts(cluster, subjects);
      lacking.push({ server, stream, count: subjects.length, kinds, firstSequence, lastSequence });
    }
    return { messages, lacking, unread: servers.filter((server) => !readers.has(server)) };
  } finally {
    await Promise.allSettled([...readers.values()].map((reader) => reader.close()));
  }
}

type Lacked = Pick<ReplicaMessage, 'sequence' | 'subject'>;

async function readSideBySide(
  readers: ReadonlyMap<string, ReplicaReader>,
  until: number,
  see: (message: ReplicaMessage) => void,
): Promise<{ messages: number; missing: Map<string, Lacked[]> }> {
  const missing = new Map<string, Lacked[]>([...readers.keys()].map((server) => [server, []]));
  for (let messages = 0; ; messages++) {
    const empty = [...readers.values()].filter(({ isEmpty }) => isEmpty);
    if (empty.length > 0) await Promise.all(empty.map((reader) => reader.fetch()));
    const next = nextOf(readers);
    if (next === undefined || next.sequence > until) return { messages, missing };
    for (const [server, reader] of readers) {
      const { head } = reader;
      if (head?.sequence === next.sequence) reader.take();
      if (!isSame(head, next)) {
        missing.get(server)!.push({ sequence: next.sequence, subject: next.subject });
      }
    }
    see(next);
  }
}

/** The message with the lowest sequence, as most have it. */
function nextOf(readers: ReadonlyMap<string, ReplicaReader>): ReplicaMessage | undefined {
  let next: ReplicaMessage | undefined;
  for (const { head } of readers.values()) {
    if (head !== undefined && (next === undefined || head.sequence < next.sequence)) next = head;
  }
  if (next === undefined) return undefined;
  const heads = [...readers.values()].flatMap(({ head }) => (head?.sequence === next.sequence ? head : []));
  if (heads.every((head) => isSame(head, next))) return next;
  const votes = heads.map((head) => heads.filter((other) => isSame(head, other)).length);
  return heads[votes.indexOf(Math.max(...votes))];
}

function isSame(message: ReplicaMessage | undefined, other: ReplicaMessage): boolean {
  return (
    message?.sequence === other.sequence && message.facts === other.facts && message.subject === other.subject
  );
}

/** Those of these messages that some server has now: what nobody has was deleted while it was read. Many are looked at by samples. */
async function stillThere(
  jetStream: JetStream,
  stream: string,
  sequences: readonly number[],
): Promise<number[]> {
  const step = Math.max(1, Math.floor(sequences.length / lookedForMessages));
  const looked = sequences.filter((_sequence, index) => index % step === 0 || index === sequences.length - 1);
  const found = await Promise.all(looked.map((sequence) => isThere(jetStream, stream, sequence)));
  return looked.filter((_sequence, index) => found[index]);
}

/** Any replica answers, one of which is that which lacks it. */
async function isThere(jetStream: JetStream, stream: string, sequence: number): Promise<boolean> {
  for (let tries = 0; tries < REPLICAS_ASKED; tries++) {
    if ((await jetStream.next(stream, '>', sequence))?.sequence === sequence) return true;
  }
  return false;
}

const REPLICAS_ASKED = 30;
