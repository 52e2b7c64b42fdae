import { encodeAck, encodeReturn, NEVER_AGAIN } from '../../internal/protocol/frame/acknowledgements.ts';
import { FrameBit } from '../../internal/protocol/frame/frame.ts';

/** What becomes of one message that the broker wants an answer for. */
export class Settlement {
  readonly #deliveries: Deliveries;
  readonly #connection: number;
  readonly #number: number;
  /** Whoever still deals with it, where nobody settles it by hand. */
  #holders = 0;
  #isByHand = false;
  #isSettled = false;
  /** Called when the message is done: acknowledged, or given back for good. */
  whenDone: (() => void) | undefined;

  /** @internal */
  constructor(deliveries: Deliveries, connection: number, number: number) {
    this.#deliveries = deliveries;
    this.#connection = connection;
    this.#number = number;
  }

  /** Somebody deals with the message; it is acknowledged when everybody has let go of it. */
  hold(): void {
    this.#holders++;
  }

  letGo(): void {
    if (--this.#holders === 0 && !this.#isByHand) this.acknowledge();
  }

  /** One of those who got it settles it by hand. */
  leaveToHand(): void {
    this.#isByHand = true;
  }

  acknowledge(): void {
    if (!this.#settle()) return;
    this.#deliveries.answered(this.#number);
    this.whenDone?.();
  }

  /** Gives it back; `undefined`: for good. */
  giveBack(afterMs: number | undefined, reason: string): void {
    if (!this.#settle()) return;
    this.#deliveries.returned(this.#number, afterMs, reason);
    if (afterMs === undefined) this.whenDone?.();
  }

  /** The first word counts, and none about a connection that is gone: there the message comes again. */
  #settle(): boolean {
    if (this.#isSettled || this.#connection !== this.#deliveries.connection) return false;
    this.#isSettled = true;
    return true;
  }
}

/**
 * The messages of a connection that the broker counts, and the answers to them: one ACK for all that were answered in a turn
 * of the event loop.
 */
export class Deliveries {
  /** Grows with each. */
  connection = 0;
  readonly #send: (frame: Uint8Array) => void;
  readonly #defer: (callback: () => void) => void;
  #received = 0;
  #upTo = 0;
  /** Answered beyond {@link #upTo}. */
  readonly #answered = new Set<number>();
  #isScheduled = false;

  constructor(send: (frame: Uint8Array) => void, defer: (callback: () => void) => void) {
    this.#send = send;
    this.#defer = defer;
  }

  /** A new connection, on which the count begins again. */
  reset(): void {
    this.connection++;
    this.#received = 0;
    this.#upTo = 0;
    this.#answered.clear();
  }

  /** A counted message came. */
  next(): Settlement {
    return new Settlement(this, this.connection, ++this.#received);
  }

  answered(number: number): void {
    this.#answered.add(number);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#defer(this.flush);
  }

  returned(number: number, afterMs: number | undefined, reason: string): void {
    this.#send(encodeReturn({ number, afterMs: afterMs ?? NEVER_AGAIN, reason }));
    // It counts as answered; the acknowledgement that says so comes behind.
    this.answered(number);
  }

  /** Sends what was answered and not told yet. */
  readonly flush = (): void => {
    this.#isScheduled = false;
    if (this.#answered.size === 0) return;
    while (this.#answered.delete(this.#upTo + 1)) this.#upTo++;
    this.#send(encodeAck(FrameBit.acknowledged, this.#upTo, rangesOf(this.#answered)));
  };
}

/** Numbers as ranges, in their order. */
function rangesOf(numbers: ReadonlySet<number>): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((one, other) => one - other)) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}
