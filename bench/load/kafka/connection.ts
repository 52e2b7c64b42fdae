import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { apiVersions } from '../../../internal/protocol/kafka/apis/18-api-versions.ts';
import { decodeResponse, encodeRequest, SIZE_BYTES } from '../../../internal/protocol/kafka/exchange.ts';
import type { Api, InputOf, ValueOf } from '../../../internal/protocol/kafka/schema.ts';

/** Shared by all connections: what arrives is looked at at once, and never kept. */
const readBuffer = Buffer.allocUnsafe(256 * 1024);
/** What is looked at of an answer: its error codes and offsets, and where its first batch begins. */
const HEAD_BYTES = 192;
/** Room for the requests of a whole window, so that `write` never has to wait. */
const WRITE_HIGH_WATER_MARK_BYTES = 16 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 60_000;

/**
 * Is told of an answer.
 *
 * @param size in bytes, without the size before it.
 * @param head its first bytes, valid until the function returns.
 */
export type AnswerHandler = (size: number, head: Buffer) => void;

/** A connection to a Kafka listener that counts answers, and skips what is in them. */
export class KafkaConnection {
  onAnswer: AnswerHandler = ignore;
  /** Called after the answers of one read, so that what they make room for can be written together. */
  onRead: () => void = ignore;
  /** Called where the broker ends the connection. */
  onEnd: (reason: string) => void = ignore;
  readonly #socket: Socket;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  /** Where the bytes of the answer go that is on its way. */
  #kept = this.#head;
  #keptLength = 0;
  #size = 0;
  #sizeLength = 0;
  #left = 0;
  #asked: { resolve: (answer: Buffer) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Connects and asks for the versions, as every client does: a broker may close who says nothing for long, and a peer
   * whose turn comes late would be silent.
   *
   * @throws Error where nobody listens on the port of this machine.
   */
  static async open(port: number): Promise<KafkaConnection> {
    let connection: KafkaConnection | undefined;
    const options = {
      port,
      host: '127.0.0.1',
      noDelay: true,
      writableHighWaterMark: WRITE_HIGH_WATER_MARK_BYTES,
      onread: {
        buffer: readBuffer,
        callback: (length: number, bytes: Uint8Array) => {
          connection?.take(length, bytes);
          return true;
        },
      },
    };
    const socket = connect(options as NetConnectOpts);
    await once(socket, 'connect');
    const opened = new KafkaConnection(socket);
    connection = opened;
    socket.on('error', (error) => opened.#ended(error.message));
    socket.on('close', () => opened.#ended('the broker closed the connection'));
    await opened.ask(apiVersions, 0, {});
    return opened;
  }

  /**
   * Sends one request and waits for its answer; nothing else may be on its way.
   *
   * @throws Error where the connection ends before, or after a minute.
   */
  async ask<A extends Api>(
    api: A,
    version: number,
    body: InputOf<A['request']>,
  ): Promise<ValueOf<A['response']>> {
    const answered = new Promise<Buffer>((resolve, reject) => {
      this.#asked = { resolve, reject };
    });
    const timer = setTimeout(
      () => this.#ended(`no answer to ${api.name} for ${ANSWER_TIMEOUT_MS / 1000} s`),
      ANSWER_TIMEOUT_MS,
    );
    for (const chunk of encodeRequest(api, version, { correlationId: 0, clientId: 'bench' }, body)) {
      this.#socket.write(chunk);
    }
    try {
      return decodeResponse(api, version, await answered).body;
    } finally {
      clearTimeout(timer);
    }
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.onEnd = ignore;
    this.#socket.destroy();
  }

  /** Takes the first `length` bytes of what was read. */
  take(length: number, bytes: Uint8Array): void {
    let at = 0;
    let hadAnswer = false;
    while (at < length) {
      if (this.#sizeLength < SIZE_BYTES) {
        this.#size = (this.#size << 8) | bytes[at++];
        if (++this.#sizeLength === SIZE_BYTES) this.#begin();
        continue;
      }
      const count = Math.min(length - at, this.#left);
      const kept = Math.min(count, this.#kept.length - this.#keptLength);
      if (kept > 0) this.#kept.set(bytes.subarray(at, at + kept), this.#keptLength);
      this.#keptLength += kept;
      at += count;
      this.#left -= count;
      if (this.#left > 0) continue;
      this.#sizeLength = 0;
      hadAnswer = true;
      this.#answered();
    }
    if (hadAnswer) this.onRead();
  }

  #begin(): void {
    this.#left = this.#size;
    this.#keptLength = 0;
    this.#kept = this.#asked === undefined ? this.#head : Buffer.alloc(this.#size);
  }

  #answered(): void {
    const asked = this.#asked;
    if (asked === undefined) {
      this.onAnswer(this.#size, this.#kept);
      return;
    }
    this.#asked = undefined;
    asked.resolve(this.#kept);
  }

  #ended(reason: string): void {
    this.#asked?.reject(new Error(reason));
    this.#asked = undefined;
    this.onEnd(reason);
    this.onEnd = ignore;
  }
}

function ignore(): void {}
