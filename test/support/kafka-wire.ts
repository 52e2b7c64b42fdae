import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createTopics } from '../../internal/protocol/kafka/apis/19-create-topics.ts';
import { decodeResponse, encodeRequest } from '../../internal/protocol/kafka/exchange.ts';
import { RequestFrames } from '../../internal/protocol/kafka/request-frame.ts';
import type { Api, InputOf, ValueOf } from '../../internal/protocol/kafka/schema.ts';

/** A bare connection to a Kafka listener: any API in any version, and any bytes. */
export class KafkaWire {
  readonly socket: Socket;
  /** Settles when the broker has closed. */
  readonly closed: Promise<void>;
  /** What is wrong with the bytes that came, where they are no answers. */
  problem = '';
  readonly #frames = new RequestFrames(2 ** 31 - 1);
  readonly #answers: Buffer[] = [];
  readonly #waiting: ((answer: Buffer | undefined) => void)[] = [];
  #lastCorrelationId = 0;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
    this.closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    void this.closed.then(() => {
      this.#isClosed = true;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  /** @param url as a broker tells it, `tcp://host:port`. */
  static async open(url: string): Promise<KafkaWire> {
    const { hostname, port } = new URL(url.replace(/^(tcp|tls):/, 'http:'));
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
    await once(socket, 'connect');
    return new KafkaWire(socket);
  }

  /** @param socket connected, or on its way there. */
  static over(socket: Socket): KafkaWire {
    return new KafkaWire(socket);
  }

  /** @throws Error where the connection ends before the answer is there. */
  async ask<A extends Api>(
    api: A,
    version: number,
    body: InputOf<A['request']>,
    clientId?: string,
  ): Promise<ValueOf<A['response']>> {
    const correlationId = this.send(api, version, body, clientId);
    const answer = await this.next();
    if (answer === undefined) throw new Error(`no answer to ${api.name} ${version} ${this.problem}`.trim());
    const decoded = decodeResponse(api, version, answer);
    if (decoded.correlationId !== correlationId) {
      throw new Error(`answer ${decoded.correlationId} to request ${correlationId}`);
    }
    return decoded.body;
  }

  /** Sends a request without waiting; returns its correlation id. */
  send<A extends Api>(api: A, version: number, body: InputOf<A['request']>, clientId = 'wire'): number {
    const correlationId = ++this.#lastCorrelationId;
    this.socket.write(Buffer.concat(encodeRequest(api, version, { correlationId, clientId }, body)));
    return correlationId;
  }

  /** The next answer, without its size; undefined where the connection has ended. */
  next(): Promise<Buffer | undefined> {
    const answer = this.#answers.shift();
    if (answer !== undefined || this.#isClosed) return Promise.resolve(answer);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    try {
      this.#frames.push(chunk);
      for (let answer = this.#frames.next(); answer !== undefined; answer = this.#frames.next()) {
        const resolve = this.#waiting.shift();
        if (resolve === undefined) this.#answers.push(answer);
        else resolve(answer);
      }
    } catch (error) {
      // What was asked is told that the connection has ended.
      this.problem = (error as Error).message;
      this.socket.destroy();
    }
  }
}

/** An OffsetCommit of a group without members, for partition 0 of a topic. */
export function commitOf(groupId: string, name: string, committedOffset: number) {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }];
  return {
    ...{ groupId, generationIdOrMemberEpoch: -1, memberId: '' },
    topics: [{ name, partitions }],
  };
}

/**
 * Asks for topics over a connection of its own.
 *
 * @param partitions how many of them each has, by its name. @returns the error codes, in their order.
 */
export async function createTopicsAt(
  url: string,
  partitions: Readonly<Record<string, number>>,
): Promise<number[]> {
  const wire = await KafkaWire.open(url);
  try {
    const topics = Object.entries(partitions).map(([name, numPartitions]) => ({
      ...{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] },
    }));
    const answer = await wire.ask(createTopics, 5, { topics, timeoutMs: 30_000, validateOnly: false });
    return answer.topics.map(({ errorCode }) => errorCode);
  } finally {
    wire.close();
  }
}
