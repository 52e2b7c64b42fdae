import type { Message } from '../broker/delivery/publication.ts';
import type { Receipt } from '../broker/delivery/receipt.ts';
import type { Outgoing, StoredOutgoing } from '../broker/sessions/outgoing.ts';
import { ClientKeys } from './entry-keys.ts';
import { encodeOutgoing, encodeState } from './session-records.ts';
import { type Delivery, NOT_DEFERRED, type WriteQueue } from './write-queue.ts';

/** A message that several sessions may wait for. */
export interface Shared {
  message: Message;
  /** 0 while only one waits, and it has no place of its own. */
  number: number;
  sessions: number;
  isWritten: boolean;
  /** Of the last work that waits for its place, so that each is asked for once. */
  receipt: Receipt | undefined;
}

/** @param reference its number, where it is written under that. */
export function newShared(message: Message, reference?: number): Shared {
  const isWritten = reference !== undefined;
  return { message, number: reference ?? 0, sessions: 0, isWritten, receipt: undefined };
}

/** How many messages that were acknowledged too late it takes until a client is not waited for any more. */
const MOST_PROMPTNESS = 32;

/** The state that a client's messages share. */
export class StoredClient {
  readonly keys: ClientKeys;
  readonly queue: WriteQueue;
  /** One session less waits for a message. */
  readonly release: (shared: Shared) => void;
  /** How often of late it acknowledged before its message had to be written; 0: it is not waited for. */
  promptness = 0;

  constructor(clientId: string, queue: WriteQueue, release: (shared: Shared) => void) {
    this.keys = new ClientKeys(clientId);
    this.queue = queue;
    this.release = release;
  }

  /** It has acknowledged before that had to be written. */
  wasPrompt(): void {
    if (this.promptness < MOST_PROMPTNESS) this.promptness++;
  }

  wasLate(): void {
    if (this.promptness > 0) this.promptness--;
  }
}

/** The stored state of a message for one session. */
export class StoredDelivery implements Delivery, StoredOutgoing {
  readonly messages = 1;
  state: Delivery['state'] = 'waits';
  hopefulSinceMs = NOT_DEFERRED;
  receipt: Delivery['receipt'] = undefined;
  moreReceipts: Delivery['moreReceipts'] = undefined;
  readonly #client: StoredClient;
  readonly #outgoing: Outgoing;
  readonly #shared: Shared;
  /** Whether a later state of it is there too. */
  #hasState = false;
  #writtenAtMs = 0;

  constructor(client: StoredClient, outgoing: Outgoing, shared: Shared) {
    this.#client = client;
    this.#outgoing = outgoing;
    this.#shared = shared;
  }

  get key(): string {
    return this.#client.keys.outgoing(this.#outgoing.sequence);
  }

  get #stateKey(): string {
    return this.#client.keys.state(this.#outgoing.sequence);
  }

  /** The store has it already. */
  wasRestored(hasState: boolean): void {
    this.state = 'written';
    this.#hasState = hasState;
  }

  bytes(): Uint8Array {
    this.#writtenAtMs = performance.now();
    if (this.hopefulSinceMs !== NOT_DEFERRED) this.#client.wasLate();
    const { number } = this.#shared;
    return encodeOutgoing(this.#outgoing, number > 0 ? number : undefined);
  }

  changed(receipt?: Receipt): void {
    const outgoing = this.#outgoing;
    const { queue, promptness } = this.#client;
    if (this.state === 'written') {
      this.#hasState = true;
      queue.put(this.#stateKey, () => encodeState(outgoing), receipt);
    } else if (outgoing.qos === 1) {
      // It is on its way. Whether its packet id is remembered with it is not what anybody waits for.
      if (promptness > 0 && hasSender(outgoing.message)) this.hopefulSinceMs = performance.now();
    } else {
      queue.change(this, receipt);
    }
  }

  forget(): void {
    const { queue, release } = this.#client;
    this.#wasAcknowledged(queue.waitMs);
    if (this.state === 'waits') {
      queue.drop(this);
    } else {
      queue.put(this.key, nothing);
      if (this.#hasState) queue.put(this.#stateKey, nothing);
    }
    release(this.#shared);
  }

  /** @param inTimeMs what counts as at once. */
  #wasAcknowledged(inTimeMs: number): void {
    if (this.state === 'written' && performance.now() - this.#writtenAtMs > inTimeMs) {
      this.#client.wasLate();
    } else {
      this.#client.wasPrompt();
    }
  }
}

/**
 * Whether a message would be published again if the broker forgot it now. It would not with QoS 2, as the packet id is
 * remembered: that and the message have to last together.
 */
function hasSender({ qos, isLastCopy }: Message): boolean {
  return qos !== 2 && isLastCopy !== true;
}

function nothing(): undefined {}
