import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { forwardRetryMs, writePatienceMs } from '../limits/cluster.ts';
import type { Leading } from '../log/cluster.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import { listen, type NoteMessage } from './foreign-messages.ts';
import {
  decodeBatches,
  encodeBatches,
  type ForwardedBatch,
  type ForwardedOutcome,
} from './forwarded-batches.ts';
import { errorOf, type Refusal, refusalOf } from './forwarder.ts';

export interface ForwardsParts {
  readonly connection: NatsConnection;
  /** What its subjects begin with. */
  readonly name: string;
  readonly self: number;
  readonly noteForeign: NoteMessage;
}

/** What was not done; nothing where it was. */
type Done = Partial<Refusal>;

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
      done = answer.json<Done>();
    } catch (error) {
      throw new StoreUnavailableError(
        'no-majority',
        `node ${node} does not answer: ${(error as Error).message}`,
      );
    }
    if (done.code !== undefined) throw errorOf({ code: done.code, message: done.message ?? '' });
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

  get #led(): Leading {
    if (this.#leading !== undefined) return this.#leading;
    throw new StoreError('not-leader', 'this node has not begun, or is about to end');
  }

  async #answerDeletion(request: Msg): Promise<void> {
    let done: Done = {};
    const { partition, offset } = deletionOf(request);
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

/** @throws Error for what is none. */
function deletionOf(request: Msg): Deletion {
  const deletion = request.json<Partial<Deletion> | null>();
  const { partition, offset } = deletion ?? {};
  if (!Number.isSafeInteger(partition) || !Number.isSafeInteger(offset))
    throw new Error('it does not say what is to be deleted');
  return deletion as Deletion;
}

function outcomesOf(answer: Msg, count: number): ForwardedOutcome[] | undefined {
  const outcomes = answer.json<ForwardedOutcome[]>();
  return outcomes.length === count ? outcomes : undefined;
}
