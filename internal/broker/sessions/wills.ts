import type { Identity } from '../../access/identity.ts';
import { BrokerError, nameForLog } from '../../errors.ts';
import { willsAfterStartMs } from '../../limits/broker.ts';
import type { Fate, Fates } from '../../observe/fates.ts';
import type { Broker } from '../broker.ts';
import { type DelayedMessage, DelayedMessages, type DelayedStore } from '../delayed-messages.ts';
import type { Receipt } from '../delivery/receipt.ts';
import type { Session } from './session.ts';
import type { SessionRules } from './session-rules.ts';
import { clientOfWill, type Will, willKeyOf } from './will.ts';

/** Where wills lie that nodes of a cluster share. */
export interface WillStore extends DelayedStore {
  /** Whether this node may publish one of its own, or another one did; it is not there any more then. */
  mayPublish(key: string): true | Promise<boolean>;
  /** A client is about to be let in. Resolves when nothing that it left on other nodes can come behind what it says now. */
  comesBack(identity: Identity): Promise<void> | undefined;
}

/** What such a store asks of the sessions here. */
export interface WillHost {
  /** Publishes a will of a client of another node. */
  publishOf(clientId: string, will: DelayedMessage, receipt: Receipt): void;
  /** Another node took this one for gone, and publishes the will of this client. */
  lost(clientId: string): void;
  /** How long the session of a client outlasts its connection; undefined where it has none. */
  expiryMsOf(clientId: string): number | undefined;
}

export interface WillsParts {
  broker: Broker;
  store: DelayedStore | WillStore;
  rules: SessionRules;
  fates: Fates;
}

/** The wills of all sessions: each waits while its client is there, and is published some time after it has gone. */
export class Wills {
  readonly #broker: Broker;
  readonly #rules: SessionRules;
  readonly #fates: Fates;
  readonly #messages: DelayedMessages;

  constructor({ broker, store, rules, fates }: WillsParts) {
    this.#broker = broker;
    this.#rules = rules;
    this.#fates = fates;
    const publish = (key: string, will: DelayedMessage) => this.#publish(clientOfWill(key)!, will);
    const mayPublish = 'mayPublish' in store ? (key: string) => store.mayPublish(key) : undefined;
    this.#messages = new DelayedMessages({ schedule: broker.schedule, store, publish, mayPublish });
  }

  /** @param receipt held until the store has the will. */
  put({ clientId, owner }: Session, will: Will, receipt?: Receipt): void {
    this.#messages.put(willKeyOf(clientId), { ...will, dueAtMs: undefined, owner }, receipt);
  }

  /** The connection of a session has ended, and its will waits for its delay. */
  await(session: Session): void {
    const key = willKeyOf(session.clientId);
    const will = this.#messages.get(key);
    if (will !== undefined) this.#messages.put(key, { ...will, dueAtMs: dueAt(will, session) });
  }

  /** Nobody wants a will any more. */
  delete(clientId: string): void {
    this.#messages.delete(willKeyOf(clientId));
  }

  /** Publishes a will now, if there is one. */
  publish(clientId: string): void {
    this.#messages.publish(willKeyOf(clientId));
  }

  /** A client is back: its will is not published if that is before its time; else before anything of the new connection. */
  clientIsBack(clientId: string): void {
    const key = willKeyOf(clientId);
    if (this.#messages.isDue(key)) this.#messages.publish(key);
    else this.#messages.delete(key);
  }

  /** Takes over a will that the store has, of a session whose client is not there. */
  restore(session: Session, will: DelayedMessage): DelayedMessage {
    const dueAtMs = will.dueAtMs ?? dueAt(will, session);
    const notBeforeMs = this.#broker.clock.now() + willsAfterStartMs;
    const { clientId, owner } = session;
    const restored = { ...will, owner: will.owner ?? owner, dueAtMs };
    this.#messages.restore(willKeyOf(clientId), restored, notBeforeMs);
    return restored;
  }

  /** Another node publishes it. */
  forget(clientId: string): void {
    this.#messages.forget(willKeyOf(clientId));
  }

  /** Publishes a will of a client of another node. */
  publishOf(clientId: string, will: DelayedMessage, receipt: Receipt): void {
    this.#publish(clientId, will, receipt);
  }

  #publish(clientId: string, will: DelayedMessage, receipt?: Receipt): void {
    const { owner } = will;
    const { topic } = will.message;
    const refusal = owner && this.#rules.publishRefusal(owner, topic);
    if (refusal !== undefined) {
      this.#tellDropped(clientId, will, {
        code: 'not-authorized',
        reason: refusal,
        details: { topic: nameForLog(topic) },
        line: 'a will was not published: its client may no longer publish to its topic',
      });
      return;
    }
    try {
      const expiresAtMs = will.expiryMs === undefined ? undefined : this.#broker.clock.now() + will.expiryMs;
      const from = { origin: { kind: 'client', clientId } } as const;
      const message = { ...will.message, expiresAtMs, isLastCopy: true };
      this.#broker.publishMessage(message, { ...from, publisher: owner, receipt });
    } catch (error) {
      const isRefusal = error instanceof BrokerError;
      this.#tellDropped(clientId, will, {
        code: isRefusal ? error.code : 'internal-error',
        reason: isRefusal ? error.message : undefined,
        details: { error: (error as Error).message },
        line: 'a will could not be published',
      });
    }
  }

  #tellDropped(clientId: string, { owner, message }: DelayedMessage, why: Omit<Fate, 'outcome'>): void {
    const { topic, payload } = message;
    const rule = why.code === 'not-authorized' && owner ? this.#rules.publishRule(owner, topic) : undefined;
    this.#fates.tell({
      ...why,
      outcome: 'dropped',
      who: { client: nameForLog(clientId) },
      affected: owner,
      about: { topic, rule, bytes: payload.length },
    });
  }
}

/** With the end of the session at the latest. */
function dueAt({ delayMs }: Will, { endedAtMs, expiryMs }: Session): number {
  return endedAtMs! + Math.min(delayMs, expiryMs);
}
