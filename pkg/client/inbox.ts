import { decodeUtf8, type FrameCursor } from '../../internal/protocol/frame/cursor.ts';
import { FrameDecoder } from '../../internal/protocol/frame/decoder.ts';
import {
  type Frame,
  FrameBit,
  FrameType,
  POSITION_PREFIX_BYTES,
  RESERVED_TYPE_BITS,
  TOPIC_OFFSET,
} from '../../internal/protocol/frame/frame.ts';
import { parseReplayed } from '../../internal/protocol/frame/positions.ts';
import { type Place, readProperties } from '../../internal/protocol/frame/properties.ts';
import type { Settlement } from './deliveries.ts';
import { Message, type MessageExtras, type MessageHandler, ReplayedMessage, RichMessage } from './message.ts';
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
  /** Which replay a message is of that was given back. */
  readerAt(place: Place): Reader | undefined;
  /** Who wants the messages of a replay; asked again after {@link Inbox.handlersChanged}. */
  handlersOfReplay(reader: Reader): readonly MessageHandler[];
  /** A message came that the broker wants an answer for. */
  counted(): Settlement;
  /** A handler threw. */
  failed(error: unknown): void;
}

/** A message that waits for somebody who wants it. */
interface Unclaimed {
  topic: string;
  message: Message;
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
  /** Bytes of the frames of messages that came, since somebody asked. */
  #messageBytes = 0;
  /** Of a session that went on before its app has subscribed again: as many as the broker sends without an answer. */
  #unclaimed: Unclaimed[] = [];

  constructor(maxMessageBytes: number, events: InboxEvents) {
    this.#decoder = new FrameDecoder(maxMessageBytes);
    this.#events = events;
  }

  /** @throws FrameError where the bytes are not frames. */
  push(chunk: Uint8Array): void {
    this.#decoder.push(chunk, this.#take);
  }

  /** How many bytes of frames of messages came since this was called. */
  takeMessageBytes(): number {
    const bytes = this.#messageBytes;
    this.#messageBytes = 0;
    return bytes;
  }

  /** Subscriptions came or went. */
  handlersChanged(): void {
    this.#epoch++;
    if (this.#unclaimed.length > 0) queueMicrotask(() => this.#offerUnclaimed());
  }

  /** Forgets an unfinished frame, and what the broker sends again, for a new connection. */
  reset(): void {
    this.#decoder.reset();
    this.#unclaimed = [];
  }

  readonly #take = (bytes: Uint8Array, cursor: FrameCursor): void => {
    if (cursor.type !== FrameType.publish) {
      this.#takeOther(bytes, cursor);
      return;
    }
    this.#messageBytes += sizeOf(cursor);
    const known = this.#known(bytes, cursor);
    const clientId = this.#clientIds.find(bytes, cursor.clientIdStart, cursor.end);
    const message = new Message(known.topic, clientId, bytes, cursor.payloadStart, cursor.payloadEnd);
    const { handlers } = known;
    for (let index = 0; index < handlers.length; index++) this.#call(handlers[index], message);
  };

  #takeOther(bytes: Uint8Array, cursor: FrameCursor): void {
    switch (cursor.type & ~RESERVED_TYPE_BITS) {
      case FrameType.publish:
        this.#messageBytes += sizeOf(cursor);
        this.#takeRich(bytes, cursor);
        return;
      case FrameType.replayed:
        this.#messageBytes += sizeOf(cursor);
        this.#takeReplayed(bytes, cursor);
        return;
      default:
        this.#events.control(cursor.frame(bytes));
    }
  }

  /** What is known of the topic of a frame, with its handlers of now. */
  #known(bytes: Uint8Array, cursor: FrameCursor): KnownTopic {
    const known = this.#topics.find(bytes, cursor.topicStart, cursor.topicEnd);
    if (known.epoch !== this.#epoch) {
      known.handlers = this.#events.handlersOf(known.topic);
      known.epoch = this.#epoch;
    }
    return known;
  }

  #takeRich(bytes: Uint8Array, cursor: FrameCursor): void {
    const { extras, start } = this.#extrasOf(bytes, cursor);
    const { topic, handlers } = this.#known(bytes, cursor);
    const clientId = this.#clientIds.find(bytes, cursor.clientIdStart, cursor.end);
    const message = new RichMessage(topic, clientId, bytes, start, cursor.payloadEnd, extras);
    const { place, isAgain } = extras.properties;
    const reader = place !== undefined && isAgain ? this.#events.readerAt(place) : undefined;
    if (reader !== undefined) this.#callReader(reader, place!.offset, message);
    else if (handlers.length === 0 && extras.settlement !== undefined)
      this.#unclaimed.push({ topic, message });
    else this.#callAll(handlers, message);
  }

  /** What the bits of a frame's type say that its payload begins with, and where that goes on. */
  #extrasOf(
    bytes: Uint8Array,
    { type, payloadStart, payloadEnd }: FrameCursor,
  ): { extras: MessageExtras; start: number } {
    const settlement = (type & FrameBit.acknowledged) === 0 ? undefined : this.#events.counted();
    if ((type & FrameBit.properties) === 0)
      return { extras: { properties: {}, settlement }, start: payloadStart };
    const { properties, messageStart } = readProperties(bytes, payloadStart, payloadEnd);
    return { extras: { properties, settlement }, start: messageStart };
  }

  #takeReplayed(bytes: Uint8Array, cursor: FrameCursor): void {
    const { payloadEnd } = cursor;
    const { extras, start: prefix } = this.#extrasOf(bytes, cursor);
    const replayed = parseReplayed(bytes, prefix, payloadEnd);
    const reader = replayed && this.#events.readerOf(replayed.reader);
    if (replayed === undefined || reader === undefined) {
      // Nobody wants it any more.
      extras.settlement?.acknowledge();
      return;
    }
    const { log, partition } = reader.position;
    const { topic } = this.#topics.find(bytes, cursor.topicStart, cursor.topicEnd);
    const clientId = this.#clientIds.find(bytes, cursor.clientIdStart, cursor.end);
    const place = { log, partition, offset: replayed.offset, publishedAtMs: replayed.publishedAtMs };
    const start = prefix + POSITION_PREFIX_BYTES;
    const message = new ReplayedMessage(topic, clientId, bytes, start, payloadEnd, place, extras);
    // Whoever got it does not get it again, whatever becomes of the connection while it is handled.
    reader.position.offset = replayed.offset + 1;
    this.#callReader(reader, replayed.offset, message);
  }

  /** A message that wants an answer is the replay's until it has one. */
  #callReader(reader: Reader, offset: number, message: Message): void {
    if (reader.epoch !== this.#epoch) {
      reader.handlers = this.#events.handlersOfReplay(reader);
      reader.epoch = this.#epoch;
    }
    const { settlement } = message;
    if (settlement !== undefined) {
      reader.unanswered.add(offset);
      settlement.whenDone = () => reader.unanswered.delete(offset);
    }
    this.#callAll(reader.handlers, message);
  }

  /** Whoever deals with a message holds it: it is acknowledged when all are done, unless somebody does that by hand. */
  #callAll(handlers: readonly MessageHandler[], message: Message): void {
    const { settlement } = message;
    settlement?.hold();
    for (const handler of handlers) {
      const pending = this.#call(handler, message);
      if (settlement === undefined || pending === undefined) continue;
      settlement.hold();
      pending.then(
        () => settlement.letGo(),
        () => settlement.letGo(),
      );
    }
    settlement?.letGo();
  }

  #offerUnclaimed(): void {
    const unclaimed = this.#unclaimed;
    this.#unclaimed = [];
    for (const each of unclaimed) {
      const handlers = this.#events.handlersOf(each.topic);
      if (handlers.length === 0) this.#unclaimed.push(each);
      else this.#callAll(handlers, each.message);
    }
  }

  /** @returns what a handler that is not done yet resolves with. */
  #call(handler: MessageHandler, message: Message): Promise<unknown> | undefined {
    try {
      const result = handler(message);
      if (!(result instanceof Promise)) return undefined;
      result.catch((error) => this.#events.failed(error));
      return result;
    } catch (error) {
      this.#events.failed(error);
      return undefined;
    }
  }
}

/** Of a whole frame. */
function sizeOf({ topicStart, end }: FrameCursor): number {
  return end - topicStart + TOPIC_OFFSET;
}
