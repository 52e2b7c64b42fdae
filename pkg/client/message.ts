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

/** A message that a replay brought. */
export class ReplayedMessage extends Message {
  readonly #place: ReplayedPlace;

  /** @internal */
  constructor(
    topic: string,
    clientId: string,
    bytes: Uint8Array,
    start: number,
    end: number,
    place: ReplayedPlace,
  ) {
    super(topic, clientId, bytes, start, end);
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
