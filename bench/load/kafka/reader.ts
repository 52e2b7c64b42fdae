import { KafkaConnection } from './connection.ts';
import { fetchRequest } from './requests.ts';
import type { Filled } from './topic.ts';

/** What a Java consumer asks of a partition at once. */
const FETCH_BYTES = 1024 * 1024;
const MAX_WAIT_MS = 500;

/** Fetches a topic from its beginning to its end, over and over, with one request at a time. */
export class Reader {
  receivedRecords = 0;
  problem: string | undefined;
  readonly #connection: KafkaConnection;
  #isRunning = false;
  #isWaiting = false;
  #onIdle: (() => void) | undefined;
  readonly #fetch: () => void;

  private constructor(connection: KafkaConnection, topic: string, filled: Filled) {
    const request = fetchRequest(topic, { maxBytes: FETCH_BYTES, maxWaitMs: MAX_WAIT_MS });
    let offset = 0;
    this.#connection = connection;
    this.#fetch = () => {
      request.setOffset(offset);
      this.#isWaiting = true;
      connection.write(request.bytes);
    };
    connection.onAnswer = (_size, head) => {
      this.#isWaiting = false;
      const errorCode = head.readInt16BE(request.errorCodeAt);
      if (errorCode !== 0) return this.#fail(`a fetch was refused with error ${errorCode}`);
      // A broker may end an answer in the middle of a batch.
      const batches = Math.floor(head.readInt32BE(request.recordsLengthAt) / filled.batchBytes);
      if (batches === 0) return this.#fail('a fetch in the middle of a log was answered without a batch');
      const baseOffset = Number(head.readBigInt64BE(request.recordsAt));
      if (baseOffset !== offset) return this.#fail(`offset ${baseOffset} came instead of ${offset}`);
      const records = batches * filled.recordsPerBatch;
      this.receivedRecords += records;
      offset = offset + records >= filled.endOffset ? 0 : offset + records;
      if (this.#isRunning) this.#fetch();
      else this.#onIdle?.();
    };
    connection.onEnd = (reason) => this.#fail(reason);
  }

  static async open(port: number, topic: string, filled: Filled): Promise<Reader> {
    return new Reader(await KafkaConnection.open(port), topic, filled);
  }

  start(): void {
    this.#isRunning = true;
    if (!this.#isWaiting) this.#fetch();
  }

  /**
   * Asks no more and waits for the last answer.
   *
   * @throws Error where something that it got was wrong.
   */
  async stop(): Promise<void> {
    this.#isRunning = false;
    if (this.#isWaiting && this.problem === undefined) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    if (this.problem !== undefined) throw new Error(this.problem);
  }

  close(): void {
    this.#connection.close();
  }

  #fail(problem: string): void {
    this.problem ??= problem;
    this.#isRunning = false;
    this.#onIdle?.();
  }
}
