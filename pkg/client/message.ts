import type { FrameProperties } from '../../internal/protocol/frame/properties.ts';
import type { Settlement } from './deliveries.ts';
import { TinymqError } from './errors.ts';
import { type HeaderValues, headersOf } from './headers.ts';

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Called for each message. */
export type MessageHandler = (message: Message) => unknown;

/** A message that was received. */
export class Message {
  readonly topic: string;
  /** The id of the client that published it. */
  readonly clientId: string;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  /** @internal */
  constructor(topic: string, clientId: string, bytes: Uint8Array, start: number, end: number) {
    this.topic = topic;
    this.clientId = clientId;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  /**
   * Its offset in {@link log}, where a replay brought it (`from`): the next replay goes on behind it from `offset + 1`. A live
   * message has none, nor has one from a broker that does not tell.
   */
  get offset(): number | undefined {
    return undefined;
  }

  /** The log that a replay read it from. */
  get log(): string | undefined {
    return undefined;
  }

  /** The partition of {@link log} that a replay read it from; offsets are counted in each. */
  get partition(): number | undefined {
    return undefined;
  }

  /** When it was published, where a replay brought it and the log knows. */
  get publishedAt(): Date | undefined {
    return undefined;
  }

  /** 1 where the broker waits for an answer to this message, otherwise 0. */
  get qos(): 0 | 1 {
    return 0;
  }

  /** Whether the broker had retained it. */
  get retained(): boolean {
    return false;
  }

  /** Whether it may have come before. */
  get redelivered(): boolean {
    return false;
  }

  /** What MQTT calls user properties and Kafka headers; a name that came several times has a list. */
  get headers(): HeaderValues {
    return NO_HEADERS;
  }

  get contentType(): string | undefined {
    return undefined;
  }

  /** Where the publisher wants an answer, and what it will know that by. */
  get replyTo(): string | undefined {
    return undefined;
  }

  get correlation(): Uint8Array | undefined {
    return undefined;
  }

  /** How long it is still wanted, in milliseconds. */
  get expiresIn(): number | undefined {
    return undefined;
  }

  /**
   * Tells the broker that the message was dealt with. With {@link retry} and {@link reject} for subscriptions with `ack: 'manual'`; what
   * was published without a promise needs no answer, and takes none. The first of the three counts.
   */
  ack(): void {}

  /**
   * Gives the message back; it comes again, to another member of a shared subscription perhaps.
   *
   * @param options after how many milliseconds. Default: at once.
   */
  retry(_options?: { after?: number; reason?: string }): void {}

  /** Gives the message back for good; the broker tells the reason to whoever looks after it. */
  reject(_reason?: string): void {}

  /** @internal What the broker waits for. */
  get settlement(): Settlement | undefined {
    return undefined;
  }

  /**
   * The message itself: a view of what was read from the connection, up to 64 KiB. Copy it to keep a small one for
   * long.
   */
  get payload(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** The size of the payload in bytes. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** The payload as text; bytes that are not UTF-8 become U+FFFD. */
  text(): string {
    return utf8.decode(this.payload);
  }

  /**
   * The payload as JSON.
   *
   * @throws SyntaxError where it is not.
   */
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }
}

/** What a frame says of its message beside topic and payload. */
export interface MessageExtras {
  properties: FrameProperties;
  settlement: Settlement | undefined;
}

/** A message with properties, or one that the broker wants an answer for. */
export class RichMessage extends Message {
  readonly #extras: MessageExtras;
  #headers: HeaderValues | undefined;

  /** @internal */
  constructor(
    topic: string,
    clientId: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    extras: MessageExtras,
  ) {
    super(topic, clientId, bytes, start, end);
    this.#extras = extras;
  }

  override get qos(): 0 | 1 {
    return this.#extras.settlement === undefined ? 0 : 1;
  }

  override get retained(): boolean {
    return this.#extras.properties.retain ?? false;
  }

  override get redelivered(): boolean {
    return this.#extras.properties.isAgain ?? false;
  }

  override get headers(): HeaderValues {
    this.#headers ??= headersOf(this.#extras.properties.headers);
    return this.#headers;
  }

  override get contentType(): string | undefined {
    return this.#extras.properties.contentType;
  }

  override get replyTo(): string | undefined {
    return this.#extras.properties.replyTo;
  }

  override get correlation(): Uint8Array | undefined {
    const { correlationData } = this.#extras.properties;
    // Of whichever kind the bytes are that it was read from.
    return correlationData && new Uint8Array(correlationData);
  }

  override get expiresIn(): number | undefined {
    return this.#extras.properties.expiresInMs;
  }

  override get offset(): number | undefined {
    return this.#extras.properties.place?.offset;
  }

  override get log(): string | undefined {
    return this.#extras.properties.place?.log;
  }

  override get partition(): number | undefined {
    return this.#extras.properties.place?.partition;
  }

  override get settlement(): Settlement | undefined {
    return this.#extras.settlement;
  }

  override ack(): void {
    this.#extras.settlement?.acknowledge();
  }

  override retry({ after = 0, reason = '' }: { after?: number; reason?: string } = {}): void {
    if (!(after >= 0 && after < MAX_AFTER_MS)) {
      throw new TinymqError('invalid-option', `after is 0 to ${MAX_AFTER_MS - 1} ms, not ${after}`);
    }
    this.#extras.settlement?.giveBack(Math.ceil(after), reason);
  }

  override reject(reason = ''): void {
    this.#extras.settlement?.giveBack(undefined, reason);
  }
}

/** The most that RETURN can say is that the message is not wanted again. */
const MAX_AFTER_MS = 0xffff_ffff;
const NO_HEADERS: HeaderValues = Object.freeze({});

/** A message that a replay brought. */
export class ReplayedMessage extends RichMessage {
  readonly #place: ReplayedPlace;

  /** @internal */
  constructor(
    topic: string,
    clientId: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    place: ReplayedPlace,
    extras: MessageExtras = NO_EXTRAS,
  ) {
    super(topic, clientId, bytes, start, end, extras);
    this.#place = place;
  }

  override get offset(): number {
    return this.#place.offset;
  }

  override get log(): string {
    return this.#place.log;
  }

  override get partition(): number {
    return this.#place.partition;
  }

  override get publishedAt(): Date | undefined {
    const { publishedAtMs } = this.#place;
    return publishedAtMs >= 0 && publishedAtMs <= LAST_DATE_MS ? new Date(publishedAtMs) : undefined;
  }
}

const NO_EXTRAS: MessageExtras = { properties: {}, settlement: undefined };

/** Where a message stands, and since when. */
export interface ReplayedPlace {
  log: string;
  partition: number;
  offset: number;
  /** In milliseconds since 1970; below 0 where the log does not know. */
  publishedAtMs: number;
}

/** No `Date` is later. */
const LAST_DATE_MS = 8_640_000_000_000_000;
