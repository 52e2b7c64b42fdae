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

/**
 * The counted messages that were sent on one connection: what each number stands for in the session, until it has its answer.
 * A run of them is one entry, as long as they are acknowledged in their order.
 */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  /** Of each entry, the numbers behind {@link #before}. */
  #tokens: number[] = [];
  /** The last number of each entry. */
  #lasts: number[] = [];
  /** The number before the first entry. */
  #before = 0;
  /** The last number that was sent. */
  #sent = 0;
  /** Up to which number the client has acknowledged everything. */
  #upTo = 0;
  /** Whether an entry may be a run. */
  #hasRuns = false;
  /** Tokens of messages of replays, which the client finds again by their places. */
  #replayed: Set<number> | undefined;
  /** How many at the front have their answer and were not taken out yet. */
  #head = 0;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
  }

  sent(token: number, isReplayed: boolean): void {
    this.#push(token, 1);
    if (!isReplayed) return;
    this.#replayed ??= new Set();
    this.#replayed.add(token);
  }

  sentRun(token: number, count: number): void {
    this.#push(token, count);
    this.#hasRuns = true;
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
    if (upTo > this.#upTo) this.#answerUpTo(upTo);
    if (ranges.length > 0) this.#unfold();
    for (const [first, last] of ranges) {
      for (let number = first; number <= last; number++) this.#answer(this.#indexOf(number));
    }
    this.#forgetAnswered();
  }

  /** Takes a RETURN. @throws FrameError; BrokerError `unexpected-frame`. */
  giveBack(payload: Uint8Array): void {
    const { number, afterMs, reason } = parseReturn(payload);
    this.#checkSent(number);
    const { session, clock } = this.#parts;
    this.#unfold();
    const index = this.#indexOf(number);
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

  #push(token: number, count: number): void {
    this.#sent += count;
    this.#tokens.push(token);
    this.#lasts.push(this.#sent);
  }

  /** The entry of a number, where no entry is a run. */
  #indexOf(number: number): number {
    return number - this.#before - 1;
  }

  #answerUpTo(upTo: number): void {
    for (let index = this.#head; index < this.#tokens.length; index++) {
      const before = index === 0 ? this.#before : this.#lasts[index - 1]!;
      if (before >= upTo) break;
      const count = Math.min(upTo, this.#lasts[index]!) - Math.max(before, this.#upTo);
      this.#answer(index, count, upTo >= this.#lasts[index]!);
    }
    this.#upTo = upTo;
  }

  #answer(index: number, count = 1, isWhole = true): void {
    const token = this.#tokens[index];
    if (token === undefined || token === ANSWERED) return;
    if (isWhole) this.#tokens[index] = ANSWERED;
    this.#replayed?.delete(token);
    this.#parts.session.outbox.acknowledge(token, count);
  }

  /** Has each message of a run be an entry of its own, because the client has not all of those before it. */
  #unfold(): void {
    if (!this.#hasRuns) return;
    this.#hasRuns = false;
    const unfolded = this.#parts.session.outbox.unfold();
    const tokens: number[] = [];
    for (const [index, token] of this.#tokens.entries()) {
      const open = unfolded.get(token) ?? [token];
      const answered = this.#lasts[index]! - this.#before - tokens.length - open.length;
      for (let number = 0; number < answered; number++) tokens.push(ANSWERED);
      for (const one of open) tokens.push(one);
    }
    this.#tokens = tokens;
    this.#lasts = tokens.map((_token, index) => this.#before + index + 1);
    this.#head = 0;
  }

  /** @throws BrokerError `unexpected-frame`. */
  #checkSent(number: number): void {
    if (number <= this.#sent) return;
    throw new BrokerError(
      'unexpected-frame',
      `number ${number} is acknowledged; the last that was sent is ${this.#sent}`,
    );
  }

  #forgetAnswered(): void {
    while (this.#head < this.#tokens.length && this.#tokens[this.#head] === ANSWERED) this.#head++;
    if (this.#head < this.#tokens.length && this.#head < FORGET_FROM) return;
    if (this.#head === 0) return;
    this.#before = this.#lasts[this.#head - 1]!;
    this.#tokens = this.#tokens.slice(this.#head);
    this.#lasts = this.#lasts.slice(this.#head);
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

/** Answered entries that are taken out at once. */
const FORGET_FROM = 1_024;
