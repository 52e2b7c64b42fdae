import type { Logger } from '../broker/broker.ts';
import type { Outgoing } from '../broker/outgoing.ts';
import type { Message } from '../broker/publication.ts';
import type { SessionRecord, SessionStore } from '../broker/session-store.ts';
import type { EntryChange, EntryStore } from '../store/entry-store.ts';
import { encodeMessage, encodeOutgoing, encodeSession, encodeState } from './session-records.ts';

/** What becomes of a key: bytes that are made when they are written; undefined forgets it. */
type Pending = (() => Uint8Array) | undefined;

/** A message that several sessions wait for. */
interface Shared {
  readonly number: number;
  sessions: number;
}

/** What of a delivery is in the store. */
interface Kept {
  isWritten: boolean;
  hasState: boolean;
  shared: Shared | undefined;
}

const NOTHING = new Uint8Array(0);
/** A store that failed is written to again after this long, with what it lacks. */
const RETRY_AFTER_MS = 1_000;

/**
 * Writes sessions and retained messages to the store: what changes in one turn of the event loop in one transaction, and
 * nothing of what came and went within it. A message that several sessions wait for is written once.
 */
export class SessionKeeper implements SessionStore {
  writes = 0;
  readonly #store: EntryStore;
  readonly #log: Logger;
  #pending = new Map<string, Pending>();
  /** Who waits for what is pending. */
  #waiting: ((error?: Error) => void)[] = [];
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

  putOutgoing(clientId: string, outgoing: Outgoing): void {
    const kept = this.#kept.get(outgoing);
    if (kept?.isWritten) {
      kept.hasState = true;
      this.#put(stateKey(clientId, outgoing), () => encodeState(outgoing));
    } else if (kept === undefined) {
      this.#keep(clientId, outgoing);
    } else {
      this.writes++;
    }
  }

  deleteOutgoing(clientId: string, outgoing: Outgoing): void {
    const kept = this.#kept.get(outgoing);
    if (kept === undefined) return;
    this.#kept.delete(outgoing);
    this.#release(kept, outgoing.message);
    const key = outgoingKey(clientId, outgoing);
    if (!kept.isWritten) this.#pending.delete(key);
    else this.#put(key, undefined);
    if (kept.hasState) this.#put(stateKey(clientId, outgoing), undefined);
  }

  putReceived(clientId: string, packetId: number): void {
    this.#put(receivedKey(clientId, packetId), () => NOTHING);
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
    if (this.#pending.size === 0 && this.#running === 0) {
      done();
      return;
    }
    this.#waiting.push(done);
    this.#schedule();
  }

  /** Resolves when all that was written lasts, or could not be written. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.whenDurable(() => resolve()));
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
    const shared = { number: ++this.#lastNumber, sessions: known.sessions };
    Object.assign(known, shared);
    this.#put(messageKey(shared.number), () => encodeMessage(message));
    return known;
  }

  #share(message: Message, number: number): Shared {
    let shared = this.#shared.get(message);
    if (shared === undefined) {
      shared = { number, sessions: 0 };
      this.#shared.set(message, shared);
    }
    shared.sessions++;
    return shared;
  }

  #release({ shared }: Kept, message: Message): void {
    if (shared === undefined || --shared.sessions > 0) return;
    // A retained message may be waited for again, and is then written anew.
    this.#shared.delete(message);
    if (shared.number > 0) this.#put(messageKey(shared.number), undefined);
  }

  #put(key: string, value: Pending): void {
    this.writes++;
    this.#pending.set(key, value);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#retryTimer !== undefined) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#pending.size === 0 && this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const changes: EntryChange[] = [];
    for (const [key, value] of this.#pending) changes.push({ key, value: value?.() });
    this.#pending = new Map();
    this.#running++;
    // A transaction without changes is there for who waits for those before it.
    this.#store.putEntries(changes).then(
      () => this.#written(waiting),
      (error: Error) => this.#failed(changes, waiting, error),
    );
  }

  #written(waiting: readonly ((error?: Error) => void)[]): void {
    this.#running--;
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#log.info({}, 'sessions reach the store again');
    }
    for (const done of waiting) done();
  }

  #failed(
    changes: readonly EntryChange[],
    waiting: readonly ((error?: Error) => void)[],
    error: Error,
  ): void {
    this.#running--;
    if (!this.#isFailing) {
      this.#isFailing = true;
      this.#log.error({ code: 'store-unavailable', error: error.message }, 'sessions do not reach the store');
    }
    // What was changed since counts.
    for (const { key, value } of changes) {
      if (!this.#pending.has(key)) this.#pending.set(key, value === undefined ? undefined : () => value);
    }
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      this.#schedule();
    }, RETRY_AFTER_MS).unref();
    for (const done of [...waiting, ...this.#waiting.splice(0)]) done(error);
  }
}

/** Keys begin with what they are for, in the order in which they are read. */
export const KeyKind = {
  message: 'm',
  outgoing: 'o',
  state: 'p',
  received: 'q',
  retained: 'r',
  session: 's',
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

/** What a key of a client says. */
export function parseClientKey(key: string): { clientId: string; number: number } {
  const lengthEnd = key.indexOf('/', 2);
  const start = lengthEnd + 1;
  const end = start + Number(key.slice(2, lengthEnd));
  return { clientId: key.slice(start, end), number: Number(key.slice(end + 1)) };
}
