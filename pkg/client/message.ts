const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

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
