import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { forwardRetryMs, writePatienceMs } from '../limits/cluster.ts';
import type { UnplacedBatch } from '../log/partition-log.ts';
import {
  decodeBatches,
  encodeBatches,
  type ForwardedBatch,
  type ForwardedOutcome,
} from './forwarded-batches.ts';
import { refusalOf } from './forwarder.ts';

export interface ForwardsParts {
  readonly connection: NatsConnection;
  /** What its subjects begin with. */
  readonly name: string;
  readonly self: number;
}

type Append = (partition: number, batch: UnplacedBatch) => Promise<number>;

/** Batches on their way from the node that a client sent them to, to the node that leads. */
export class Forwards {
  readonly #parts: ForwardsParts;
  readonly #subscription: Subscription;
  #append: Append | undefined;

  constructor(parts: ForwardsParts) {
    this.#parts = parts;
    const { connection, name, self } = parts;
    this.#subscription = connection.subscribe(`${name}.node.${self}.forward`, {
      callback: (_error, request) => void this.#answer(request),
    });
  }

  /** @param isStillLeader asked from time to time: nobody waits for one that does not lead any more. */
  async exchange(
    node: number,
    batches: readonly ForwardedBatch[],
    isStillLeader: () => boolean,
  ): Promise<ForwardedOutcome[] | undefined> {
    const { connection, name } = this.#parts;
    let timer: NodeJS.Timeout | undefined;
    const lost = new Promise<undefined>((resolve) => {
      timer = setInterval(() => {
        if (!isStillLeader()) resolve(undefined);
      }, forwardRetryMs);
    });
    const request = connection
      .request(`${name}.node.${node}.forward`, encodeBatches(batches), { timeout: writePatienceMs })
      .then(
        (answer) => outcomesOf(answer, batches.length),
        () => undefined,
      );
    try {
      return await Promise.race([request, lost]);
    } finally {
      clearInterval(timer);
    }
  }

  /** Appends what others give to this node. Batches are begun in their order. */
  append(batches: readonly ForwardedBatch[]): Promise<ForwardedOutcome[]> {
    return Promise.all(
      batches.map(async ({ partition, batch }): Promise<ForwardedOutcome> => {
        try {
          if (this.#append === undefined) return { code: 'not-leader', message: 'this node has not begun' };
          return { offset: await this.#append(partition, batch) };
        } catch (error) {
          return refusalOf(error);
        }
      }),
    );
  }

  onForwarded(append: Append): () => void {
    this.#append = append;
    return () => {
      this.#append = undefined;
    };
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  async #answer(request: Msg): Promise<void> {
    let batches: ForwardedBatch[];
    try {
      batches = decodeBatches(request.data);
    } catch {
      // Whoever sends that is no node.
      return;
    }
    const outcomes = await this.append(batches);
    if (!this.#parts.connection.isClosed()) request.respond(JSON.stringify(outcomes));
  }
}

function outcomesOf(answer: Msg, count: number): ForwardedOutcome[] | undefined {
  const outcomes = answer.json<ForwardedOutcome[]>();
  return outcomes.length === count ? outcomes : undefined;
}
