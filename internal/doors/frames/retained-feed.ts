import type { Source } from '../../broker/channel.ts';
import type { Client } from '../../broker/client.ts';
import { type Message, Publication } from '../../broker/publication.ts';
import { retainedPerStep } from '../../limits.ts';
import { frameEncoding } from './encoding.ts';

/** Sends retained messages to a subscription that is new, as fast as its client takes them. */
export class RetainedFeed implements Source {
  readonly #client: Client;
  readonly #filter: string;
  readonly #messages: Iterator<Message>;

  constructor(client: Client, filter: string, messages: Iterator<Message>) {
    this.#client = client;
    this.#filter = filter;
    this.#messages = messages;
  }

  /** Sends the first ones; the others follow when the channel has handed these over. */
  start(): void {
    const step: Message[] = [];
    while (step.length < retainedPerStep) {
      const { value, done } = this.#messages.next();
      if (done) break;
      step.push(value);
    }
    if (step.length === 0) return;
    const { channel } = this.#client;
    const bytes = frameEncoding.encode(step);
    channel.deliver(new Publication(frameEncoding).set(bytes, 0, bytes.length, step.length));
    if (step.length === retainedPerStep) channel.holdBackAsker(this);
  }

  pause(): void {}

  /** The channel has handed over what it had, or its client is gone. */
  resume(): void {
    if (this.#client.filters.has(this.#filter)) setImmediate(() => this.start());
  }
}
