import { decodeUtf8, type FrameCursor } from '../../internal/protocol/frame/cursor.ts';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import { type Frame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { Message } from './message.ts';

/** Called for each message. */
export type MessageHandler = (message: Message) => unknown;

/** What is known of a topic that messages came on. */
interface KnownTopic {
  bytes: Uint8Array;
  topic: string;
  handlers: readonly MessageHandler[];
  epoch: number;
}

export interface InboxEvents {
  /** Everything that is not a message. */
  control(frame: Frame): void;
  /** Who wants the messages of a topic; asked again after {@link Inbox.handlersChanged}. */
  handlersOf(topic: string): readonly MessageHandler[];
  /** A handler threw. */
  failed(error: unknown): void;
}

const KNOWN_TOPICS = 1024;

/**
 * Turns what arrives into messages for handlers. Topics and ids are recognised by their bytes, so that a message
 * costs one small object and no text is decoded twice.
 */
export class Inbox {
  readonly #decoder: FrameDecoder;
  readonly #events: InboxEvents;
  readonly #topics: (KnownTopic | undefined)[] = new Array(KNOWN_TOPICS).fill(undefined);
  #epoch = 0;
  #clientId = '';
  #clientIdBytes = new Uint8Array(0);

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
      this.#events.control(cursor.frame(bytes));
      return;
    }
    const known = this.#topicAt(bytes, cursor.topicStart, cursor.topicEnd);
    const clientId = this.#clientIdAt(bytes, cursor.clientIdStart, cursor.end);
    const message = new Message(known.topic, clientId, bytes, cursor.payloadStart, cursor.payloadEnd);
    const { handlers } = known;
    for (let index = 0; index < handlers.length; index++) this.#call(handlers[index]!, message);
  };

  #call(handler: MessageHandler, message: Message): void {
    try {
      const result = handler(message);
      if (result instanceof Promise) result.catch((error) => this.#events.failed(error));
    } catch (error) {
      this.#events.failed(error);
    }
  }

  #topicAt(bytes: Uint8Array, start: number, end: number): KnownTopic {
    // The last bytes tell topics apart best: names mostly share their beginning.
    let slot = end - start;
    for (let at = Math.max(start, end - 8); at < end; at++) slot = (Math.imul(slot, 31) + bytes[at]!) | 0;
    slot &= KNOWN_TOPICS - 1;
    let known = this.#topics[slot];
    if (known === undefined || !isAt(known.bytes, bytes, start, end)) {
      known = {
        bytes: new Uint8Array(bytes.subarray(start, end)),
        topic: decodeUtf8(bytes, start, end, 'topic'),
        handlers: [],
        epoch: -1,
      };
      this.#topics[slot] = known;
    }
    if (known.epoch !== this.#epoch) {
      known.handlers = this.#events.handlersOf(known.topic);
      known.epoch = this.#epoch;
    }
    return known;
  }

  #clientIdAt(bytes: Uint8Array, start: number, end: number): string {
    if (!isAt(this.#clientIdBytes, bytes, start, end)) {
      this.#clientIdBytes = new Uint8Array(bytes.subarray(start, end));
      this.#clientId = decodeUtf8(bytes, start, end, 'client id');
    }
    return this.#clientId;
  }
}

function isAt(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== wanted.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    if (wanted[index] !== bytes[start + index]) return false;
  }
  return true;
}
