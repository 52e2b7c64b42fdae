/** The kind of rule that the bytes broke, or a value that was to become bytes. */
export type KafkaProtocolFault =
  /** The bytes end before the value does. */
  | 'truncated'
  /** A length or a count that cannot be true, or is above a bound. */
  | 'invalid-length'
  /** A value outside what its type allows. */
  | 'invalid-value'
  /** Null where the version has no null. */
  | 'unexpected-null'
  /** An API or a version that has no schema. */
  | 'unsupported-version';

/** Bytes that break Kafka's protocol, or a value that it cannot carry. */
export class KafkaProtocolError extends Error {
  override readonly name = 'KafkaProtocolError';
  readonly code: KafkaProtocolFault;
  /** The place in the bytes where the field begins, counted from the beginning of what was read or written. */
  readonly offset: number;
  readonly #problem: string;
  #path = '';

  constructor(code: KafkaProtocolFault, problem: string, offset: number) {
    super(`${problem} at byte ${offset}`);
    this.code = code;
    this.offset = offset;
    this.#problem = problem;
  }

  /** Which field, as in `topicData[2].partitionData[0].records`; empty outside any field. */
  get path(): string {
    return this.#path;
  }

  /** Adds the field, or `[index]`, that the error happened within. */
  within(parent: string): this {
    const joint = this.#path === '' || this.#path.startsWith('[') ? '' : '.';
    this.#path = `${parent}${joint}${this.#path}`;
    this.message = `${this.#path}: ${this.#problem} at byte ${this.offset}`;
    return this;
  }
}
