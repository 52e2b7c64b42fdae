import { decodeUtf8, type FrameCursor } from '../../internal/protocol/frame/cursor.ts';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import { type Frame, FrameType, POSITION_PREFIX_BYTES } from '../../internal/protocol/frame/frame.ts';
import { parseReplayed } from '../../internal/protocol/frame/positions.ts';
import { Message, type MessageHandler, ReplayedMessage } from './message.ts';
import { NameTable } from './names.ts';
import type { Reader } from './replays.ts';

/** What is known of a topic that messages came on. */
interface KnownTopic {
  topic: string;
  handlers: readonly MessageHandler[];
  epoch: number;
}

export interface InboxEvents {
  /** Everything that is not a message. */
  control(frame: Frame): void;
  /** Who wants the messages of a topic; asked again after {@link Inbox.handlersChanged}. */
  handlersOf(topic: string): readonly MessageHandler[];
  /** Which replay a broker means by this number; undefined where it has ended. */
  readerOf(number: number): Reader | undefined;
  /** Who wants the messages of a replay; asked again after {@link Inbox.handlersChanged}. */
  handlersOfReplay(reader: Reader): readonly MessageHandler[];
  /** A handler threw. */
  failed(error: unknown): void;
}

/**
 * Turns what arrives into messages for handlers. Topics and ids are recognised by their bytes, so that a message
 * costs one small object and no text is decoded twice.
 */
export class Inbox {
  readonly #decoder: FrameDecoder;
  readonly #events: InboxEvents;
  readonly #topics = new NameTable<KnownTopic>((bytes, start, end) => ({
    topic: decodeUtf8(bytes, start, end, 'topic'),
    handlers: [],
    epoch: -1,
  }));
  readonly #clientIds = new NameTable((bytes, start, end) => decodeUtf8(bytes, start, end, 'client id'));
  #epoch = 0;

  constructor(maxMessageBytes: number, events: InboxEvents) {
    this.#decoder = new FrameDecoder(maxMessageBytes);
    this.#events = events;
  }

  /** @throws FrameError where the bytes are not frames. */
  push(chunk: Uint8Array): void {
    this.#decoder.push(chunk, this.#take);
  }

  /** Subscriptions came or went. */
  handlersChanged(): void {
    this.#epoch++;
  }

  /** Forgets an unfinished frame, for a new connection. */
  reset(): void {
    this.#decoder.reset();
  }

  readonly #take = (bytes: Uint8Array, cursor: FrameCursor): void => {
    if (cursor.type !== FrameType.publish) {
      if (cursor.type === FrameType.replayed) this.#takeReplayed(bytes, cursor);
      else this.#events.control(cursor.frame(bytes));
      return;
    }
    const known = this.#topics.find(bytes, cursor.topicStart, cursor.topicEnd);
    if (known.epoch !== this.#epoch) {
      known.handlers = this.#events.handlersOf(known.topic);
      known.epoch = this.#epoch;
    }
    const clientId = this.#clientIds.find(bytes, cursor.clientIdStart, cursor.end);
    const message = new Message(known.topic, clientId, bytes, cursor.payloadStart, cursor.payloadEnd);
    const { handlers } = known;
    for (let index = 0; index < handlers.length; index++) this.#call(handlers[index], message);
  };

  #takeReplayed(bytes: Uint8Array, cursor: FrameCursor): void {
    const { payloadStart, payloadEnd } = cursor;
    const replayed = parseReplayed(bytes, payloadStart, payloadEnd);
    const reader = replayed && this.#events.readerOf(replayed.reader);
    if (replayed === undefined || reader === undefined) return;
    if (reader.epoch !== this.#epoch) {
      reader.handlers = this.#events.handlersOfReplay(reader);
      reader.epoch = this.#epoch;
    }
    const { log, partition } = reader.position;
    const { topic } = this.#topics.find(bytes, cursor.topicStart, cursor.topicEnd);
    const clientId = this.#clientIds.find(bytes, cursor.clientIdStart, cursor.end);
    const place = { log, partition, offset: replayed.offset, publishedAtMs: replayed.publishedAtMs };
    const start = payloadStart + POSITION_PREFIX_BYTES;
    const message = new ReplayedMessage(topic, clientId, bytes, start, payloadEnd, place);
    // Whoever got it does not get it again, whatever becomes of the connection while it is handled.
    reader.position.offset = replayed.offset + 1;
    for (const handler of reader.handlers) this.#call(handler, message);
  }

  #call(handler: MessageHandler, message: Message): void {
    try {
      const result = handler(message);
      if (result instanceof Promise) result.catch((error) => this.#events.failed(error));
    } catch (error) {
      this.#events.failed(error);
    }
  }
}
