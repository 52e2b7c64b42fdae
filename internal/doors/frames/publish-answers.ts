import type { Channel } from '../../broker/delivery/channel.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import type { Numbering } from '../../broker/sessions/numbering.ts';
import type { Numberings } from '../../broker/sessions/numberings.ts';
import type { BrokerError } from '../../errors.ts';
import { Fifo } from '../../lib/fifo.ts';
import { frameUnansweredMessages } from '../../limits/doors.ts';
import { type CountBit, encodeAck, numberedRefusal } from '../../protocol/frame/acknowledgements.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';
import type { Intake } from '../clients/intake.ts';
import type { RunPromise } from '../clients/run.ts';

export interface PublishAnswersParts {
  /** Which count they are about. */
  bit: CountBit;
  qos: 1 | 2;
  /** The number before the first one. */
  last: number;
  channel: Channel;
  /** The client is read no further while too many of its messages have no answer. */
  intake: Intake;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  /** Where the client gives its messages numbers across connections. */
  numbering?: { numbering: Numbering; numberings: Numberings } | undefined;
  /** Messages could not be kept. With a numbering the connection ends: the client sends them again on another. */
  unsafe(problem: BrokerError): void;
}

/** Messages with numbers up to one, behind those before, that have no answer yet. */
interface Open {
  upTo: number;
  /** Undefined where nobody keeps them. */
  receipt: Receipt | undefined;
  /** Why the one message was refused; its answer keeps its place. */
  refused: Refused | undefined;
}

interface Refused {
  reason: BrokerError;
  topic: string | Uint8Array;
}

/**
 * Counts the messages that one client publishes with a promise, and answers them in their order: one ACK for as many as are safe,
 * at the end of a chunk, and when something became safe.
 */
export class PublishAnswers implements RunPromise {
  readonly qos: 1 | 2;
  /** The next message, as logs know it. */
  readonly numbered: { id: bigint; first: number } | undefined;
  readonly #parts: PublishAnswersParts;
  readonly #open = new Fifo<Open>();
  /** The number of the last message that came. */
  #taken: number;
  /** Up to which everything has its answer, or is safe. */
  #safe: number;
  /** Up to which the client has been told. */
  #told: number;
  #receipt = new Receipt();
  #isHeldBack = false;
  #isTellScheduled = false;
  #isClosed = false;
  #whenAnswered: (() => void) | undefined;

  constructor(parts: PublishAnswersParts) {
    this.#parts = parts;
    this.qos = parts.qos;
    const id = parts.numbering?.numbering.id;
    if (id !== undefined) this.numbered = { id, first: parts.last + 1 };
    this.#taken = parts.last;
    this.#safe = parts.last;
    this.#told = parts.last;
  }

  /** Messages without an answer. */
  get waiting(): number {
    return this.#taken - this.#safe;
  }

  unusedReceipt(): Receipt {
    if (this.#receipt.isUsed) this.#receipt = new Receipt();
    return this.#receipt;
  }

  published(count: number, receipt: Receipt): void {
    this.#take(count);
    const known = this.#parts.numbering;
    known?.numberings.published(known.numbering, this.#taken, receipt);
    if (!receipt.isUsed) {
      this.#noneKeeps();
      return;
    }
    this.#open.push({ upTo: this.#taken, receipt, refused: undefined });
    this.#holdBack();
    receipt.whenSettled(this.#settle);
  }

  /** The next message is refused. Those before it have been published. */
  refused(reason: BrokerError, topic: string | Uint8Array): void {
    this.#take(1);
    const known = this.#parts.numbering;
    known?.numberings.passOver(known.numbering, this.#taken);
    const refused = { reason, topic };
    if (this.#open.length > 0) {
      this.#open.push({ upTo: this.#taken, receipt: undefined, refused });
      return;
    }
    this.#refuse(this.#taken, refused);
  }

  /** Whether the next message came before, on another connection: subscribers have it. */
  get isNextSeen(): boolean {
    const numbering = this.#parts.numbering?.numbering;
    return numbering !== undefined && this.#taken < numbering.seen;
  }

  /** Tells the client what is safe by now. */
  tell(): void {
    if (this.#safe === this.#told || this.#isClosed) return;
    this.#told = this.#safe;
    this.#parts.channel.control(encodeAck(this.#parts.bit, this.#safe));
  }

  /** Calls when everything that came has its answer, if it has not now; whether it has to wait for that. */
  awaitAnswers(call: () => void): boolean {
    if (this.waiting === 0) return false;
    this.#whenAnswered = call;
    return true;
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
    this.#open.clear();
    this.#whenAnswered = undefined;
  }

  #take(count: number): void {
    this.#taken += count;
    if (this.numbered !== undefined) this.numbered.first = this.#taken + 1;
  }

  /** Nobody keeps the last messages: they are safe with those before them. */
  #noneKeeps(): void {
    if (this.#open.length === 0) this.#safe = this.#taken;
    else this.#open.push({ upTo: this.#taken, receipt: undefined, refused: undefined });
  }

  readonly #settle = (): void => {
    for (let first = this.#open.first; first !== undefined; first = this.#open.first) {
      if (first.receipt?.isSettled === false) break;
      this.#open.shift();
      this.#answer(first);
      if (this.#isClosed) return;
    }
    this.#goOn();
    if (this.#isTellScheduled || this.#isClosed) return;
    this.#isTellScheduled = true;
    // What one transaction made safe is told in one ACK.
    queueMicrotask(() => {
      this.#isTellScheduled = false;
      this.tell();
      if (this.waiting > 0) return;
      const call = this.#whenAnswered;
      this.#whenAnswered = undefined;
      call?.();
    });
  };

  #answer({ upTo, receipt, refused }: Open): void {
    const reason = receipt?.problem;
    if (refused !== undefined) {
      this.#refuse(upTo, refused);
    } else if (reason === undefined) {
      this.#safe = upTo;
    } else if (this.#parts.numbering !== undefined && reason.kind !== 'too-large') {
      this.close();
      this.#parts.unsafe(reason);
    } else {
      if (this.#parts.numbering === undefined) this.#parts.unsafe(reason);
      for (let number = this.#safe + 1; number <= upTo; number++) this.#refuse(number, { reason, topic: '' });
    }
  }

  #refuse(number: number, { reason, topic }: Refused): void {
    if (this.#isClosed) return;
    const { channel, bit, clientId } = this.#parts;
    this.#safe = number - 1;
    this.tell();
    const payload = numberedRefusal(number, reason.message);
    channel.control(encodeFrame(FrameType.publishRefused | bit, topic, payload, clientId));
    this.#safe = number;
    this.#told = number;
  }

  #holdBack(): void {
    if (this.#isHeldBack || this.waiting < frameUnansweredMessages) return;
    this.#isHeldBack = true;
    this.#parts.intake.pause();
    this.#parts.intake.giveWay();
  }

  #goOn(): void {
    if (!this.#isHeldBack || this.waiting > frameUnansweredMessages / 2) return;
    this.#isHeldBack = false;
    this.#parts.intake.resume();
  }
}
