import type { Qos } from '../../lib/qos.ts';
import { type Borrower, lentChunk } from './lent-chunk.ts';
import { type Origin, OWN } from './origin.ts';
import type { Receipt } from './receipt.ts';

export type { Qos } from '../../lib/qos.ts';

/** One message as values, for turning a run from one encoding into another. */
export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The id of the client that published it. */
  readonly clientId: string;
  /** Of a message that is retained: the user who published it. */
  readonly user?: string | undefined;
  /** 0 unless given. */
  readonly qos?: Qos;
  /** Whether its topic remembers it for later subscribers. */
  readonly retain?: boolean;
  /** When nobody wants it any more, by `Date.now()`. */
  readonly expiresAtMs?: number | undefined;
  readonly properties?: MessageProperties | undefined;
  /** Whether nobody will publish it again: a will, what a session leaves to another, what came from a log. */
  readonly isLastCopy?: boolean;
  /** Of a message that was read from a log: which part of which log, and its offset there. */
  readonly readFrom?: LogPart | undefined;
  readonly offset?: number | undefined;
}

/** A partition of a log, as messages that were read there name it; all of them share one. */
export interface LogPart {
  readonly log: string;
  /** 16 bytes that no other log has, whatever its name. */
  readonly logId: Uint8Array;
  readonly partition: number;
}

/** A message that nobody else has yet. */
export type NewMessage = { -readonly [Field in keyof Message]: Message[Field] };

/**
 * Properties of a message beside its payload. They have the names of the one protocol that has all of them; the other doors, and
 * the logs, write those that they have as headers. Names of no protocol would have every message with properties copied on its
 * way in and out, and say no more.
 */
export interface MessageProperties {
  /** 1: the payload is UTF-8 text. */
  payloadFormatIndicator?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: [name: string, value: string][];
}

/**
 * How messages stand in bytes. A door hands its encodings to the broker, which compares them by identity and
 * never looks inside the bytes.
 */
export interface Encoding {
  readonly name: string;
  /** The encoding of messages without properties, where they stand in this one just so. */
  readonly plain?: Encoding;
  /** The encoding whose messages stand in this one nearly so, that {@link rewrite} makes of them. */
  readonly rewritten?: Encoding;
  /** A run of {@link rewritten} in this encoding, in bytes of its own. */
  rewrite?(run: Uint8Array): Uint8Array;
  /**
   * The messages of a run that {@link Encoding.encode} or this door's clients made.
   *
   * @param publisher the client id for messages that do not carry one.
   */
  decode(run: Uint8Array, publisher: string): Message[];
  /** The messages one after another, without those that have no place in this encoding. */
  encode(messages: readonly Message[]): Uint8Array;
}

/** What is known of messages that are there as values. */
export interface ValuesParts {
  /** Default: the broker itself. */
  origin?: Origin;
  /** How many bytes they came as. */
  byteLength?: number | undefined;
  /** What the publisher of these messages waits for. */
  receipt?: Receipt | undefined;
  /** The numbers that it gave to them, if it did. */
  numbered?: Numbered | undefined;
}

/** The numbers of the messages of a run, which a client gives to each of its messages, across connections. */
export interface Numbered {
  /** By which logs know the client. */
  readonly id: bigint;
  /** Of the first message. */
  readonly first: number;
}

/** What a publisher was promised of a run of messages that are no more than topic and payload. */
export interface Promised {
  readonly qos: 1 | 2;
  readonly receipt: Receipt;
  readonly numbered?: Numbered | undefined;
}

const NO_BYTES = new Uint8Array(0);

/**
 * A run of messages that all go to the same targets: the bytes as they arrived, and what they become in other
 * encodings, each made once for all the targets that want it.
 *
 * A publication is used again for the next run. Whoever receives one takes what it needs before it returns and
 * keeps no reference; {@link view} may be kept, as nobody writes those bytes again then.
 */
export class Publication {
  readonly encoding: Encoding;
  readonly origin: Origin;
  /** The receipt of messages whose publisher waits until they are safe. */
  readonly receipt: Receipt | undefined;
  /** The numbers of the messages, where their publisher gives them some. */
  readonly numbered: Numbered | undefined;
  /** Whether every message is QoS 0, not to be retained, and says nothing beside topic and payload. */
  readonly isPlain: boolean;
  /** Whether every message has a promised QoS, is not to be retained, and says nothing beside topic and payload. */
  readonly isPromised: boolean;
  /** Whether no message is to be retained, so that who wants all of them with QoS 0 may have them as they are. */
  readonly isUnretained: boolean;
  /** The QoS of every message of a promised run; 0 of others, whose messages say theirs. */
  readonly qos: Qos;
  /** Whether the messages are values that nothing but they need. */
  readonly #isOfValues: boolean;
  bytes: Uint8Array = NO_BYTES;
  start = 0;
  end = 0;
  /** How many messages the run has. */
  count = 0;
  #messages: readonly Message[] | undefined;
  #durable: readonly Message[] | undefined;
  #view: Uint8Array | undefined;
  #kept: Uint8Array | undefined;
  #encoded: Map<Encoding, Uint8Array> | undefined;

  /**
   * Of messages in an encoding that are no more than topic and payload, once {@link set} says which; {@link ofMessages} makes any
   * other.
   */
  constructor(encoding: Encoding, origin = OWN, promised?: Promised, values?: ValuesParts) {
    this.encoding = encoding;
    this.origin = origin;
    this.isPlain = promised === undefined && values === undefined;
    this.isPromised = promised !== undefined;
    this.isUnretained = values === undefined || origin.kind === 'log';
    this.receipt = promised?.receipt ?? values?.receipt;
    this.numbered = promised?.numbered ?? values?.numbered;
    this.qos = promised?.qos ?? 0;
    this.#isOfValues = values !== undefined;
  }

  /** A run of messages that are there as values. */
  static ofMessages(messages: readonly Message[], parts: ValuesParts = {}): Publication {
    const { byteLength = 0, origin } = parts;
    const publication = new Publication(valuesEncoding, origin, undefined, parts);
    publication.set(NO_BYTES, 0, byteLength, messages.length);
    publication.#messages = messages;
    return publication;
  }

  /** Makes this the run of `count` messages between `start` and `end` of `bytes`. */
  set(bytes: Uint8Array, start: number, end: number, count: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.count = count;
    this.#messages = undefined;
    this.#durable = undefined;
    this.#view = undefined;
    this.#kept = undefined;
    this.#encoded = undefined;
    return this;
  }

  /** Whether these messages were read from a log: QoS 1, because they last, and not to be retained. */
  get isFromLog(): boolean {
    return this.origin.kind === 'log';
  }

  /** Whether another node sent these messages, which has given them to logs, groups and other nodes. */
  get isRouted(): boolean {
    return this.origin.kind === 'node';
  }

  /** The client id of messages that do not carry one. */
  get publisher(): string {
    return this.origin.kind === 'client' ? this.origin.clientId : '';
  }

  /**
   * Whether its publisher would publish all of it again if the broker forgot it before it has answered. Of QoS 2 the broker remembers
   * that it came, so that the messages have to last with that.
   */
  get hasSender(): boolean {
    return this.isPromised && this.qos === 1;
  }

  /** Whether a client published these messages itself. */
  isBy(clientId: string): boolean {
    return this.origin.kind === 'client' && this.origin.clientId === clientId;
  }

  /** The run's own bytes. Made on demand, because most short runs are copied without one. */
  view(): Uint8Array {
    lentChunk.keep(this.bytes);
    return this.#slice();
  }

  /** The same for a channel, which gives it back if the bytes are lent. */
  borrow(borrower: Borrower): Uint8Array {
    lentChunk.borrow(this.bytes, borrower);
    return this.#slice();
  }

  /**
   * The run's own bytes for whoever has to wait with them. They do not keep alive a chunk that they are a small part of, and
   * are copied once for all who wait.
   */
  kept(): Uint8Array {
    if (this.#kept === undefined) {
      const slice = this.#slice();
      this.#kept = slice.length < slice.buffer.byteLength / 2 ? new Uint8Array(slice) : this.view();
    }
    return this.#kept;
  }

  /** The run as values, made once for all who want them. They may be kept. */
  messages(): readonly Message[] {
    this.#messages ??= this.#decoded();
    return this.#messages;
  }

  /**
   * The run as values for whoever has to wait with them. What lies in a chunk, or was read from a log, where it may lie in a
   * batch that is much larger, is copied once for all who wait.
   */
  messagesToKeep(): readonly Message[] {
    if (this.isPlain || (this.#isOfValues && !this.isFromLog)) return this.messages();
    this.#durable ??= this.messages().map(independent);
    return this.#durable;
  }

  /** The run in any encoding. */
  as(encoding: Encoding): Uint8Array {
    if (encoding === this.encoding || encoding.plain === this.encoding) return this.view();
    this.#encoded ??= new Map();
    let encoded = this.#encoded.get(encoding);
    if (encoded === undefined) {
      encoded =
        encoding.rewrite !== undefined && encoding.rewritten === this.encoding
          ? encoding.rewrite(this.view())
          : encoding.encode(this.messages());
      this.#encoded.set(encoding, encoded);
    }
    return encoded;
  }

  #slice(): Uint8Array {
    this.#view ??= this.bytes.subarray(this.start, this.end);
    return this.#view;
  }

  #decoded(): Message[] {
    const messages: NewMessage[] = this.encoding.decode(this.view(), this.publisher);
    const { qos } = this;
    if (qos > 0) for (const message of messages) message.qos = qos;
    return messages;
  }
}

/** A message that keeps nothing alive but itself. */
function independent(message: Message): Message {
  const { payload } = message;
  return payload.length === payload.buffer.byteLength
    ? message
    : { ...message, payload: new Uint8Array(payload) };
}

/** The encoding of a publication of values, which no protocol uses. */
const valuesEncoding: Encoding = {
  name: 'values',
  decode: () => [],
  encode: () => new Uint8Array(0),
};
