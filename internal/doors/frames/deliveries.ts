import type { Identity } from '../../access/identity.ts';
import type { Session } from '../../broker/sessions/session.ts';
import { BrokerError } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Fates } from '../../observe/fates.ts';
import { NEVER_AGAIN, parseAck, parseReturn } from '../../protocol/frame/acknowledgements.ts';

export interface DeliveriesParts {
  session: Session;
  identity: Identity;
  fates: Fates;
  clock: Clock;
}

/** Of a number that has its answer. */
const ANSWERED = 0;

/** The counted messages that were sent on one connection: what each number stands for in the session, until it has its answer. */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  /** The tokens from {@link #first} on. */
  #tokens: number[] = [];
  /** The number of the first one. */
  #first = 1;
  /** Tokens of messages of replays, which the client finds again by their places. */
  #replayed: Set<number> | undefined;
  /** How many at the front have their answer and were not taken out yet. */
  #head = 0;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  sent(token: number, isReplayed: boolean): void {
    this.#tokens.push(token);
    if (!isReplayed) return;
    this.#replayed ??= new Set();
    this.#replayed.add(token);
  }

  /** The connection is gone: what a replay sent, and has no answer, is for the replay that goes on from there. */
  forgetReplayed(): void {
    const { outbox } = this.#parts.session;
    for (const token of this.#replayed ?? []) if (outbox.find(token) !== undefined) outbox.done(token);
    this.#replayed = undefined;
  }

  /** Takes an ACK. @throws FrameError; BrokerError `unexpected-frame`. */
  acknowledge(payload: Uint8Array): void {
    const { upTo, ranges } = parseAck(payload);
    this.#checkSent(ranges.at(-1)?.[1] ?? upTo);
    for (let index = this.#head; index <= upTo - this.#first; index++) this.#answer(index);
    for (const [first, last] of ranges) {
      for (let number = first; number <= last; number++) this.#answer(number - this.#first);
    }
    this.#forgetAnswered();
  }

  /** Takes a RETURN. @throws FrameError; BrokerError `unexpected-frame`. */
  giveBack(payload: Uint8Array): void {
    const { number, afterMs, reason } = parseReturn(payload);
    this.#checkSent(number);
    const { session, clock } = this.#parts;
    const index = number - this.#first;
    const token = this.#tokens[index];
    if (index < 0 || token === undefined || token === ANSWERED) return;
    if (afterMs === NEVER_AGAIN) {
      this.#tellRejected(token, reason);
      this.#answer(index);
    } else {
      this.#tokens[index] = ANSWERED;
      this.#replayed?.delete(token);
      if (session.outbox.find(token) !== undefined) session.outbox.putOff(token, clock.now() + afterMs);
    }
    this.#forgetAnswered();
  }

  #answer(index: number): void {
    const token = this.#tokens[index];
    if (token === undefined || token === ANSWERED) return;
    this.#tokens[index] = ANSWERED;
    this.#replayed?.delete(token);
    const { outbox } = this.#parts.session;
    // It may have been given up since.
    if (outbox.find(token) !== undefined) outbox.done(token);
  }

  /** @throws BrokerError `unexpected-frame`. */
  #checkSent(number: number): void {
    const last = this.#first + this.#tokens.length - 1;
    if (number <= last) return;
    throw new BrokerError(
      'unexpected-frame',
      `number ${number} is acknowledged; the last that was sent is ${last}`,
    );
  }

  #forgetAnswered(): void {
    while (this.#head < this.#tokens.length && this.#tokens[this.#head] === ANSWERED) this.#head++;
    if (this.#head < this.#tokens.length && this.#head < FORGET_FROM) return;
    this.#first += this.#head;
    this.#tokens = this.#tokens.slice(this.#head);
    this.#head = 0;
  }

  #tellRejected(token: number, reason: string): void {
    const outgoing = this.#parts.session.outbox.find(token);
    if (outgoing === undefined) return;
    const { topic, payload } = outgoing.message;
    const { fates, identity } = this.#parts;
    const about = { topic, bytes: payload.length };
    fates.tell({ outcome: 'dropped', code: 'rejected-by-client', affected: identity, about, reason });
  }
}

/** Answered numbers that are taken out at once. */
const FORGET_FROM = 1_024;
