import type { Logger } from '../broker/broker.ts';
import type { Source } from '../broker/delivery/channel.ts';
import type { Message } from '../broker/delivery/publication.ts';
import type { Outgoing } from '../broker/sessions/outgoing.ts';
import type { SessionRecord, SessionStore } from '../broker/sessions/session-store.ts';
import type { Will } from '../broker/sessions/will.ts';
import type { EntryStore } from '../store/entry-store.ts';
import { ClientKeys, KeyKind, messageKey, retainedKey, sessionKey, willKey } from './entry-keys.ts';
import {
  encodeMessage,
  encodeOutgoing,
  encodeReceived,
  encodeSession,
  encodeState,
  encodeWill,
} from './session-records.ts';
import { type Delivery, NOT_DEFERRED, WriteQueue } from './write-queue.ts';

/** A message that several sessions may wait for. */
interface Shared {
  message: Message;
  /** 0 while only one waits, and it has no place of its own. */
  number: number;
  sessions: number;
  isWritten: boolean;
}

/**
 * Keeps sessions and retained messages in the store. A message that is acknowledged before it is written is never
 * written, and one that is sent to a client that acknowledges at once as a rule waits a moment for that. A message
 * that several sessions wait for is written once.
 */
export class SessionKeeper implements SessionStore {
  writes = 0;
  readonly #queue: WriteQueue;
  readonly #clients = new Map<string, KeptClient>();
  /** Messages that sessions may begin to wait for at different times: those of the retained store, and those of the disk. */
  readonly #shared = new WeakMap<Message, Shared>();
  /** All others, which are given to all their sessions in one turn. */
  readonly #sharedThisTurn = new Map<Message, Shared>();
  #lastNumber = 0;

  constructor(store: EntryStore, logger: Logger) {
    this.#queue = new WriteQueue(store, logger);
  }

  get isBehind(): boolean {
    return this.#queue.isBehind;
  }

  get isBehindWithRetained(): boolean {
    return this.#queue.isBehindWith(KeyKind.retained);
  }

  get isBusy(): boolean {
    return this.#queue.isBusy;
  }

  holdBack(feeder: Source): void {
    this.#queue.holdBack(feeder);
  }

  putSession(record: SessionRecord): void {
    this.#put(sessionKey(record.clientId), () => encodeSession(record));
  }

  deleteSession(clientId: string): void {
    this.#clients.delete(clientId);
    this.#put(sessionKey(clientId), nothing);
  }

  putWill(clientId: string, will: Will): void {
    this.#put(willKey(clientId), () => encodeWill(will));
  }

  deleteWill(clientId: string): void {
    this.#put(willKey(clientId), nothing);
  }

  putOutgoing(clientId: string, outgoing: Outgoing): void {
    this.writes++;
    const delivery = outgoing.note as KeptDelivery | undefined;
    if (delivery === undefined) {
      const kept = new KeptDelivery(this.#client(clientId), outgoing, this.#shareOf(outgoing.message));
      outgoing.note = kept;
      this.#queue.add(kept);
    } else if (delivery.state === 'written') {
      delivery.hasState = true;
      this.#queue.put(delivery.stateKey, () => encodeState(outgoing));
    } else if (outgoing.qos === 1) {
      // It is on its way. Whether its packet id is remembered with it is not what anybody waits for.
      if (hasSender(outgoing.message)) delivery.wasSent();
    } else {
      this.#queue.change(delivery);
    }
  }

  deleteOutgoing(_clientId: string, outgoing: Outgoing): void {
    const delivery = outgoing.note as KeptDelivery | undefined;
    if (delivery === undefined) return;
    outgoing.note = undefined;
    this.writes++;
    delivery.wasAcknowledged(this.#queue.waitMs);
    if (delivery.state === 'waits') {
      this.#queue.drop(delivery);
    } else {
      this.#queue.put(delivery.key, nothing);
      if (delivery.hasState) this.#queue.put(delivery.stateKey, nothing);
    }
    this.#release(delivery.shared);
  }

  putReceived(clientId: string, packetId: number, isKept: boolean): void {
    this.#put(this.#client(clientId).keys.received(packetId), () => encodeReceived(isKept));
  }

  deleteReceived(clientId: string, packetId: number): void {
    // Its session may be forgotten by now, and is not to be remembered again.
    const keys = this.#clients.get(clientId)?.keys ?? new ClientKeys(clientId);
    this.#put(keys.received(packetId), nothing);
  }

  putRetained(message: Message): void {
    this.#put(retainedKey(message.topic), () => encodeMessage(message));
  }

  deleteRetained(topic: string): void {
    this.#put(retainedKey(topic), nothing);
  }

  whenDurable(done: (error?: Error) => void, since = this.writes): void {
    this.#queue.whenDurable(done, since, this.writes);
  }

  /** Resolves when everything written is durable, or could not be written. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  /** Takes over what the store has. */
  restored(clientId: string, outgoing: Outgoing, hasState: boolean, reference: number | undefined): void {
    const { message } = outgoing;
    let shared = this.#shared.get(message);
    if (shared === undefined) {
      shared = { message, number: reference ?? 0, sessions: 0, isWritten: reference !== undefined };
      if (reference !== undefined) this.#shared.set(message, shared);
    }
    shared.sessions++;
    outgoing.note = KeptDelivery.restored(this.#client(clientId), outgoing, shared, hasState);
    this.#lastNumber = Math.max(this.#lastNumber, reference ?? 0);
  }

  close(): void {
    this.#queue.close();
  }

  #put(key: string, bytes: () => Uint8Array | undefined): void {
    this.writes++;
    this.#queue.put(key, bytes);
  }

  #client(clientId: string): KeptClient {
    let client = this.#clients.get(clientId);
    if (client === undefined) {
      client = new KeptClient(clientId);
      this.#clients.set(clientId, client);
    }
    return client;
  }

  /**
   * A message gets a number, and a place of its own, with the second session that waits for it. They all get it in the
   * same turn, so that none has been written with its bytes by then; one that has stays as it is.
   */
  #shareOf(message: Message): Shared {
    const known = (message.retain ? this.#shared : this.#sharedThisTurn).get(message);
    if (known === undefined || known.sessions === 0) {
      const shared = { message, number: 0, sessions: 1, isWritten: false };
      if (message.retain) this.#shared.set(message, shared);
      else this.#shareInTurn(shared);
      return shared;
    }
    known.sessions++;
    if (known.number > 0) return known;
    known.number = ++this.#lastNumber;
    this.#put(messageKey(known.number), () => {
      known.isWritten = true;
      return encodeMessage(message);
    });
    return known;
  }

  #shareInTurn(shared: Shared): void {
    if (this.#sharedThisTurn.size === 0) setImmediate(this.#endTurn);
    this.#sharedThisTurn.set(shared.message, shared);
  }

  readonly #endTurn = (): void => this.#sharedThisTurn.clear();

  #release(shared: Shared): void {
    if (--shared.sessions > 0) return;
    // A retained message may be waited for again, and is then written anew.
    if (shared.message.retain || shared.isWritten) this.#shared.delete(shared.message);
    if (shared.isWritten) this.#put(messageKey(shared.number), nothing);
    else if (shared.number > 0) this.#queue.forget(messageKey(shared.number));
  }
}

/** The state that a client's messages share. */
class KeptClient {
  readonly keys: ClientKeys;
  /** How often of late it acknowledged before its message had to be written; 0: it is not waited for. */
  promptness = 0;

  constructor(clientId: string) {
    this.keys = new ClientKeys(clientId);
  }
}

/** How many messages that were acknowledged too late it takes until a client is not waited for any more. */
const MOST_PROMPTNESS = 32;

/** The stored state of a message for one session. */
class KeptDelivery implements Delivery {
  state: Delivery['state'] = 'waits';
  hopefulSinceMs = NOT_DEFERRED;
  promised: Delivery['promised'] = undefined;
  moreWaiters: Delivery['moreWaiters'] = undefined;
  /** Whether a later state of it is there too. */
  hasState = false;
  readonly shared: Shared;
  readonly #client: KeptClient;
  readonly #outgoing: Outgoing;
  #writtenAtMs = 0;

  constructor(client: KeptClient, outgoing: Outgoing, shared: Shared) {
    this.#client = client;
    this.#outgoing = outgoing;
    this.shared = shared;
  }

  static restored(client: KeptClient, outgoing: Outgoing, shared: Shared, hasState: boolean): KeptDelivery {
    const delivery = new KeptDelivery(client, outgoing, shared);
    delivery.state = 'written';
    delivery.hasState = hasState;
    return delivery;
  }

  get key(): string {
    return this.#client.keys.outgoing(this.#outgoing.sequence);
  }

  get stateKey(): string {
    return this.#client.keys.state(this.#outgoing.sequence);
  }

  bytes(): Uint8Array {
    this.#writtenAtMs = performance.now();
    if (this.hopefulSinceMs !== NOT_DEFERRED) this.#wasLate();
    const { number } = this.shared;
    return encodeOutgoing(this.#outgoing, number > 0 ? number : undefined);
  }

  wasSent(): void {
    if (this.#client.promptness > 0) this.hopefulSinceMs = performance.now();
  }

  /** @param inTimeMs what counts as at once. */
  wasAcknowledged(inTimeMs: number): void {
    if (this.state === 'written' && performance.now() - this.#writtenAtMs > inTimeMs) {
      this.#wasLate();
    } else if (this.#client.promptness < MOST_PROMPTNESS) {
      this.#client.promptness++;
    }
  }

  #wasLate(): void {
    if (this.#client.promptness > 0) this.#client.promptness--;
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
