/** One message as values, for turning a run from one encoding into another. */
export interface Message {
  topic: string;
  payload: Uint8Array;
  /** The id of the client that published it. */
  clientId: string;
}

/**
 * How messages stand in bytes. A door hands its encodings to the broker, which compares them by identity and
 * never looks inside the bytes.
 */
export interface Encoding {
  readonly name: string;
  /** The messages of a run that {@link Encoding.encode} or this door's clients made. */
  decode(run: Uint8Array): Message[];
  /** The messages one after another. */
  encode(messages: readonly Message[]): Uint8Array;
}

/**
 * A run of messages that all go to the same targets: the bytes as they arrived, and what they become in other
 * encodings, each made once for all the targets that want it.
 *
 * A publication is used again for the next run. Whoever receives one takes what it needs before it returns and
 * keeps no reference; {@link view} may be kept, as nobody writes those bytes again.
 */
export class Publication {
  encoding: Encoding;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** How many messages the run has. */
  count = 0;
  /** The log that these messages were read from, which must not take them again; undefined for live ones. */
  logName: string | undefined;
  #view: Uint8Array | undefined;
  #encoded: Map<Encoding, Uint8Array> | undefined;

  constructor(encoding: Encoding) {
    this.encoding = encoding;
  }

  /** Makes this the run of `count` messages between `start` and `end` of `bytes`. */
  set(bytes: Uint8Array, start: number, end: number, count: number): this {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.count = count;
    this.logName = undefined;
    this.#view = undefined;
    this.#encoded = undefined;
    return this;
  }

  /** The run's own bytes. Made on demand, because most short runs are copied without one. */
  view(): Uint8Array {
    this.#view ??= this.bytes.subarray(this.start, this.end);
    return this.#view;
  }

  /** The run in any encoding. */
  as(encoding: Encoding): Uint8Array {
    if (encoding === this.encoding) return this.view();
    this.#encoded ??= new Map();
    let encoded = this.#encoded.get(encoding);
    if (encoded === undefined) {
      encoded = encoding.encode(this.encoding.decode(this.view()));
      this.#encoded.set(encoding, encoded);
    }
    return encoded;
  }
}
