import { createHash } from 'node:crypto';
import { Fifo } from '../../lib/fifo.ts';
import type { Receipt } from '../delivery/receipt.ts';

/** The durable part of a numbering. */
export interface NumberingRecord {
  clientId: string;
  /** Whose it is; undefined: an anonymous client's. */
  user: string | undefined;
  /** What the client calls it: with another name it begins anew. */
  name: string;
  /** The last number that came. Sessions and retained messages have what they are to have of it. */
  seen: number;
  usedAtMs: number;
}

interface Open {
  upTo: number;
  receipt: Receipt;
}

/**
 * The numbers that one client gives to its messages, across connections. A message whose number was seen has reached sessions and
 * retained messages, which last together with that number; whether its log has it, the log knows.
 */
export class Numbering implements NumberingRecord {
  readonly clientId: string;
  readonly user: string | undefined;
  readonly name: string;
  /** By which logs know it; below 0. */
  readonly id: bigint;
  seen: number;
  usedAtMs: number;
  /** Up to which everything is safe, so far as this process knows. */
  #safe = 0;
  readonly #open = new Fifo<Open>();
  /** Whether one could not be kept, so that nothing behind it counts until it came again. */
  #hasFailed = false;
  #whenSettled: (() => void)[] = [];

  constructor({ clientId, user, name, seen, usedAtMs }: NumberingRecord) {
    this.clientId = clientId;
    this.user = user;
    this.name = name;
    this.seen = seen;
    this.usedAtMs = usedAtMs;
    this.id = idOf([user ?? '', clientId, name]);
  }

  /** A message was refused: it has its number, and does not come again. */
  passOver(number: number): void {
    this.seen = Math.max(this.seen, number);
    if (this.#open.length === 0 && !this.#hasFailed) this.#safe = number;
  }

  /** A client begins to send: it does not have any more what was acknowledged to it. Where it goes on behind. */
  begin(acknowledged: number): number {
    this.#safe = Math.max(this.#safe, acknowledged);
    this.seen = Math.max(this.seen, this.#safe);
    this.#hasFailed = false;
    return this.#safe;
  }

  /** Messages up to a number came, and whoever keeps a part of them holds the receipt. */
  published(upTo: number, receipt: Receipt): void {
    if (!receipt.isUsed) {
      if (this.#open.length === 0 && !this.#hasFailed) this.#safe = upTo;
      return;
    }
    this.#open.push({ upTo, receipt });
    receipt.whenSettled(this.#settle);
  }

  /** Calls when nothing is on its way any more; at once where that is so now. */
  whenSettled(call: () => void): void {
    if (this.#open.length === 0) call();
    else this.#whenSettled.push(call);
  }

  readonly #settle = (): void => {
    for (let first = this.#open.first; first?.receipt.isSettled; first = this.#open.first) {
      this.#open.shift();
      const { problem } = first.receipt;
      // What is too large is refused for good, and does not come again.
      if (problem !== undefined && problem.kind !== 'too-large') this.#hasFailed = true;
      if (!this.#hasFailed) this.#safe = first.upTo;
    }
    if (this.#open.length > 0) return;
    for (const call of this.#whenSettled.splice(0)) call();
  };
}

/** 63 bits that no other numbering has, as far as one can tell, and the sign that no other producer of a log has. */
function idOf(names: readonly string[]): bigint {
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name.length}:${name}`);
  return -1n - (hash.digest().readBigUInt64BE(0) >> 1n);
}
