import type { Encoding, Message } from '../delivery/publication.ts';
import type { Outgoing } from './outgoing.ts';

/** Messages with QoS 1 that were sent as they lie, one behind the other, and are acknowledged in their order as a rule. */
export interface SentRun {
  /** Nobody writes these again. */
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
  /** The client id of messages that do not carry one. */
  readonly publisher: string;
  readonly count: number;
  /** The place of the first one in the session. */
  readonly sequence: number;
  /** Whether each message has a token, that of the one before and one more; otherwise all have one. */
  readonly haveTokens: boolean;
  /** How many from the first on are acknowledged. */
  acknowledged: number;
  /** What the store keeps of it; the store's own. */
  stored?: StoredRun | undefined;
}

/** A run as a store keeps it: not yet, as it is expected to be acknowledged soon. */
export interface StoredRun {
  /** Its messages go on alone, without those that are acknowledged. */
  unfolded(messages: readonly Outgoing[]): void;
  /** It is needed no longer. */
  forget(): void;
}

/** The runs that one session has sent and that are not all acknowledged: one entry for all messages of each. */
export class SentRuns {
  /** Messages that are not acknowledged. */
  messages = 0;
  /** Bytes of runs that are not acknowledged as a whole. */
  bytes = 0;
  readonly #runs = new Map<number, SentRun>();

  get isEmpty(): boolean {
    return this.#runs.size === 0;
  }

  /** Whether this is the token of one message that is not acknowledged. */
  has(token: number): boolean {
    for (const [first, { haveTokens, count, acknowledged }] of this.#runs) {
      if (haveTokens && token >= first + acknowledged && token < first + count) return true;
    }
    return false;
  }

  /** Whether a run that is not acknowledged as a whole has one of so many tokens in a row. */
  haveAny(token: number, many: number): boolean {
    for (const [first, { haveTokens, count }] of this.#runs) {
      const last = haveTokens ? first + count - 1 : first;
      if (token <= last && token + many > first) return true;
    }
    return false;
  }

  /** The oldest run. */
  get oldest(): [token: number, run: Readonly<SentRun>] | undefined {
    for (const entry of this.#runs) return entry;
    return undefined;
  }

  get(token: number): Readonly<SentRun> | undefined {
    return this.#runs.get(token);
  }

  add(token: number, run: SentRun): void {
    this.#runs.set(token, run);
    this.messages += run.count;
    this.bytes += run.bytes.length;
  }

  /** The next messages of a run are acknowledged. */
  acknowledge(token: number, count: number): void {
    const run = this.#runs.get(token)!;
    run.acknowledged += count;
    this.messages -= count;
    if (run.acknowledged < run.count) return;
    this.#runs.delete(token);
    this.bytes -= run.bytes.length;
    run.stored?.forget();
  }

  /** Takes out all of them, by token. */
  takeAll(): [token: number, run: SentRun][] {
    const all = [...this.#runs];
    this.clear();
    return all;
  }

  clear(): void {
    this.#runs.clear();
    this.messages = 0;
    this.bytes = 0;
  }
}

/** The messages of a run as values that keep nothing alive but themselves, those that are acknowledged too. */
export function messagesOf({ bytes, encoding, publisher }: Readonly<SentRun>): Message[] {
  return encoding.decode(bytes, publisher).map((message) => ({
    ...message,
    payload: new Uint8Array(message.payload),
    qos: 1,
  }));
}
