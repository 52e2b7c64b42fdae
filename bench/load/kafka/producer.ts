import { KafkaConnection } from './connection.ts';
import { type ProduceRequests, produceRequests, type RecordShape } from './requests.ts';

/** Nothing was acknowledged for so long: it will not be any more. */
const STALLED_AFTER_MS = 20_000;

/** Sends prebuilt requests, a fixed number of them at once, and counts what is acknowledged. */
export class Producer {
  acknowledgedRequests = 0;
  readonly #connection: KafkaConnection;
  readonly #requests: ProduceRequests;
  readonly #maxInFlight: number;
  #next = 0;
  #sent = 0;
  /** How many requests may still be sent. */
  #toSend = 0;
  #problem: Error | undefined;
  #onAllAcknowledged: (() => void) | undefined;

  private constructor(connection: KafkaConnection, requests: ProduceRequests, maxInFlight: number) {
    this.#connection = connection;
    this.#requests = requests;
    this.#maxInFlight = maxInFlight;
    connection.onAnswer = (_size, head) => {
      this.acknowledgedRequests++;
      const errorCode = head.readInt16BE(requests.errorCodeAt);
      if (errorCode !== 0) this.#fail(`a record was refused with error ${errorCode}`);
    };
    connection.onRead = () => {
      this.#pump();
      if (this.acknowledgedRequests === this.#sent) this.#onAllAcknowledged?.();
    };
    connection.onEnd = (reason) => this.#fail(reason);
  }

  /** @param maxInFlight requests that wait for their answer at once. */
  static async open(port: number, topic: string, shape: RecordShape, maxInFlight: number): Promise<Producer> {
    return new Producer(await KafkaConnection.open(port), produceRequests(topic, shape), maxInFlight);
  }

  get batchBytes(): number {
    return this.#requests.batchBytes;
  }

  get recordsPerRequest(): number {
    return this.#requests.recordsPerRequest;
  }

  get acknowledgedRecords(): number {
    return this.acknowledgedRequests * this.#requests.recordsPerRequest;
  }

  /** Sends as fast as the window allows until {@link stop}. */
  start(): void {
    this.#toSend = Number.POSITIVE_INFINITY;
    this.#pump();
  }

  /**
   * Sends no more and waits for what is on its way.
   *
   * @throws Error where something was refused, or the connection ended.
   */
  async stop(): Promise<void> {
    this.#toSend = 0;
    await this.#untilAcknowledged();
  }

  /**
   * Sends so many requests and waits until they are acknowledged.
   *
   * @throws Error where one is refused, or the connection ends.
   */
  async produce(requests: number): Promise<void> {
    this.#toSend = requests;
    this.#pump();
    await this.#untilAcknowledged();
  }

  close(): void {
    this.#connection.close();
  }

  #pump(): void {
    const { bytes, count, requestBytes } = this.#requests;
    let room = Math.min(this.#maxInFlight - (this.#sent - this.acknowledgedRequests), this.#toSend);
    while (room > 0) {
      // What lies one behind the other is one write.
      const together = Math.min(room, count - this.#next);
      const at = this.#next * requestBytes;
      this.#connection.write(bytes.subarray(at, at + together * requestBytes));
      this.#next = (this.#next + together) % count;
      this.#sent += together;
      this.#toSend -= together;
      room -= together;
    }
  }

  async #untilAcknowledged(): Promise<void> {
    let before = -1;
    while (this.#problem === undefined && this.acknowledgedRequests < this.#sent) {
      if (this.acknowledgedRequests === before) this.#fail('nothing is acknowledged any more');
      before = this.acknowledgedRequests;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, STALLED_AFTER_MS);
        this.#onAllAcknowledged = () => {
          clearTimeout(timer);
          resolve();
        };
        if (this.#problem !== undefined) this.#onAllAcknowledged();
      });
    }
    this.#onAllAcknowledged = undefined;
    if (this.#problem !== undefined) throw this.#problem;
  }

  #fail(message: string): void {
    this.#problem ??= new Error(message);
    this.#toSend = 0;
    this.#onAllAcknowledged?.();
  }
}
