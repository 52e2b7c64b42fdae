import type { Broker } from '../../broker/broker.ts';
import type { Channel, Source } from '../../broker/delivery/channel.ts';
import type { RetainedFeed, Session } from '../../broker/sessions/session.ts';
import { sessionSendAheadBytes } from '../../limits/broker.ts';
import { retainedPerStep } from '../../limits/doors.ts';

export interface RetainedFeedsParts {
  broker: Broker;
  session: Session;
  /** Of the client. */
  channel: Channel;
}

/**
 * Sends one client the retained messages of its new subscriptions, in steps. Each message lies in the retained store
 * until its step, and is read there as it is by then. A step begins when the socket has all of the one before, whatever
 * else waits for the client, so that a busy client gets its retained messages too.
 */
export class RetainedFeeds implements Source {
  readonly #parts: RetainedFeedsParts;
  readonly #goOn: () => void;
  /** For what {@link resume} is still to come: the step is handed over, the store has come after, the others had their turn. */
  #awaited: 'step' | 'store' | 'turn' | undefined;
  #isStopped = false;
  /** What was sent of the step in hand. */
  #stepMessages = 0;
  #stepBytes = 0;

  /** @param goOn called when there is room for the next step; it has {@link send} called. */
  constructor(parts: RetainedFeedsParts, goOn: () => void) {
    this.#parts = parts;
    this.#goOn = goOn;
  }

  /** Sends as many as the client takes now. */
  send(): void {
    const { session, broker } = this.#parts;
    if (this.#awaited !== undefined || this.#isStopped || session.feeds.size === 0) return;
    broker.turnTime.begin();
    for (const [filter, feed] of session.feeds) {
      if (!this.#sendOf(feed)) return;
      session.endFeed(filter);
    }
  }

  /** Sends nothing more: the connection is gone. The session has what is left. */
  stop(): void {
    this.#isStopped = true;
  }

  pause(): void {}

  /** The channel has handed over the last step, or the store has come after, or the client is gone. */
  resume(): void {
    setImmediate(() => {
      if (this.#awaited === 'step') {
        this.#stepMessages = 0;
        this.#stepBytes = 0;
      }
      this.#awaited = undefined;
      if (!this.#isStopped) this.#goOn();
    });
  }

  /** Whether all of a feed was sent. */
  #sendOf({ messages, match }: RetainedFeed): boolean {
    const { session, broker } = this.#parts;
    while (this.#mayGoOn(match.qos)) {
      const { value, done } = messages.next();
      if (done) return true;
      session.sendRetained(value, match);
      this.#stepMessages++;
      this.#stepBytes += value.topic.length + value.payload.length;
      broker.turnTime.look();
    }
    return false;
  }

  /** Whether the next message may be sent; if not, somebody calls when it may. */
  #mayGoOn(qos: number): boolean {
    const { session, channel, broker } = this.#parts;
    const { store } = session;
    if (broker.turnTime.isOver) {
      this.#awaited = 'turn';
      this.resume();
      return false;
    }
    const isStepFull = this.#stepMessages >= retainedPerStep || this.#stepBytes >= sessionSendAheadBytes;
    // A client that takes nothing has the step before. One that is sent more than it takes gets its share all the same.
    const isTakingNothing = this.#stepMessages === 0 && channel.isBlocked && channel.waitingMessages === 0;
    if (isStepFull || isTakingNothing) {
      this.#awaited = 'step';
      channel.holdBackAsker(this);
      return false;
    }
    if (qos === 2 && store.isBusy) {
      this.#awaited = 'store';
      store.holdBack(this);
      return false;
    }
    // An acknowledgement makes room.
    return qos === 0 || session.outbox.takesBorrowed;
  }
}
