import type { Logger } from '../broker/broker.ts';
import type { DelayedMessage } from '../broker/delayed-messages.ts';
import type { Source } from '../broker/delivery/channel.ts';
import type { Message, Publication } from '../broker/delivery/publication.ts';
import type { Receipt } from '../broker/delivery/receipt.ts';
import type { NumberingRecord } from '../broker/sessions/numbering.ts';
import type { Outgoing } from '../broker/sessions/outgoing.ts';
import type { SentRun } from '../broker/sessions/sent-runs.ts';
import type { SessionRecord, SessionStore } from '../broker/sessions/session-store.ts';
import type { EntryStore } from '../store/entry-store.ts';
import { AwaitedRun } from './awaited-run.ts';
import {
  ClientKeys,
  delayedKey,
  KeyKind,
  messageKey,
  numberingKey,
  retainedKey,
  sessionKey,
} from './entry-keys.ts';
import {
  encodeDelayed,
  encodeMessage,
  encodeNumbering,
  encodeReceived,
  encodeRetained,
  encodeSession,
} from './session-records.ts';
import { newShared, type Shared, StoredClient, StoredDelivery } from './stored-delivery.ts';
import { WriteQueue } from './write-queue.ts';

/**
 * Keeps sessions and retained messages in the store. A message that is acknowledged before it is written is never
 * written, and one that is sent to a client that acknowledges at once as a rule waits a moment for that. A message
 * that several sessions wait for is written once.
 */
export class SessionKeeper implements SessionStore {
  readonly #queue: WriteQueue;
  readonly #clients = new Map<string, StoredClient>();
  /** Messages that sessions may begin to wait for at different times: those of the retained store, and those of the disk. */
  readonly #shared = new WeakMap<Message, Shared>();
  /** All others, which are given to all their sessions in one turn. */
  readonly #sharedThisTurn = new SharedThisTurn();
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

  putSession(record: SessionRecord, receipt?: Receipt): void {
    this.#queue.put(sessionKey(record.clientId), () => encodeSession(record), receipt);
  }

  deleteSession(clientId: string): void {
    this.#clients.delete(clientId);
    this.#queue.put(sessionKey(clientId), nothing);
  }

  putDelayed(key: string, delayed: DelayedMessage, receipt?: Receipt): void {
    this.#queue.put(delayedKey(key), () => encodeDelayed(delayed), receipt);
  }

  deleteDelayed(key: string): void {
    this.#queue.put(delayedKey(key), nothing);
  }

  /** Moves what a version before kept under another key. */
  moveDelayed(from: string, key: string, delayed: DelayedMessage): void {
    this.#queue.put(from, nothing);
    this.putDelayed(key, delayed);
  }

  putOutgoing(clientId: string, outgoing: Outgoing, receipt?: Receipt): void {
    if (outgoing.stored !== undefined) {
      outgoing.stored.changed(receipt);
      return;
    }
    const delivery = this.#newDelivery(clientId, outgoing, this.#shareOf(outgoing.message, receipt));
    this.#queue.add(delivery, receipt);
  }

  deleteOutgoing(outgoing: Outgoing): void {
    outgoing.stored?.forget();
    outgoing.stored = undefined;
  }

  putRun(clientId: string, run: SentRun, { receipt, hasSender }: Publication, unfold: () => void): boolean {
    const client = this.#client(clientId);
    if (!hasSender || client.promptness === 0) return false;
    const awaited = new AwaitedRun(client, run.count, unfold);
    run.stored = awaited;
    this.#queue.add(awaited, receipt);
    return true;
  }

  putReceived(clientId: string, token: number, isKept: boolean, receipt?: Receipt): void {
    const key = this.#client(clientId).keys.received(token);
    this.#queue.put(key, () => encodeReceived(isKept), receipt);
  }

  deleteReceived(clientId: string, token: number, receipt?: Receipt): void {
    // Its session may be forgotten by now, and is not to be remembered again.
    const keys = this.#clients.get(clientId)?.keys ?? new ClientKeys(clientId);
    this.#queue.put(keys.received(token), nothing, receipt);
  }

  putNumbering(record: NumberingRecord, receipt?: Receipt): void {
    this.#queue.put(numberingKey(record.clientId, record.user), () => encodeNumbering(record), receipt);
  }

  deleteNumbering({ clientId, user }: Pick<NumberingRecord, 'clientId' | 'user'>): void {
    this.#queue.put(numberingKey(clientId, user), nothing);
  }

  putRetained(message: Message, receipt?: Receipt): void {
    this.#queue.put(retainedKey(message.topic), () => encodeRetained(message), receipt);
  }

  deleteRetained(topic: string, receipt?: Receipt): void {
    this.#queue.put(retainedKey(topic), nothing, receipt);
  }

  expireRetained(topic: string): void {
    this.deleteRetained(topic);
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
      shared = newShared(message, reference);
      if (reference !== undefined) this.#shared.set(message, shared);
    }
    shared.sessions++;
    this.#newDelivery(clientId, outgoing, shared).wasRestored(hasState);
    this.#lastNumber = Math.max(this.#lastNumber, reference ?? 0);
  }

  close(): void {
    this.#queue.close();
  }

  #newDelivery(clientId: string, outgoing: Outgoing, shared: Shared): StoredDelivery {
    const delivery = new StoredDelivery(this.#client(clientId), outgoing, shared);
    outgoing.stored = delivery;
    return delivery;
  }

  #client(clientId: string): StoredClient {
    let client = this.#clients.get(clientId);
    if (client === undefined) {
      client = new StoredClient(clientId, this.#queue, this.#release);
      this.#clients.set(clientId, client);
    }
    return client;
  }

  /**
   * A message gets a number, and a place of its own, with the second session that waits for it. They all get it in the
   * same turn, so that none has been written with its bytes by then; one that has stays as it is.
   */
  #shareOf(message: Message, receipt: Receipt | undefined): Shared {
    const known = message.retain ? this.#shared.get(message) : this.#sharedThisTurn.find(message, receipt);
    if (known === undefined || known.sessions === 0) {
      const shared = newShared(message);
      shared.sessions = 1;
      if (message.retain) this.#shared.set(message, shared);
      else this.#sharedThisTurn.add(shared);
      return shared;
    }
    known.sessions++;
    if (known.number === 0) known.number = ++this.#lastNumber;
    else if (known.isWritten || receipt === known.receipt) return known;
    known.receipt = receipt;
    const bytes = () => {
      known.isWritten = true;
      return encodeMessage(message);
    };
    this.#queue.put(messageKey(known.number), bytes, receipt);
    return known;
  }

  readonly #release = (shared: Shared): void => {
    if (--shared.sessions > 0) return;
    // A retained message may be waited for again, and is then written anew.
    if (shared.message.retain || shared.isWritten) this.#shared.delete(shared.message);
    if (shared.isWritten) this.#queue.put(messageKey(shared.number), nothing);
    else if (shared.number > 0) this.#queue.forget(messageKey(shared.number));
  };
}

/** The messages of a turn, to be found by the next session that waits for them. Most have one session, and are never looked for. */
class SharedThisTurn {
  /** Those since somebody last looked for one. */
  readonly #newest: Shared[] = [];
  readonly #byMessage = new Map<Message, Shared>();

  add(shared: Shared): void {
    if (this.#newest.length === 0 && this.#byMessage.size === 0) setImmediate(this.#end);
    this.#newest.push(shared);
  }

  /** @param receipt of the message; one that nobody ever held says that no session waits for it. */
  find(message: Message, receipt: Receipt | undefined): Shared | undefined {
    if (receipt?.isUsed === false) return undefined;
    for (const shared of this.#newest) this.#byMessage.set(shared.message, shared);
    this.#newest.length = 0;
    return this.#byMessage.get(message);
  }

  readonly #end = (): void => {
    this.#newest.length = 0;
    this.#byMessage.clear();
  };
}

function nothing(): undefined {}
