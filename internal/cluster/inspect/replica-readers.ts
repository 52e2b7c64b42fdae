import { createInbox, type Msg, nanos } from '@nats-io/transport-node';
import { placementTries, replicaReaderLifeMs, replicaReadMessages } from '../../limits/cluster.ts';
import { StoreUnavailableError } from '../../store/store-error.ts';
import { placeOf } from '../follower.ts';
import type { JetStream } from '../jetstream.ts';
import { FACTS } from '../jetstream-shard.ts';

/** A message as one server has it; its body was read there, and compared with its checksum, and is not sent. */
export interface ReplicaMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly facts: string;
}

/**
 * Readers of a stream, one for each server that has a replica of it. A consumer reads from the disk of the server that it is
 * on, and passes over what is damaged there without a word. JetStream chooses that server by chance, so consumers are made
 * until each server has one.
 *
 * @returns by server; one that is missing did not come to have any.
 */
export async function replicaReaders(
  jetStream: JetStream,
  stream: string,
  servers: readonly string[],
): Promise<Map<string, ReplicaReader>> {
  const readers = new Map<string, ReplicaReader>();
  for (let tries = 0; tries < placementTries && readers.size < servers.length; tries++) {
    const { name, cluster } = await makeConsumer(jetStream, stream);
    // One on its own does not say who it is.
    const server = cluster?.leader ?? servers[0]!;
    const reader = new ReplicaReader(jetStream, stream, name);
    if (readers.has(server) || !servers.includes(server)) await reader.close();
    else readers.set(server, reader);
  }
  return readers;
}

function makeConsumer(
  jetStream: JetStream,
  stream: string,
): Promise<{ name: string; cluster?: { leader?: string } }> {
  const config = {
    ...{ deliver_policy: 'all', ack_policy: 'none', max_deliver: 1, headers_only: true },
    ...{ mem_storage: true, num_replicas: 1, inactive_threshold: nanos(replicaReaderLifeMs) },
  };
  return jetStream.ask(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config });
}

/** Reads a stream from the disk of one server, from its beginning on. */
export class ReplicaReader {
  readonly #jetStream: JetStream;
  readonly #stream: string;
  readonly #consumer: string;
  #waiting: ReplicaMessage[] = [];
  /** Of those that wait. */
  #taken = 0;
  #isAtEnd = false;

  constructor(jetStream: JetStream, stream: string, consumer: string) {
    this.#jetStream = jetStream;
    this.#stream = stream;
    this.#consumer = consumer;
  }

  /** The next message; undefined where there is none for now, or it has to be fetched. */
  get head(): ReplicaMessage | undefined {
    return this.#waiting[this.#taken];
  }

  /** Whether the next message has to be fetched first. */
  get isEmpty(): boolean {
    return this.#taken === this.#waiting.length && !this.#isAtEnd;
  }

  take(): void {
    this.#taken++;
  }

  /** JetStream may not answer in time: then it ends by itself, as nobody asks it any more. */
  async close(): Promise<void> {
    await this.#jetStream.ask(`CONSUMER.DELETE.${this.#stream}.${this.#consumer}`).catch((error) => {
      if (!(error instanceof StoreUnavailableError)) throw error;
    });
  }

  /** Fetches the messages that come next. @throws StoreUnavailableError */
  fetch(): Promise<void> {
    const { connection } = this.#jetStream;
    const inbox = createInbox();
    const found: ReplicaMessage[] = [];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        subscription.unsubscribe();
        const reason = `the consumer that reads ${this.#stream} from a server does not answer`;
        reject(new StoreUnavailableError('failed', reason));
      }, replicaReaderLifeMs).unref();
      const end = () => {
        clearTimeout(timer);
        subscription.unsubscribe();
        this.#waiting = found;
        this.#taken = 0;
        resolve();
      };
      const subscription = connection.subscribe(inbox, {
        callback: (_error, message) => {
          if (message.headers?.code) {
            this.#isAtEnd = true;
            end();
            return;
          }
          found.push(replicaMessage(message));
          if (found.length === replicaReadMessages) end();
        },
      });
      const question = { batch: replicaReadMessages, no_wait: true };
      const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`;
      connection.publish(subject, JSON.stringify(question), { reply: inbox });
    });
  }
}

function replicaMessage(message: Msg): ReplicaMessage {
  const { subject, headers } = message;
  return { subject, sequence: placeOf(message).sequence, facts: headers?.get(FACTS) ?? '' };
}
