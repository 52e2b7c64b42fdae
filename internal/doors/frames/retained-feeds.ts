import type { Client } from '../../broker/client.ts';
import type { Source } from '../../broker/delivery/channel.ts';
import type { Message } from '../../broker/delivery/publication.ts';
import { sessionSendAheadBytes } from '../../limits/broker.ts';
import { retainedPerStep } from '../../limits/doors.ts';
import { frameEncoding } from './encoding.ts';

/** Sends one client the retained messages of its new subscriptions, one after the other, as fast as it takes them. */
export class RetainedFeeds implements Source {
  readonly #client: Client;
  readonly #feeds = new Map<string, Iterator<Message>>();
  /** Whether the channel tells when there is room again. */
  #isWaiting = false;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Begins with a subscription, or begins anew. */
  add(filter: string, messages: Iterator<Message>): void {
    this.#feeds.set(filter, messages);
    if (!this.#isWaiting) this.#send();
  }

  pause(): void {}

  /** The channel has handed over what it had, or its client is gone. */
  resume(): void {
    setImmediate(() => {
      this.#isWaiting = false;
      this.#send();
    });
  }

  #send(): void {
    const { channel } = this.#client;
    // The step before has gone out. A client that is sent more than it takes gets its retained messages beside the others.
    const isNotYet = channel.isBlocked && channel.waitingMessages === 0;
    const step = isNotYet ? [] : this.#nextStep();
    if (step.length > 0) channel.enqueueUndroppable(frameEncoding.encode(step));
    if (this.#feeds.size === 0) return;
    this.#isWaiting = true;
    channel.holdBackAsker(this);
  }

  /** As many as are sent at once, by count and by bytes. */
  #nextStep(): Message[] {
    const step: Message[] = [];
    let bytes = 0;
    for (const [filter, messages] of this.#feeds) {
      let isDone = !this.#client.filters.has(filter);
      while (!isDone) {
        if (step.length === retainedPerStep || bytes >= sessionSendAheadBytes) return step;
        const { value, done } = messages.next();
        isDone = done === true;
        if (isDone) break;
        step.push(value);
        bytes += value.payload.length;
      }
      this.#feeds.delete(filter);
    }
    return step;
  }
}
