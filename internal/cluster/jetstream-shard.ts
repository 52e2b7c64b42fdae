import { nuid } from '@nats-io/transport-node';
import { readBytes, readMessages } from '../limits/cluster.ts';
import { StoreUnavailableError } from '../store/store-error.ts';
import { eachUntil, type Followed, follow, lastOfSubjects } from './follower.ts';
import { isNobody, isWrongSequence, type JetStream, type StreamMessage } from './jetstream.ts';
import { isForeign } from './messages.ts';
import type { Outcome, ShardMessage, ShardStream, StoredMessage } from './stream.ts';

/** The stream of a shard in JetStream, as messages of the shard. */
export class JetStreamShard implements ShardStream {
  readonly stream: string;
  readonly #jetStream: JetStream;
  readonly #prefix: string;
  /** Messages that the follower has not handed over yet, as JetStream said last. */
  pending = 0;

  /** @param prefix of all its subjects, with the last dot. */
  constructor(jetStream: JetStream, stream: string, prefix: string) {
    this.#jetStream = jetStream;
    this.stream = stream;
    this.#prefix = prefix;
  }

  /** Bytes of the largest body of a message. */
  get maxBodyBytes(): number {
    return this.#jetStream.maxBodyBytes;
  }

  lastSequence(): Promise<number> {
    return this.#jetStream.lastSequence(this.stream);
  }

  async publish(messages: readonly ShardMessage[], expectedLast: number): Promise<Outcome> {
    const expected = { 'Nats-Expected-Last-Sequence': String(expectedLast) };
    const batch = messages.length === 1 ? undefined : nuid.next();
    const last = messages.length - 1;
    try {
      for (const [index, message] of messages.entries()) {
        const fields = {
          ...fieldsOf(message),
          ...(index === 0 && expected),
          ...placeInBatch(batch, index, last),
        };
        const subject = `${this.#prefix}${message.subject}`;
        if (index < last) this.#jetStream.send(subject, message.body, fields);
        else return { kind: 'stored', last: await this.#jetStream.publish(subject, message.body, fields) };
      }
    } catch (error) {
      if (isWrongSequence(error)) return { kind: 'refused' };
      if (isNobody(error)) return { kind: 'unheard' };
      return { kind: 'unknown', reason: (error as Error).message };
    }
    throw new Error('a round has messages');
  }

  async readBetween(after: number, last: number): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (let next = after + 1; next <= last; ) {
      const found = await this.#jetStream.several(
        this.stream,
        `${this.#prefix}>`,
        next,
        readMessages,
        readBytes,
      );
      if (found.length === 0)
        throw new StoreUnavailableError('failed', 'a replica does not have all of it yet');
      next = found.at(-1)!.sequence + 1;
      messages.push(...found.map((message) => this.#stored(message)));
    }
    return messages.filter(({ sequence }) => sequence <= last);
  }

  follow(after: () => number, take: (message: StoredMessage) => boolean): () => void {
    const followed = { stream: this.stream, isHeadersOnly: true };
    return follow(
      this.#jetStream,
      followed,
      after,
      (message) => take(this.#stored(message)),
      (pending) => {
        this.pending = pending;
      },
    );
  }

  async changeLeader(): Promise<void> {
    await this.#jetStream.ask(`STREAM.LEADER.STEPDOWN.${this.stream}`);
  }

  /** A message is passed over. @param subject within the shard. */
  noteForeign(subject: string, reason: string): void {
    this.#jetStream.noteForeign(this.#prefix + subject, reason);
  }

  /** The last message of each subject, in their order: of all of them without bodies, of some with them. */
  async lastOfSubjects(filter?: string): Promise<StoredMessage[]> {
    const isHeadersOnly = filter === undefined;
    const followed = { stream: this.stream, filter: `${this.#prefix}${filter ?? '>'}`, isHeadersOnly };
    const found = (await lastOfSubjects(this.#jetStream, followed)).map((message) => this.#stored(message));
    const foreign = found.filter(isForeign);
    if (foreign.length === 0) return found;
    for (const { subject } of foreign) this.noteForeign(subject, NO_FACTS);
    return this.#lastOfBrokers(followed, found.at(-1)!);
  }

  /** The same where messages that no broker wrote hide the last ones: all that there are are read. */
  async #lastOfBrokers(followed: Followed, until: StoredMessage): Promise<StoredMessage[]> {
    const last = new Map<string, StoredMessage>();
    await eachUntil(this.#jetStream, followed, until.sequence, (found) => {
      const message = this.#stored(found);
      if (!isForeign(message)) last.set(message.subject, message);
    });
    return [...last.values()].sort((a, b) => a.sequence - b.sequence);
  }

  /** The first message of a partition at or above a sequence. */
  async nextOf(partition: number, sequence: number): Promise<StoredMessage | undefined> {
    for (let next = sequence; ; next++) {
      const found = await this.#jetStream.next(this.stream, this.#batchesOf(partition), next);
      if (found === undefined) return undefined;
      const message = this.#stored(found);
      if (!isForeign(message)) return message;
      next = message.sequence;
    }
  }

  /** Batches of a partition, from a sequence on. */
  async batchesOf(partition: number, sequence: number, maxBytes: number): Promise<StoredMessage[]> {
    const filter = this.#batchesOf(partition);
    const found = await this.#jetStream.several(this.stream, filter, sequence, readMessages, maxBytes);
    return found.map((message) => this.#stored(message)).filter((message) => !isForeign(message));
  }

  /** Deletes the batches of a partition below a sequence. */
  async purge(partition: number, sequence: number): Promise<void> {
    await this.#jetStream.ask(`STREAM.PURGE.${this.stream}`, {
      filter: this.#batchesOf(partition),
      seq: sequence,
    });
  }

  #batchesOf(partition: number): string {
    return `${this.#prefix}l.${partition}.*`;
  }

  #stored({ subject, sequence, headers, body }: StreamMessage): StoredMessage {
    return {
      subject: subject.slice(this.#prefix.length),
      sequence,
      facts: headers?.get(FACTS) ?? '',
      producer: headers?.get(PRODUCER) || undefined,
      body,
    };
  }
}

/** The header with what is known of a message without its body. */
export const FACTS = 'T';
const PRODUCER = 'P';
/** Of messages of which nothing is known without their bodies. */
export const NO_FACTS = 'it does not say of itself what messages of brokers do';

function fieldsOf({ facts, producer, isRollup }: ShardMessage): Record<string, string> {
  return {
    [FACTS]: facts,
    ...(producer !== undefined && { [PRODUCER]: producer }),
    ...(isRollup && { 'Nats-Rollup': 'sub' }),
  };
}

function placeInBatch(batch: string | undefined, index: number, last: number): Record<string, string> {
  if (batch === undefined) return {};
  return {
    'Nats-Batch-Id': batch,
    'Nats-Batch-Sequence': String(index + 1),
    ...(index === last && { 'Nats-Batch-Commit': '1' }),
  };
}
