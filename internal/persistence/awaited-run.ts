import type { Outgoing } from '../broker/sessions/outgoing.ts';
import type { StoredRun } from '../broker/sessions/sent-runs.ts';
import { newShared, type StoredClient, StoredDelivery } from './stored-delivery.ts';
import type { Awaited, Delivery } from './write-queue.ts';

/** A run that was sent to a client and is expected to be acknowledged soon. If it is not, its messages are written one by one. */
export class AwaitedRun implements Awaited, StoredRun {
  readonly messages: number;
  readonly unfold: () => void;
  state: Delivery['state'] = 'waits';
  hopefulSinceMs = performance.now();
  receipt: Delivery['receipt'] = undefined;
  moreReceipts: Delivery['moreReceipts'] = undefined;
  readonly #client: StoredClient;

  /** @param unfold has {@link unfolded} called. */
  constructor(client: StoredClient, messages: number, unfold: () => void) {
    this.#client = client;
    this.messages = messages;
    this.unfold = unfold;
  }

  unfolded(messages: readonly Outgoing[]): void {
    const client = this.#client;
    const deliveries = messages.map((outgoing) => {
      const shared = newShared(outgoing.message);
      shared.sessions = 1;
      const delivery = new StoredDelivery(client, outgoing, shared);
      delivery.hopefulSinceMs = this.hopefulSinceMs;
      outgoing.stored = delivery;
      return delivery;
    });
    client.queue.replace(this, deliveries);
  }

  forget(): void {
    this.#client.wasPrompt();
    this.#client.queue.drop(this);
  }
}
