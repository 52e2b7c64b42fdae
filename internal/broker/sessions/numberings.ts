import type { Identity } from '../../access/identity.ts';
import type { Clock } from '../../lib/clock.ts';
import { maxNumberings, numberingExpiryMs } from '../../limits/broker.ts';
import type { Receipt } from '../delivery/receipt.ts';
import { Numbering, type NumberingRecord } from './numbering.ts';

/** Where numberings last. */
export interface NumberingStore {
  /** @param receipt held until it is durable. */
  putNumbering(record: NumberingRecord, receipt?: Receipt): void;
  deleteNumbering(record: Pick<NumberingRecord, 'clientId' | 'user'>): void;
}

/** The numberings of all clients that have one: one for each client id and user, as many as there may be, for a time. */
export class Numberings {
  readonly #store: NumberingStore;
  readonly #clock: Clock;
  /** Those that were used last come last. */
  readonly #numberings = new Map<string, Numbering>();

  constructor(store: NumberingStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get count(): number {
    return this.#numberings.size;
  }

  /**
   * The numbering of a client that connects; another name than before begins anew. A new one is kept from its first message on: many
   * clients name themselves and never send any, and have to push out nobody who does.
   */
  open({ clientId, user }: Identity, name: string): Numbering {
    const usedAtMs = this.#clock.now();
    const before = this.#numberings.get(keyOf(clientId, user));
    if (before?.name !== name || isOver(before, usedAtMs)) {
      return new Numbering({ clientId, user, name, seen: 0, usedAtMs });
    }
    this.#keep(before);
    return before;
  }

  /**
   * Messages came: their number lasts in the transaction of what sessions keep of them. It is written for those that came before
   * too: the store may have failed on them, and their answer waits until it has all that was before it.
   */
  published(numbering: Numbering, upTo: number, receipt: Receipt): void {
    this.#keep(numbering);
    numbering.seen = Math.max(numbering.seen, upTo);
    this.#store.putNumbering(numbering, receipt);
    numbering.published(upTo, receipt);
  }

  /** A message was refused, and has its number all the same. */
  passOver(numbering: Numbering, number: number): void {
    this.#keep(numbering);
    numbering.passOver(number);
  }

  /** Takes over what the store has. */
  restore(record: NumberingRecord): void {
    this.#numberings.set(keyOf(record.clientId, record.user), new Numbering(record));
  }

  /** All that the store has was taken over. */
  restored(): void {
    const all = [...this.#numberings].sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    this.#numberings.clear();
    for (const [key, numbering] of all) this.#numberings.set(key, numbering);
    this.#forgetOld();
  }

  /** It is the one that was used last. */
  #keep(numbering: Numbering): void {
    const key = keyOf(numbering.clientId, numbering.user);
    numbering.usedAtMs = this.#clock.now();
    this.#numberings.delete(key);
    this.#forgetOld();
    this.#numberings.set(key, numbering);
  }

  /** Makes room for one. */
  #forgetOld(): void {
    const nowMs = this.#clock.now();
    for (const [key, numbering] of this.#numberings) {
      if (!isOver(numbering, nowMs) && this.#numberings.size < maxNumberings) return;
      this.#numberings.delete(key);
      this.#store.deleteNumbering(numbering);
    }
  }
}

function isOver({ usedAtMs }: Numbering, nowMs: number): boolean {
  return usedAtMs + numberingExpiryMs <= nowMs;
}

function keyOf(clientId: string, user: string | undefined): string {
  return `${clientId.length}/${clientId}/${user === undefined ? '' : `=${user}`}`;
}
