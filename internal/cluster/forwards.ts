import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { isCount, jsonAs, objectOf, type Shape } from '../lib/shape.ts';
import { forwardRetryMs, writePatienceMs } from '../limits/cluster.ts';
import type { Leading } from '../log/cluster.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { listen, type NoteMessage } from './foreign-messages.ts';
import {
  areOutcomes,
  decodeBatches,
  encodeBatches,
  type ForwardedBatch,
  type ForwardedOutcome,
  isRefusal,
  type Refusal,
} from './forwarded-batches.ts';
import { errorOf, refusalOf } from './forwarder.ts';

export interface ForwardsParts {
  readonly connection: NatsConnection;
  /** What its subjects begin with. */
  readonly name: string;
  readonly self: number;
  readonly noteForeign: NoteMessage;
}

/** Why it was not done; nothing where it was. */
type Done = Refusal | { readonly code?: undefined };

const isDone: Shape<Done> = (value): value is Done => isRefusal(value) || isNothing(value);
const isNothing = objectOf<{ readonly code?: undefined }>({
  code: (value): value is undefined => value === undefined,
});

/** What goes from the node that a client asked to the node that leads. */
export class Forwards {
  readonly #parts: ForwardsParts;
  readonly #subscriptions: readonly Subscription[];
  #leading: Leading | undefined;

  constructor(parts: ForwardsParts) {
    this.#parts = parts;
    const { connection, name, self, noteForeign } = parts;
    const [batches, deletion] = [`${name}.node.${self}.forward`, `${name}.node.${self}.delete`];
    this.#subscriptions = [
      listen(connection, batches, (request) => this.#answer(request), noteForeign),
      listen(connection, deletion, (request) => this.#answerDeletion(request), noteForeign),
    ];
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
        (answer) => this.#read(answer, () => outcomesOf(answer, batches.length)),
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
          return { offset: await this.#led.append(partition, batch) };
        } catch (error) {
          return refusalOf(error);
        }
      }),
    );
  }

  /** Has a node delete what is before an offset. @throws StoreError */
  async deleteUntil(node: number | 'here', partition: number, offset: number): Promise<void> {
    if (node === 'here') return this.#led.deleteUntil(partition, offset);
    const { connection, name } = this.#parts;
    const question = JSON.stringify({ partition, offset } satisfies Deletion);
    let done: Done;
    try {
      const answer = await connection.request(`${name}.node.${node}.delete`, question, {
        timeout: writePatienceMs,
      });
      done = jsonAs(isDone, answer.data, 'what became of a deletion');
    } catch (error) {
      throw new StoreUnavailableError(
        'no-majority',
        `node ${node} does not answer: ${(error as Error).message}`,
      );
    }
    if (isRefusal(done)) throw errorOf(done);
  }

  onForwarded(leading: Leading): () => void {
    this.#leading = leading;
    return () => {
      this.#leading = undefined;
    };
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  /** Undefined where an answer cannot be read. */
  #read<T>({ subject }: Msg, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#parts.noteForeign(subject, (error as Error).message);
      return undefined;
    }
  }

  get #led(): Leading {
    if (this.#leading !== undefined) return this.#leading;
    throw new StoreError('not-leader', 'this node has not begun, or is about to end');
  }

  async #answerDeletion(request: Msg): Promise<void> {
    let done: Done = {};
    const { partition, offset } = jsonAs(isDeletion, request.data, 'a deletion');
    try {
      await this.#led.deleteUntil(partition, offset);
    } catch (error) {
      done = refusalOf(error);
    }
    if (!this.#parts.connection.isClosed()) request.respond(JSON.stringify(done));
  }

  async #answer(request: Msg): Promise<void> {
    const outcomes = await this.append(decodeBatches(request.data));
    if (!this.#parts.connection.isClosed()) request.respond(JSON.stringify(outcomes));
  }
}

interface Deletion {
  readonly partition: number;
  readonly offset: number;
}

const isDeletion = objectOf<Deletion>({ partition: isCount, offset: isCount });

/** @throws Error for what is no answer to so many batches. */
function outcomesOf({ data }: Msg, count: number): ForwardedOutcome[] {
  const outcomes = jsonAs(areOutcomes, data, 'what became of batches');
  if (outcomes.length !== count)
    throw new Error(`it says what became of ${outcomes.length} batches, not ${count}`);
  return outcomes;
}
