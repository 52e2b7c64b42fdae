import type { Logger } from '../broker/broker.ts';
import { Fifo } from '../broker/fifo.ts';
import type { Outgoing } from '../broker/outgoing.ts';
import type { Message } from '../broker/publication.ts';
import type { SessionRecord, SessionStore } from '../broker/session-store.ts';
import type { Will } from '../broker/will.ts';
import type { EntryChange, EntryStore } from '../store/entry-store.ts';
import { encodeMessage, encodeOutgoing, encodeSession, encodeState, encodeWill } from './session-records.ts';

/** What becomes of a key: bytes that are made when they are written; undefined forgets it. */
type Value = (() => Uint8Array) | undefined;

/** A change that is not written, and who waits for it. */
interface Pending {
  value: Value;
  promises: Promised[];
  /** Whether it was written and failed; any newer change is put in its place. */
  isRetry: boolean;
}

/** Somebody who waits until some changes last, or are needed no longer. */
interface Promised {
  open: number;
  done: ((error?: Error) => void) | undefined;
  /** Who asked too before anything else was written. */
  others: ((error?: Error) => void)[] | undefined;
  error: Error | undefined;
}

/** A message that several sessions wait for. */
interface Shared {
  /** 0 while only one waits, and it has no place of its own. */
  number: number;
  sessions: number;
  isWritten: boolean;
}

/** What of a delivery is in the store. */
interface Kept {
  isWritten: boolean;
  hasState: boolean;
  shared: Shared | undefined;
}

const NOTHING = new Uint8Array(0);
/** What is kept of a message that has arrived while its log does not have it. */
const NOT_KEPT = Uint8Array.of(1);
/** Transactions at once: one that runs, and one so that the store never waits. */
const MOST_RUNNING = 2;
/** A store that failed is written to again after this long, with what it lacks. */
const RETRY_AFTER_MS = 1_000;

/**
 * Writes sessions and retained messages to the store, one transaction after the other: what changes while one is written
 * is the next one, without what came and went in the meantime. So a message for a client that acknowledges at once
 * seldom reaches the disk. A message that several sessions wait for is written once.
 */
export class SessionKeeper implements SessionStore {
  writes = 0;
  readonly #store: EntryStore;
  readonly #log: Logger;
  #pending = new Map<string, Pending>();
  /** Who waits, in order. */
  readonly #promised = new Fifo<Promised>();
  /** Who will wait for the changes that are made now. */
  #next = newPromised();
  /** Who asked last, and what had been written by then. */
  #asked: Promised | undefined;
  #writesAsked = 0;
  /** Transactions that are not done. */
  #running = 0;
  #isScheduled = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #isFailing = false;
  readonly #kept = new WeakMap<Outgoing, Kept>();
  readonly #shared = new WeakMap<Message, Shared>();
  #lastNumber = 0;

  constructor(store: EntryStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  putSession(record: SessionRecord): void {
    this.#put(sessionKey(record.clientId), () => encodeSession(record));
  }

  deleteSession(clientId: string): void {
    this.#put(sessionKey(clientId), undefined);
  }

  putWill(clientId: string, will: Will): void {
    this.#put(willKey(clientId), () => encodeWill(will));
  }

  deleteWill(clientId: string): void {
    this.#put(willKey(clientId), undefined);
  }

  putOutgoing(clientId: string, outgoing: Outgoing): void {
    const kept = this.#kept.get(outgoing);
    if (kept?.isWritten) {
      kept.hasState = true;
      this.#put(stateKey(clientId, outgoing), () => encodeState(outgoing));
    } else if (kept === undefined) {
      this.#keep(clientId, outgoing);
    } else {
      const key = outgoingKey(clientId, outgoing);
      this.#put(key, this.#pending.get(key)!.value);
    }
  }

  deleteOutgoing(clientId: string, outgoing: Outgoing): void {
    const kept = this.#kept.get(outgoing);
    if (kept === undefined) return;
    this.#kept.delete(outgoing);
    this.#release(kept, outgoing.message);
    const key = outgoingKey(clientId, outgoing);
    if (kept.isWritten) this.#put(key, undefined);
    else this.#forget(key);
    if (kept.hasState) this.#put(stateKey(clientId, outgoing), undefined);
  }

  putReceived(clientId: string, packetId: number, isKept: boolean): void {
    this.#put(receivedKey(clientId, packetId), () => (isKept ? NOTHING : NOT_KEPT));
  }

  deleteReceived(clientId: string, packetId: number): void {
    this.#put(receivedKey(clientId, packetId), undefined);
  }

  putRetained(message: Message): void {
    this.#put(retainedKey(message.topic), () => encodeMessage(message));
  }

  deleteRetained(topic: string): void {
    this.#put(retainedKey(topic), undefined);
  }

  whenDurable(done: (error?: Error) => void): void {
    const promised = this.#next;
    if (promised.open === 0 && this.#promised.length === 0) {
      done();
      return;
    }
    if (promised.open === 0 && this.#writesAsked === this.writes && this.#asked !== undefined) {
      // It is the same question as the last one, and has the same answer.
      this.#asked.others ??= [];
      this.#asked.others.push(done);
      return;
    }
    promised.done = done;
    this.#promised.push(promised);
    this.#asked = promised;
    this.#writesAsked = this.writes;
    this.#next = newPromised();
  }

  /** Resolves when all that was written lasts, or could not be written. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      for (const pending of this.#pending.values()) this.#join(pending);
      this.whenDurable(() => resolve());
    });
  }

  /** Takes over what the store has. */
  restored(outgoing: Outgoing, hasState: boolean, reference: number | undefined): void {
    const shared = reference === undefined ? undefined : this.#share(outgoing.message, reference);
    this.#kept.set(outgoing, { isWritten: true, hasState, shared });
    this.#lastNumber = Math.max(this.#lastNumber, reference ?? 0);
  }

  close(): void {
    clearTimeout(this.#retryTimer);
  }

  #keep(clientId: string, outgoing: Outgoing): void {
    const { message } = outgoing;
    const kept: Kept = { isWritten: false, hasState: false, shared: this.#shareOf(message) };
    this.#kept.set(outgoing, kept);
    this.#put(outgoingKey(clientId, outgoing), () => {
      kept.isWritten = true;
      const { shared } = kept;
      return encodeOutgoing(outgoing, shared !== undefined && shared.number > 0 ? shared.number : undefined);
    });
  }

  /**
   * A message gets a number, and a place of its own, with the second session that waits for it. They all get it in the
   * same turn, so that none has been written with its bytes by then; one that has stays as it is.
   */
  #shareOf(message: Message): Shared {
    const known = this.#shared.get(message);
    if (known === undefined) return this.#share(message, 0);
    known.sessions++;
    if (known.number > 0) return known;
    known.number = ++this.#lastNumber;
    this.#put(messageKey(known.number), () => {
      known.isWritten = true;
      return encodeMessage(message);
    });
    return known;
  }

  #share(message: Message, number: number): Shared {
    let shared = this.#shared.get(message);
    if (shared === undefined) {
      shared = { number, sessions: 0, isWritten: number > 0 };
      this.#shared.set(message, shared);
    }
    shared.sessions++;
    return shared;
  }

  #release({ shared }: Kept, message: Message): void {
    if (shared === undefined || --shared.sessions > 0) return;
    // A retained message may be waited for again, and is then written anew.
    this.#shared.delete(message);
    if (shared.isWritten) this.#put(messageKey(shared.number), undefined);
    else if (shared.number > 0) this.#forget(messageKey(shared.number));
  }

  #put(key: string, value: Value): void {
    this.writes++;
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = { value, promises: [], isRetry: false };
      this.#pending.set(key, pending);
    }
    pending.value = value;
    pending.isRetry = false;
    this.#join(pending);
    this.#schedule();
  }

  /** Whoever waits next waits for this change. */
  #join({ promises }: Pending): void {
    if (promises.at(-1) === this.#next) return;
    promises.push(this.#next);
    this.#next.open++;
  }

  /** A change that is needed no longer: what it would have kept safe has arrived. */
  #forget(key: string): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#pending.delete(key);
    this.#fulfil(pending.promises, undefined);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running === MOST_RUNNING || this.#retryTimer !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#pending.size === 0) return;
    const written = this.#pending;
    this.#pending = new Map();
    const changes: EntryChange[] = [];
    for (const [key, { value }] of written) changes.push({ key, value: value?.() });
    this.#running++;
    this.#store.putEntries(changes).then(
      () => this.#written(written),
      (error: Error) => this.#failed(changes, written, error),
    );
  }

  #written(written: ReadonlyMap<string, Pending>): void {
    this.#running--;
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#log.info({}, 'sessions reach the store again');
    }
    for (const { promises } of written.values()) this.#count(promises, undefined);
    this.#settle();
    if (this.#pending.size > 0) this.#schedule();
  }

  #failed(changes: readonly EntryChange[], written: ReadonlyMap<string, Pending>, error: Error): void {
    this.#running--;
    if (!this.#isFailing) {
      this.#isFailing = true;
      const fields = { code: 'store-unavailable', error: error.message };
      this.#log.error(fields, 'sessions do not reach the store');
    }
    for (const { key, value } of changes) {
      const newer = this.#pending.get(key);
      if (newer !== undefined && !newer.isRetry) continue;
      this.#pending.set(key, { value: value && (() => value), promises: [], isRetry: true });
    }
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      if (this.#pending.size > 0) this.#schedule();
    }, RETRY_AFTER_MS).unref();
    // Who waits is told now, and so is who waits for what comes before the store is tried again.
    for (const { promises } of written.values()) this.#count(promises, error);
    for (const pending of this.#pending.values()) this.#count(pending.promises.splice(0), error);
    this.#settle();
  }

  #fulfil(promises: readonly Promised[], error: Error | undefined): void {
    this.#count(promises, error);
    this.#settle();
  }

  #count(promises: readonly Promised[], error: Error | undefined): void {
    for (const promised of promises) {
      promised.open--;
      // Nobody waits for a change that failed before somebody asked.
      if (promised.done !== undefined) promised.error ??= error;
    }
  }

  /** Tells those whose changes are all settled, in the order in which they asked. */
  #settle(): void {
    while (this.#promised.first?.open === 0) {
      const promised = this.#promised.shift()!;
      if (promised === this.#asked) this.#asked = undefined;
      const { done, others, error } = promised;
      done!(error);
      if (others !== undefined) for (const other of others) other(error);
    }
  }
}

function newPromised(): Promised {
  return { open: 0, done: undefined, others: undefined, error: undefined };
}

/** Keys begin with what they are for, in the order in which they are read. */
export const KeyKind = {
  message: 'm',
  outgoing: 'o',
  state: 'p',
  received: 'q',
  retained: 'r',
  session: 's',
  will: 'w',
} as const;

/** Digits of a number in a key, so that keys are in the order of their numbers. */
const NUMBER_DIGITS = 16;

/** The client id has its length before it, because it may hold any character that a key has. */
function clientKey(kind: string, clientId: string, rest: number): string {
  return `${kind}/${clientId.length}/${clientId}/${String(rest).padStart(NUMBER_DIGITS, '0')}`;
}

function messageKey(number: number): string {
  return `${KeyKind.message}/${String(number).padStart(NUMBER_DIGITS, '0')}`;
}

function outgoingKey(clientId: string, { sequence }: Outgoing): string {
  return clientKey(KeyKind.outgoing, clientId, sequence);
}

function stateKey(clientId: string, { sequence }: Outgoing): string {
  return clientKey(KeyKind.state, clientId, sequence);
}

function receivedKey(clientId: string, packetId: number): string {
  return clientKey(KeyKind.received, clientId, packetId);
}

function retainedKey(topic: string): string {
  return `${KeyKind.retained}/${topic}`;
}

function sessionKey(clientId: string): string {
  return `${KeyKind.session}/${clientId}`;
}

function willKey(clientId: string): string {
  return `${KeyKind.will}/${clientId}`;
}

/** What a key of a client says. */
export function parseClientKey(key: string): { clientId: string; number: number } {
  const lengthEnd = key.indexOf('/', 2);
  const start = lengthEnd + 1;
  const end = start + Number(key.slice(2, lengthEnd));
  return { clientId: key.slice(start, end), number: Number(key.slice(end + 1)) };
}
