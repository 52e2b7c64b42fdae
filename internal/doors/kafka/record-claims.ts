import type { RecordHeader } from '../../batch/record-cursor.ts';
import { clientOf, otherTopicOf } from '../../live/records.ts';
import type { KafkaError } from './errors.ts';
import type { RequestAccess } from './request-access.ts';

/**
 * What the records of a batch say of themselves: subscribers are told that they come from another topic, or from a client,
 * whatever connection they came over. So whoever writes them needs the right to publish there, or to alter that client.
 */
export class RecordClaims {
  /** Why the batch is refused, from the first record that says what it may not. */
  denial: KafkaError | undefined;
  readonly #access: RequestAccess;
  readonly #logName: string;

  constructor(access: RequestAccess, logName: string) {
    this.#access = access;
    this.#logName = logName;
  }

  /** Looks at the headers of a record; the same may come again. */
  readonly look = (headers: readonly RecordHeader[]): void => {
    if (this.denial !== undefined) return;
    const topic = otherTopicOf(headers, this.#logName);
    if (topic !== undefined) this.denial = this.#access.publishRefusal(topic);
    const client = this.denial === undefined ? clientOf(headers) : undefined;
    if (client !== undefined) this.denial = this.#access.publishAsRefusal(client);
  };
}
