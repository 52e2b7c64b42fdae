import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { countOf } from '../lib/shape.ts';
import { topicNewsMs } from '../limits/cluster.ts';
import { listen, type NoteMessage } from './foreign-messages.ts';

export interface TopicNewsParts {
  readonly connection: NatsConnection;
  /** What its subjects begin with. */
  readonly name: string;
  readonly self: number;
  readonly noteForeign: NoteMessage;
  /** The other nodes that are there. */
  readonly others: () => readonly number[];
  /** Resolves when this node knows the topics of a sequence. */
  readonly until: (sequence: number) => Promise<void>;
}

/**
 * Whoever changes a topic is answered when the other nodes know it, so that the next request may go to any of them. None of them is
 * waited for without end: what it does not know yet it hears of all the same.
 */
export class TopicNews {
  readonly #parts: TopicNewsParts;
  readonly #subscription: Subscription;

  constructor(parts: TopicNewsParts) {
    this.#parts = parts;
    const { connection, name, self, noteForeign } = parts;
    const subject = `${name}.node.${self}.topics`;
    this.#subscription = listen(connection, subject, (request) => this.#answer(request), noteForeign);
  }

  async untilOthersKnow(sequence: number): Promise<void> {
    const { connection, name, others } = this.#parts;
    const asked = others().map((node) =>
      // One that has just ended has nobody who answers.
      connection
        .request(`${name}.node.${node}.topics`, String(sequence), { timeout: topicNewsMs })
        .catch(() => {}),
    );
    await Promise.all(asked);
  }

  close(): void {
    this.#subscription.unsubscribe();
  }

  async #answer(request: Msg): Promise<void> {
    const sequence = countOf(request.string());
    if (sequence === undefined) throw new Error('it is no sequence of a topic');
    await this.#parts.until(sequence);
    if (!this.#parts.connection.isClosed()) request.respond();
  }
}
