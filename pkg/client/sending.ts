import { encodeFrame, type FrameType } from '../../internal/protocol/frame/frame.ts';
import type { Link } from './link.ts';
import { Outbox } from './outbox.ts';
import { type Deferred, defer } from './requests.ts';

const NO_PAYLOAD = new Uint8Array(0);

export interface SendingSettings {
  clientId: string;
  /** Bytes that wait before `publish` says to wait. */
  highWaterMarkBytes: number;
  /** Throws where a topic may not be published to. */
  checkTopic(topic: string): void;
  /** Calls back at the end of this turn of the event loop. */
  defer(callback: () => void): void;
}

/**
 * Everything that a client sends once it is connected. Invariants:
 *
 * - Messages and requests go out in the order in which they were given, all of a turn in one write; a full slab goes
 *   earlier. What a link has not taken stays here while it wants to wait.
 * - Messages outlast a link that breaks off and are sent over the next one; requests belong to the link and go with
 *   it. What a link has taken is never sent again.
 * - Whoever waits for room is told as soon as a link has taken everything, or why it never will.
 */
export class Sending {
  readonly #settings: SendingSettings;
  readonly #outbox: Outbox;
  #link: Link | undefined;
  /** Whether the link wants to wait. */
  #isBlocked = false;
  #isFlushScheduled = false;
  #room: Deferred<true> | undefined;

  constructor(settings: SendingSettings) {
    this.#settings = settings;
    this.#outbox = new Outbox(settings.clientId, settings.checkTopic);
  }

  /** Bytes that no link has taken yet. */
  get bytes(): number {
    return this.#outbox.bytes;
  }

  /**
   * The broker has let the client in over this link.
   *
   * @param first what it gets before everything else.
   */
  attach(link: Link, first: Uint8Array[]): void {
    this.#link = link;
    this.#isBlocked = false;
    if (first.length > 0) this.#write(link, first);
    this.flush();
  }

  /** The link is gone, and with it the requests that it had not taken. */
  detach(): void {
    this.#link = undefined;
    this.#outbox.dropRequests();
  }

  /**
   * Adds a message.
   *
   * @returns `true`, or a promise that resolves when there is room again.
   * @throws TinymqError `invalid-payload`, `message-too-large`, and what `checkTopic` throws.
   */
  publish(topic: string, payload: string | Uint8Array): true | Promise<true> {
    const outbox = this.#outbox;
    outbox.add(topic, payload);
    if (outbox.hasFullSlab && this.#link !== undefined && !this.#isBlocked) {
      this.#write(this.#link, outbox.takeFull());
    }
    if (!this.#isFlushScheduled) this.#scheduleFlush();
    return outbox.bytes < this.#settings.highWaterMarkBytes ? true : this.#roomAgain();
  }

  /** Adds a request, behind the messages that were published before. */
  request(type: FrameType, topic: string): void {
    this.send(this.frame(type, topic));
  }

  /** The same for a frame that is there. */
  send(frame: Uint8Array): void {
    this.#outbox.addRequest(frame);
    if (!this.#isFlushScheduled) this.#scheduleFlush();
  }

  /**
   * Adds a message that is a frame already.
   *
   * @returns `true`, or a promise that resolves when there is room again.
   */
  publishFrame(frame: Uint8Array): true | Promise<true> {
    this.#outbox.addFrame(frame);
    if (!this.#isFlushScheduled) this.#scheduleFlush();
    return this.#outbox.bytes < this.#settings.highWaterMarkBytes ? true : this.#roomAgain();
  }

  /** Takes messages back that were added as frames, where no link has taken them. */
  takeBack(frames: ReadonlySet<Uint8Array>): void {
    this.#outbox.removeFrames(frames);
  }

  /** A frame of this client without a payload. */
  frame(type: FrameType, topic: string): Uint8Array {
    return encodeFrame(type, topic, NO_PAYLOAD, this.#settings.clientId);
  }

  /** Resolves when `publish` would not say to wait. */
  async drained(): Promise<void> {
    if (this.#outbox.bytes >= this.#settings.highWaterMarkBytes) await this.#roomAgain();
  }

  /** The link has room again. */
  readonly unblock = (): void => {
    this.#isBlocked = false;
    this.flush();
  };

  /** Gives the link everything, unless it wants to wait. */
  readonly flush = (): void => {
    if (this.#link === undefined || this.#isBlocked) return;
    if (this.#outbox.bytes > 0) this.#write(this.#link, this.#outbox.take());
    this.#room?.resolve(true);
    this.#room = undefined;
  };

  /** No link comes any more. */
  shut(reason: Error): void {
    this.#link = undefined;
    this.#room?.reject(reason);
    this.#room = undefined;
  }

  #scheduleFlush(): void {
    this.#isFlushScheduled = true;
    this.#settings.defer(this.#runScheduledFlush);
  }

  readonly #runScheduledFlush = (): void => {
    this.#isFlushScheduled = false;
    this.flush();
  };

  #write(link: Link, chunks: Uint8Array[]): void {
    this.#isBlocked = !link.write(chunks);
  }

  #roomAgain(): Promise<true> {
    this.#room ??= defer<true>();
    return this.#room.promise;
  }
}
