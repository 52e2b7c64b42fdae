import { type ErrorCode, nameForLog, quoted } from '../../errors.ts';
import type { Fate, Fates } from '../../observe/fates.ts';
import type { Message } from '../delivery/publication.ts';
import type { Session } from './session.ts';
import type { SessionRules } from './session-rules.ts';
import type { WaitingTotal } from './waiting-total.ts';

/** Tells what became of sessions, and of messages and subscriptions that they lost. */
export class SessionFates {
  readonly #fates: Fates;
  readonly #rules: SessionRules;
  readonly #total: WaitingTotal;

  constructor(fates: Fates, rules: SessionRules, total: WaitingTotal) {
    this.#fates = fates;
    this.#rules = rules;
    this.#total = total;
  }

  /** A message was not sent, and will not be. */
  unsent({ owner }: Session, outcome: 'expired' | 'dropped', code: ErrorCode, message: Message): void {
    const { topic, payload } = message;
    const rule = code === 'not-authorized' ? this.#rules.filterRule(owner, topic) : undefined;
    this.#fates.tell({ outcome, code, affected: owner, about: { topic, bytes: payload.length, rule } });
  }

  /** The queue of a session had no room for a message; one line stands for all until it has room again. */
  queueFull(session: Session, { topic, payload }: Message, isFirst: boolean): void {
    const about = { topic, bytes: payload.length };
    const fate: Fate = { outcome: 'dropped', code: 'session-queue-full', affected: session.owner, about };
    if (!isFirst) {
      this.#fates.tell(fate);
      return;
    }
    this.#fates.tell({
      ...fate,
      who: { client: nameForLog(session.clientId) },
      details: {
        topic: nameForLog(topic),
        waitingMessages: session.waiting,
        waitingBytes: session.waitingBytes,
        allSessionsBytes: this.#total.bytes,
      },
      line: 'a session takes no more messages',
    });
  }

  /** A session may not have a subscription any more. */
  unsubscribed({ owner }: Session, filter: string, reason: string): void {
    this.#fates.tell({
      outcome: 'refused',
      code: 'not-authorized',
      who: { client: quoted(owner.clientId) },
      affected: owner,
      about: { topic: filter, rule: this.#rules.filterRule(owner, filter) },
      reason,
      details: { filter: quoted(filter) },
      line: 'a subscription ended with a change of the rules',
    });
  }

  /** Nobody came back to a session in time. */
  sessionExpired({ owner, waiting }: Session): void {
    this.#fates.tell({
      outcome: 'ended',
      code: 'session-expired',
      who: { client: nameForLog(owner.clientId) },
      affected: owner,
      details: { unsent: waiting },
    });
  }
}
