import type { Socket } from 'node:net';
import { Failure } from '../../lib/failure.ts';
import { maxKafkaAnswerBytes } from '../../limits/clients.ts';
import { apiVersions } from '../../protocol/kafka/apis/18-api-versions.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { decodeResponse, encodeRequest } from '../../protocol/kafka/exchange.ts';
import { RequestFrames } from '../../protocol/kafka/request-frame.ts';
import type { Api, InputOf, ValueOf } from '../../protocol/kafka/schema.ts';
import {
  type BrokerAddress,
  ConnectionFailure,
  type ConnectionSettings,
  nameOf,
  openSocket,
} from '../socket.ts';
import { firstMechanism, logIn, nextMechanism, UnservedMechanism } from './login.ts';
import { demand } from './refusal.ts';

export interface SendOptions {
  /** The newest version to use, where a newer one asks for something else than this program has. */
  maxVersion?: number;
  /** How much longer than usual the answer may take, in milliseconds. */
  extraTimeMs?: number;
}

/** What an API answers with. */
export type AnswerOf<A extends Api> = ValueOf<A['response']>;

/** One connection to one broker: requests are sent as they come, and matched with their answers. */
export class KafkaConnection {
  readonly #settings: ConnectionSettings;
  readonly #name: string;
  readonly #socket: Socket;
  readonly #frames = new RequestFrames(maxKafkaAnswerBytes);
  readonly #waiting = new Map<number, Waiting>();
  #versions = new Map<number, { min: number; max: number }>();
  #lastCorrelationId = 0;
  /** Whether anything but the question for versions, which everybody may ask, had an answer. */
  #isServed = false;
  #failure: unknown;

  private constructor(name: string, socket: Socket, settings: ConnectionSettings) {
    this.#name = name;
    this.#socket = socket;
    this.#settings = settings;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) =>
      this.close(new ConnectionFailure(`the connection to ${name} broke: ${error.message}`)),
    );
    socket.on('close', () =>
      this.close(new ConnectionFailure(`${name} closed the connection${this.#hint()}`)),
    );
  }

  /**
   * Connects, asks which versions of which APIs the broker serves, and logs in where there are credentials.
   *
   * @throws Failure with one clear line.
   */
  static async open(address: BrokerAddress, settings: ConnectionSettings): Promise<KafkaConnection> {
    const { credentials } = settings;
    if (credentials === undefined) return KafkaConnection.#open(address, settings);
    try {
      return await KafkaConnection.#openAs(address, settings, firstMechanism(credentials));
    } catch (error) {
      if (!(error instanceof UnservedMechanism)) throw error;
      return KafkaConnection.#openAs(address, settings, nextMechanism(error, settings, address));
    }
  }

  static async #openAs(
    address: BrokerAddress,
    settings: ConnectionSettings,
    mechanism: Parameters<typeof logIn>[2],
  ): Promise<KafkaConnection> {
    const connection = await KafkaConnection.#open(address, settings);
    try {
      await logIn((api, body) => connection.send(api, body), settings.credentials!, mechanism);
      return connection;
    } catch (error) {
      connection.close(error);
      throw error;
    }
  }

  static async #open(address: BrokerAddress, settings: ConnectionSettings): Promise<KafkaConnection> {
    const name = nameOf(address);
    const connection = new KafkaConnection(name, await openSocket(address, settings), settings);
    try {
      connection.#versions = await connection.#askVersions();
    } catch (error) {
      connection.close(error);
      throw error;
    }
    return connection;
  }

  /** Whether requests can be sent. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /**
   * Sends a request and gives its answer.
   *
   * @throws Failure where the broker does not serve it, does not answer in time, or is gone.
   */
  async send<A extends Api>(
    api: A,
    body: InputOf<A['request']>,
    options: SendOptions = {},
  ): Promise<AnswerOf<A>> {
    const version = this.versionOf(api, options.maxVersion);
    const answer = await this.#exchange(api, version, body, options.extraTimeMs ?? 0);
    this.#isServed = true;
    return this.#decoded(api, version, answer);
  }

  /**
   * Sends a request that has no answer, and waits until the socket has room for more.
   *
   * @throws Failure where the broker does not serve it, or is gone.
   */
  async post<A extends Api>(api: A, body: InputOf<A['request']>, options: SendOptions = {}): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const version = this.versionOf(api, options.maxVersion);
    const correlationId = this.#nextCorrelationId();
    const chunks = encodeRequest(api, version, { correlationId, clientId: this.#settings.clientId }, body);
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(Buffer.concat(chunks), (error) =>
        error ? reject(this.#failure ?? error) : resolve(),
      );
    });
  }

  /** Whether the broker serves an API at all. */
  serves(api: Api): boolean {
    return this.#versions.has(api.key);
  }

  /**
   * The newest version of an API that both sides know.
   *
   * @throws Failure where there is none.
   */
  versionOf(api: Api, maxVersion = api.validVersions.max): number {
    const served = this.#versions.get(api.key);
    const version = Math.min(maxVersion, api.validVersions.max, served?.max ?? -1);
    if (served !== undefined && version >= served.min && version >= api.validVersions.min) return version;
    const known = `${api.validVersions.min} to ${Math.min(maxVersion, api.validVersions.max)}`;
    throw new Failure(
      served === undefined
        ? `${this.#name} does not serve ${api.name}`
        : `${this.#name} serves versions ${served.min} to ${served.max} of ${api.name}, this program knows ${known}`,
    );
  }

  /** Closes the connection; whoever waits for an answer gets this error. */
  close(reason: unknown = new Failure(`the connection to ${this.#name} was closed`)): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#socket.destroy();
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(reason);
    }
    this.#waiting.clear();
  }

  async #askVersions(): Promise<Map<number, { min: number; max: number }>> {
    const body = { clientSoftwareName: 'tinymq', clientSoftwareVersion: this.#settings.softwareVersion };
    let version = apiVersions.validVersions.max;
    let answer = await this.#exchange(apiVersions, version, body, 0);
    if (answer.length >= 6 && answer.readInt16BE(4) === KafkaErrorCode.unsupportedVersion) {
      // A broker that does not know the version answers in version 0, and says there which one it knows.
      const { apiKeys } = this.#decoded(apiVersions, 0, answer);
      version = Math.min(version, apiKeys.find(({ apiKey }) => apiKey === apiVersions.key)?.maxVersion ?? 0);
      answer = await this.#exchange(apiVersions, version, body, 0);
    }
    const { errorCode, apiKeys } = this.#decoded(apiVersions, version, answer);
    demand(`${this.#name} does not say what it serves`, errorCode);
    return new Map(
      apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]),
    );
  }

  #exchange<A extends Api>(
    api: A,
    version: number,
    body: InputOf<A['request']>,
    extraTimeMs: number,
  ): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const correlationId = this.#nextCorrelationId();
    const chunks = encodeRequest(api, version, { correlationId, clientId: this.#settings.clientId }, body);
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#settings.requestTimeoutMs + extraTimeMs;
      const timer = setTimeout(() => {
        this.close(new ConnectionFailure(`${this.#name} did not answer ${api.name} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(correlationId, { resolve, reject, timer });
      this.#socket.cork();
      for (const chunk of chunks) this.#socket.write(chunk);
      this.#socket.uncork();
    });
  }

  #nextCorrelationId(): number {
    this.#lastCorrelationId = (this.#lastCorrelationId + 1) & 0x7fff_ffff;
    return this.#lastCorrelationId;
  }

  #take(chunk: Buffer): void {
    try {
      this.#frames.push(chunk);
      for (let answer = this.#frames.next(); answer !== undefined; answer = this.#frames.next()) {
        const correlationId = answer.length < 4 ? 0 : answer.readInt32BE(0);
        const waiting = this.#waiting.get(correlationId);
        if (waiting === undefined) throw new Error(`nothing was asked with number ${correlationId}`);
        this.#waiting.delete(correlationId);
        clearTimeout(waiting.timer);
        waiting.resolve(answer);
      }
    } catch (error) {
      const why = answerProblem(error as Error, this.#versions.size === 0 ? chunk : undefined);
      this.close(new Failure(`${this.#name} does not answer as a Kafka broker: ${why}`));
    }
  }

  #decoded<A extends Api>(api: A, version: number, answer: Buffer): AnswerOf<A> {
    try {
      return decodeResponse(api, version, answer).body;
    } catch (error) {
      const failure = new Failure(
        `${this.#name} answers ${api.name} version ${version} with what is none: ${(error as Error).message}`,
      );
      this.close(failure);
      throw failure;
    }
  }

  /** Why a broker may close a connection that never had an answer, or none but its versions. */
  #hint(): string {
    const { tls, credentials } = this.#settings;
    if (this.#versions.size > 0)
      return this.#isServed || credentials !== undefined
        ? ''
        : ' without an answer: does it ask who you are (-user, -token-file)?';
    if (tls?.cert !== undefined)
      return ' at the first request: does it know who signed the certificate (-tls-cert)?';
    return tls === undefined
      ? ' at the first request: does it speak Kafka, and without TLS?'
      : ' at the first request: does it speak Kafka, and does it want a certificate (-tls-cert, -tls-key)?';
  }
}

/**
 * Why an answer cannot be read. The frames of requests and of answers are found by the same code.
 *
 * @param first the first bytes of all that came, which may be those of another protocol.
 */
function answerProblem({ message }: Error, first: Buffer | undefined): string {
  if (first?.[0] === TLS_ALERT && first[1] === TLS_MAJOR_VERSION) return 'it speaks TLS: see the -tls flags';
  if (first?.subarray(0, 5).toString('latin1') === 'HTTP/') return 'it speaks HTTP';
  return message.replace(/^request of/, 'an answer of');
}

interface Waiting {
  resolve(answer: Buffer): void;
  reject(reason: unknown): void;
  timer: NodeJS.Timeout;
}

/** What a TLS server sends to whom it does not understand begins like this. */
const TLS_ALERT = 0x15;
const TLS_MAJOR_VERSION = 0x03;
