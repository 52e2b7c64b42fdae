import type { Channel, Source } from '../../broker/delivery/channel.ts';
import { Patience } from '../../broker/delivery/patience.ts';
import { bytesPerTurn, controlFramesPerTurn, maxWaitingControlBytes } from '../../limits/doors.ts';
import { PartialUnit, type UnitCursor } from '../../protocol/partial.ts';
import type { Connection } from '../../transport/connection.ts';

/** The handler of a connection's units: frames or packets of its protocol. */
export interface Taker {
  /**
   * Takes the whole units from `at` on, while the intake is open and until one ends at `stop` or behind it. Returns where
   * the last of them ends.
   */
  takeUnits(bytes: Uint8Array, at: number, stop: number): number;
  /** The bytes cannot be taken. */
  failed(error: unknown): void;
}

export interface IntakeOptions {
  cursor: UnitCursor;
  /** Whether the taker has copied what it needs of a unit of up to 2 KiB before the next one is put together. */
  reusesBuffer: boolean;
}

/**
 * What arrives from a client: joins what a chunk ended in the middle of, and takes nothing while full subscribers hold
 * the client back, while the others have their turn, and after its last word.
 */
export class Intake implements Source {
  /** When something last arrived, by the connection's clock. */
  lastHeardAt: number;
  #patience: Patience | undefined;
  /** Whether what arrives is taken now: the client neither gives way to others nor is past its end. */
  isOpen = true;

  readonly #connection: Connection;
  readonly #taker: Taker;
  readonly #cursor: UnitCursor;
  readonly #partial: PartialUnit;
  /** Whether what arrives is no longer looked at. */
  #discardsInput = false;
  #pauses = 0;
  #controlsInARow = 0;
  /** While this client gives way to others: what is left of the chunk in hand, and what came after it. */
  #postponed: Uint8Array[] | undefined;

  constructor(connection: Connection, taker: Taker, { cursor, reusesBuffer }: IntakeOptions) {
    this.#connection = connection;
    this.#taker = taker;
    this.#cursor = cursor;
    this.#partial = new PartialUnit(reusesBuffer);
    this.lastHeardAt = connection.openedAt;
  }

  get patience(): Patience {
    this.#patience ??= new Patience();
    return this.#patience;
  }

  get openedAt(): number {
    return this.#connection.openedAt;
  }

  /** Whether the broker itself keeps this client from being heard. */
  get isHeldBack(): boolean {
    return this.#pauses > 0 || this.#postponed !== undefined;
  }

  /** Whether something that has arrived waits for its turn. */
  get hasPostponed(): boolean {
    return this.#postponed !== undefined;
  }

  bytes(chunk: Uint8Array): void {
    if (this.#discardsInput) return;
    this.lastHeardAt = this.#connection.clock.elapsedMs();
    try {
      this.#takeChunk(chunk);
    } catch (error) {
      this.#taker.failed(error);
    }
  }

  pause(): void {
    if (this.#discardsInput) return;
    this.#pauses++;
    this.#connection.pause();
  }

  resume(): void {
    // Nobody holds back a client that is not listened to any more, though some still believe they do.
    if (this.#pauses === 0) return;
    this.#pauses--;
    // The time in which the client could not be heard does not count against it.
    this.lastHeardAt = this.#connection.clock.elapsedMs();
    this.#connection.resume();
    if (this.#postponed !== undefined) setImmediate(() => this.#goOn());
  }

  /** Puts off what this client is in time for. */
  allow(ms: number): void {
    this.#connection.openedAt += ms;
    this.lastHeardAt += ms;
  }

  /**
   * Notes that something was answered: lets the others have their turn after many in a row, and reads no more while too
   * many answers wait.
   */
  noteAnswered(channel: Channel): void {
    this.noteControl();
    this.noteWaiting(channel);
  }

  /** Reads no more while too many answers wait. */
  noteWaiting(channel: Channel): void {
    if (channel.waitingControlBytes <= maxWaitingControlBytes) return;
    channel.holdBackAsker(this);
    this.giveWay();
  }

  /** Notes that a unit came which is work and carries nothing, and lets the others have their turn after many in a row. */
  noteControl(): void {
    if (++this.#controlsInARow >= controlFramesPerTurn) this.giveWay();
  }

  /**
   * Lets the others have their turn after the unit in hand, in the middle of a chunk too: a client that subscribes to
   * 100,000 filters at once must not stop them, and what one chunk makes of itself must have a bound.
   */
  giveWay(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#postponed = [];
    this.#connection.pause();
    setImmediate(() => this.#goOn());
  }

  /** From now on what arrives is read and thrown away, so that the last word finds its way to the client. */
  discardInput(): void {
    const hasPostponed = this.#postponed !== undefined;
    this.close();
    if (hasPostponed) this.#connection.resume();
    for (; this.#pauses > 0; this.#pauses--) this.#connection.resume();
  }

  /** Looks at nothing more: the connection is gone. */
  close(): void {
    this.#discardsInput = true;
    this.isOpen = false;
    this.#postponed = undefined;
  }

  #takeChunk(chunk: Uint8Array): void {
    let at = 0;
    if (!this.#partial.isEmpty) {
      at = this.#partial.fill(chunk, this.#cursor);
      const whole = this.#partial.takeWhole(this.#cursor);
      if (whole === undefined) return;
      this.#take(whole, 0);
    }
    if (this.isOpen) at = this.#take(chunk, at);
    if (at === chunk.length || this.#discardsInput) return;
    // While something is postponed nothing is taken from what comes after it.
    if (this.#postponed === undefined) this.#partial.keep(chunk, at, chunk.length);
    else this.#postponed.push(chunk.subarray(at));
  }

  /** Has as much taken as one turn may, and returns where that ends. */
  #take(bytes: Uint8Array, at: number): number {
    const limit = bytes.length;
    const stop = Math.min(limit, at + bytesPerTurn);
    const end = this.#taker.takeUnits(bytes, at, stop);
    if (end >= stop && end < limit) this.giveWay();
    return end;
  }

  /** Takes what was postponed, once nobody holds this client back. */
  #goOn(): void {
    const postponed = this.#postponed;
    if (postponed === undefined || this.#pauses > 0) return;
    this.#postponed = undefined;
    this.isOpen = true;
    this.#controlsInARow = 0;
    for (const chunk of postponed) this.bytes(chunk);
    this.#connection.resume();
  }
}
