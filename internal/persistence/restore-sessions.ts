import type { Broker, Logger } from '../broker/broker.ts';
import type { DelayedMessage } from '../broker/delayed-messages.ts';
import type { Message } from '../broker/delivery/publication.ts';
import { Receipt } from '../broker/delivery/receipt.ts';
import { absentOwner } from '../broker/sessions/absent-owner.ts';
import type { Outgoing } from '../broker/sessions/outgoing.ts';
import type { Arrived } from '../broker/sessions/session.ts';
import type { SessionRecord } from '../broker/sessions/session-store.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import { join } from '../broker/sessions/subscription.ts';
import { willKeyOf } from '../broker/sessions/will.ts';
import { type Entry, type EntryStore, pagesOfEntries } from '../store/entry-store.ts';
import { KeyKind, parseClientKey, parseNumberingKey } from './entry-keys.ts';
import type { SessionKeeper } from './session-keeper.ts';
import {
  applyState,
  decodeDelayed,
  decodeMessage,
  decodeNumbering,
  decodeOutgoing,
  decodeReceived,
  decodeRetained,
  decodeSession,
  decodeWill,
} from './session-records.ts';
import type { SharedWills } from './shared-wills.ts';

/** The part of one session that was read so far. */
interface Found {
  outgoing: Map<number, { outgoing: Outgoing; reference: number | undefined; hasState: boolean }>;
  received: Map<number, Arrived>;
}

export interface RestoreParts {
  store: EntryStore;
  keeper: SessionKeeper;
  sessions: Sessions;
  broker: Broker;
  logger: Logger;
  /** There where retained messages and wills are those of a cluster, and not of this store. */
  sharedWills?: Pick<SharedWills, 'putDelayed'> | undefined;
}

/** Puts sessions and retained messages back as the store has them. An entry that cannot be read is told and passed over. */
export async function restoreSessions(parts: RestoreParts): Promise<void> {
  const { store, logger } = parts;
  const restoring = new Restoring(parts);
  for await (const entries of pagesOfEntries(store)) {
    for (const entry of entries) {
      try {
        restoring.take(entry);
      } catch (error) {
        logger.error(
          { key: entry.key.slice(0, 80), error: (error as Error).message },
          'a stored entry is damaged',
        );
      }
    }
  }
  parts.sessions.restored();
}

/** Entries come by the kinds of their keys: messages before those who wait for them, then sessions, then what is delayed. */
class Restoring {
  readonly #parts: RestoreParts;
  readonly #messages = new Map<number, Message>();
  readonly #found = new Map<string, Found>();

  constructor(parts: RestoreParts) {
    this.#parts = parts;
  }

  /** @throws Error where it cannot be read, or is not what was written. */
  take({ key, value, isDamaged }: Entry): void {
    if (isDamaged) throw new Error('its checksum is another one');
    switch (key[0]) {
      case KeyKind.message:
        this.#messages.set(Number(key.slice(2)), decodeMessage(value));
        break;
      case KeyKind.numbering:
        this.#parts.sessions.numberings.restore(decodeNumbering(parseNumberingKey(key), value));
        break;
      case KeyKind.outgoing:
        this.#takeOutgoing(key, value);
        break;
      case KeyKind.state: {
        const { clientId, number } = parseClientKey(key);
        const entry = this.#of(clientId).outgoing.get(number);
        if (entry === undefined) break;
        applyState(value, entry.outgoing);
        entry.hasState = true;
        break;
      }
      case KeyKind.received: {
        const { clientId, number } = parseClientKey(key);
        this.#of(clientId).received.set(number, decodeReceived(value) ? 'kept' : 'lost');
        break;
      }
      case KeyKind.retained:
        if (this.#parts.sharedWills === undefined) this.#parts.broker.retained.restore(decodeRetained(value));
        break;
      case KeyKind.session: {
        const clientId = key.slice(2);
        this.#takeSession(decodeSession(clientId, value), this.#of(clientId));
        this.#found.delete(clientId);
        break;
      }
      case KeyKind.delayed:
        this.#takeDelayed(key.slice(2), decodeDelayed(value));
        break;
      case KeyKind.will: {
        const { keeper } = this.#parts;
        const to = willKeyOf(key.slice(2));
        const will = decodeWill(value);
        keeper.moveDelayed(key, to, will);
        this.#takeDelayed(to, will);
      }
    }
  }

  /** What a broker on its own kept moves to where the nodes share it. */
  #takeDelayed(key: string, delayed: DelayedMessage): void {
    const { sessions, keeper, sharedWills } = this.#parts;
    const restored = sessions.restoreDelayed(key, delayed);
    if (sharedWills === undefined) return;
    const receipt = new Receipt();
    sharedWills.putDelayed(key, restored, receipt);
    receipt.whenSettled((problem) => {
      if (problem === undefined) keeper.deleteDelayed(key);
    });
  }

  #takeOutgoing(key: string, value: Uint8Array): void {
    const { clientId, number } = parseClientKey(key);
    const decoded = decodeOutgoing(value, number, (reference) => this.#messages.get(reference));
    if (decoded !== undefined) this.#of(clientId).outgoing.set(number, { ...decoded, hasState: false });
  }

  #takeSession(record: SessionRecord, found: Found): void {
    const { sessions, broker, keeper } = this.#parts;
    const { clientId, expiryMs, subscriptions } = record;
    const endedAtMs = record.endedAtMs ?? broker.clock.now();
    const session = sessions.restore(absentOwner(record), expiryMs, endedAtMs);
    // Its client was there when the broker ended. Its time counts from now on, however often the broker starts.
    if (record.endedAtMs === undefined) keeper.putSession({ ...record, endedAtMs });
    for (const subscription of subscriptions) session.restore(subscription);
    for (const filter of record.owedFilters ?? []) {
      const subscription = session.subscription(filter);
      if (subscription === undefined) continue;
      session.owe(filter);
      session.beginFeed(filter, { messages: broker.retained.find(filter), match: join([subscription])! });
    }
    for (const [packetId, arrived] of found.received) session.received.set(packetId, arrived);
    for (const { outgoing, reference, hasState } of found.outgoing.values()) {
      session.outbox.restore(outgoing);
      keeper.restored(clientId, outgoing, hasState, reference);
    }
  }

  #of(clientId: string): Found {
    let found = this.#found.get(clientId);
    if (found === undefined) {
      found = { outgoing: new Map(), received: new Map() };
      this.#found.set(clientId, found);
    }
    return found;
  }
}
