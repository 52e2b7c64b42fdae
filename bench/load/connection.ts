import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Address, Wire } from '../peers/peer.ts';

/** One buffer for all connections: what is read is counted or looked at at once, and never kept. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);
/** Room for two blocks: one that the kernel takes while the next is waiting. */
const WRITE_HIGH_WATER_MARK_BYTES = 128 * 1024;
const ANSWER_TIMEOUT_MS = 60_000;
/** The same for every peer, and what most clients end up with. */
const TLS_CIPHERS = 'TLS_AES_128_GCM_SHA256';

/** Looks at what arrived: the first `length` bytes, which are valid until it returns. */
export type BytesHandler = (length: number, bytes: Uint8Array) => void;

/** A connection to a peer that counts what arrives. */
export class Connection {
  /** Called with everything that arrives and is no answer to {@link ask}. */
  onBytes: BytesHandler = ignore;
  /** Called where the peer ends the connection. */
  onEnd: (reason: string) => void = ignore;
  readonly #socket: Socket;
  readonly #wire: Wire;
  readonly #clientId: string;
  #waiting:
    | { for: Uint8Array; tail: Buffer; resolve: () => void; reject: (error: Error) => void }
    | undefined;
  #isReading = true;

  private constructor(socket: Socket, wire: Wire, clientId: string) {
    this.#socket = socket;
    this.#wire = wire;
    this.#clientId = clientId;
  }

  /**
   * Connects, and waits until the peer has answered CONNECT.
   *
   * @throws Error where it does not.
   */
  static async open(
    address: Address,
    wire: Wire,
    clientId: string,
    keepAliveSeconds?: number,
  ): Promise<Connection> {
    // The socket needs its reader before there is anybody to read for.
    let connection: Connection | undefined;
    const socket = await openSocket(
      address,
      wire,
      (length, bytes) => connection?.take(length, bytes) ?? true,
    );
    connection = new Connection(socket, wire, clientId);
    const opened = connection;
    socket.on('error', (error) => opened.#ended(error.message));
    socket.on('close', () => opened.#ended('the peer closed the connection'));
    await connection.ask(wire.connect(clientId, keepAliveSeconds));
    return connection;
  }

  /**
   * Writes requests and waits until the peer has handled them all.
   *
   * @throws Error where the connection ends before, or after a minute.
   */
  async ask(requests: Uint8Array): Promise<void> {
    const answered = this.#until(this.#wire.pong(this.#clientId));
    this.#socket.write(Buffer.concat([requests, this.#wire.ping(this.#clientId)]));
    await answered;
  }

  /** The same for a request with an answer of its own, which may come later than that to {@link Wire.ping}. */
  async askFor(answer: Uint8Array, request: Uint8Array): Promise<void> {
    const answered = this.#until(answer);
    this.#socket.write(request);
    await answered;
  }

  /** Waits for what the peer asks on its own, so that it is not among the messages, and answers it. */
  async answerLateQuestion(): Promise<void> {
    const { lateQuestion } = this.#wire;
    if (lateQuestion === undefined) return;
    await this.#until(lateQuestion.question);
    this.#socket.write(lateQuestion.answer);
  }

  /** Writes a block; false where it is better to wait for {@link onDrain}. */
  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  get isBlocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  onDrain(handler: () => void): void {
    this.#socket.on('drain', handler);
  }

  /** Never reads again. */
  stopReading(): void {
    this.#isReading = false;
    this.#socket.pause();
  }

  close(): void {
    this.onEnd = ignore;
    this.#socket.destroy();
  }

  /** Takes what was read; false to read no more. */
  take(length: number, bytes: Uint8Array): boolean {
    if (this.#waiting === undefined) this.onBytes(length, bytes);
    else this.#look(bytes.subarray(0, length));
    return this.#isReading;
  }

  #until(answer: Uint8Array): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = undefined;
        reject(new Error(`${this.#clientId} had no answer for ${ANSWER_TIMEOUT_MS / 1000} s`));
      }, ANSWER_TIMEOUT_MS);
      this.#waiting = {
        for: answer,
        tail: Buffer.alloc(0),
        resolve() {
          clearTimeout(timer);
          resolve();
        },
        reject(error) {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  #look(bytes: Uint8Array): void {
    const waiting = this.#waiting!;
    const wanted = waiting.for;
    waiting.tail = Buffer.concat([waiting.tail, bytes]).subarray(-wanted.length);
    if (!waiting.tail.equals(wanted)) return;
    this.#waiting = undefined;
    waiting.resolve();
  }

  #ended(reason: string): void {
    this.#waiting?.reject(new Error(`${this.#clientId}: ${reason}`));
    this.#waiting = undefined;
    this.onEnd(`${this.#clientId}: ${reason}`);
    this.onEnd = ignore;
  }
}

async function openSocket(
  address: Address,
  wire: Wire,
  take: (length: number, bytes: Uint8Array) => boolean,
): Promise<Socket> {
  if (address.transport === 'tls') return openTls(address, wire, take);
  const options = {
    ...(address.transport === 'unix' ? { path: address.path } : { port: address.port, host: '127.0.0.1' }),
    noDelay: true,
    writableHighWaterMark: WRITE_HIGH_WATER_MARK_BYTES,
    onread: { buffer: readBuffer, callback: take },
  };
  const socket = connect(options as NetConnectOpts);
  await once(socket, 'connect');
  return socket;
}

async function openTls(
  { port, caFile }: Address & { transport: 'tls' },
  wire: Wire,
  take: (length: number, bytes: Uint8Array) => boolean,
): Promise<Socket> {
  const plain = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(plain, wire.greetsBeforeTls ? 'data' : 'connect');
  const socket = connectTls({
    socket: plain,
    servername: 'localhost',
    ca: readFileSync(caFile),
    ciphers: TLS_CIPHERS,
    minVersion: 'TLSv1.3',
  });
  await once(socket, 'secureConnect');
  socket.on('data', (chunk: Uint8Array) => take(chunk.length, chunk));
  return socket;
}

function ignore(): void {}
