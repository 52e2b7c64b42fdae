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

  /** The numbering of a client that connects; another name than before begins anew. */
  open({ clientId, user }: Identity, name: string): Numbering {
    this.#forgetOld();
    const key = keyOf(clientId, user);
    const before = this.#numberings.get(key);
    const usedAtMs = this.#clock.now();
    const numbering =
      before?.name === name ? before : new Numbering({ clientId, user, name, seen: 0, usedAtMs });
    numbering.usedAtMs = usedAtMs;
    this.#numberings.delete(key);
    this.#numberings.set(key, numbering);
    return numbering;
  }

  /**
   * Messages came: their number lasts in the transaction of what sessions keep of them. It is written for those that came before
   * too: the store may have failed on them, and their answer waits until it has all that was before it.
   */
  published(numbering: Numbering, upTo: number, receipt: Receipt): void {
    numbering.usedAtMs = this.#clock.now();
    numbering.seen = Math.max(numbering.seen, upTo);
    this.#store.putNumbering(numbering, receipt);
    numbering.published(upTo, receipt);
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

  #forgetOld(): void {
    const untilMs = this.#clock.now() - numberingExpiryMs;
    for (const [key, numbering] of this.#numberings) {
      if (numbering.usedAtMs > untilMs && this.#numberings.size < maxNumberings) return;
      this.#numberings.delete(key);
      this.#store.deleteNumbering(numbering);
    }
  }
}

function keyOf(clientId: string, user: string | undefined): string {
  return `${clientId.length}/${clientId}/${user === undefined ? '' : `=${user}`}`;
}
