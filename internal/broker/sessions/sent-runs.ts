import type { Encoding, Message } from '../delivery/publication.ts';

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
  /** How many from the first on are acknowledged. */
  acknowledged: number;
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

  has(token: number): boolean {
    return this.#runs.has(token);
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
