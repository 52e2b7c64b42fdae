import type { Channel, Source } from '../../broker/delivery/channel.ts';
import type { Qos } from '../../broker/delivery/publication.ts';
import { replayReadBytes } from '../../limits/live.ts';
import type { Reading, ReplayedMessage } from '../../live/replay.ts';

/** What a client wants of the messages of a replay. */
export interface ReplayOptions {
  qos: Qos;
  /** Not what this client itself published. */
  noLocal: boolean;
  /** What it is told with each message. */
  tags: readonly number[];
}

/** How a door sends what was read to one client. */
export interface ReplayOutlet {
  readonly channel: Channel;
  /** The time of day. */
  now(): number;
  /** A partition comes into a replay, before the first of its messages. */
  reads?(filter: string, reading: Reading): void;
  /** Sends messages that are not acknowledged; returns about how many bytes they are. */
  sendAll(messages: readonly ReplayedMessage[], reading: Reading, options: ReplayOptions): number;
  /** Sends a message that is acknowledged; false where the client takes no more now. */
  send(message: ReplayedMessage, reading: Reading, options: ReplayOptions): boolean;
}

/**
 * The bytes that the channel of a client takes of all its replays before it hands them over, which shows whether the socket
 * wants more. So replays never fill a channel whose socket is blocked, and none of its bounds drops what they send.
 */
export class ReplayRoom {
  readonly #channel: Channel;
  #bytes = 0;
  /** What the channel had handed over when there was that room. */
  #deliveredBefore = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Whether more may be sent; if not, `reader` goes on when what waits is handed over. */
  holdsBack(reader: Source): boolean {
    const channel = this.#channel;
    if (channel.isDrained) {
      this.#bytes = replayReadBytes;
      this.#deliveredBefore = channel.delivered;
    }
    if (this.#bytes > 0 && this.#deliveredBefore === channel.delivered) return false;
    channel.holdBackAsker(reader);
    return true;
  }

  sent(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface ReplayFeedParts {
  outlet: ReplayOutlet;
  room: ReplayRoom;
  options: ReplayOptions;
  /** Of the client. */
  clientId: string;
}

const NONE: readonly ReplayedMessage[] = [];

/**
 * What was read for one replay and is not sent. What is acknowledged is at most one batch: the log is read on when the
 * client has taken it, so that the session's queue stays free for live messages.
 */
export class ReplayFeed {
  options: ReplayOptions;
  readonly #outlet: ReplayOutlet;
  readonly #room: ReplayRoom;
  readonly #clientId: string;
  #messages = NONE;
  /** Where they were read. */
  #reading: Reading | undefined;
  #next = 0;
  /** The reader that waits until these messages are sent. */
  #reader: Source | undefined;

  constructor({ outlet, room, options, clientId }: ReplayFeedParts) {
    this.options = options;
    this.#outlet = outlet;
    this.#room = room;
    this.#clientId = clientId;
  }

  get isWaiting(): boolean {
    return this.#next < this.#messages.length;
  }

  /** Whether the log should not be read on now; if so `reader` goes on later. */
  holdsBack(reader: Source): boolean {
    if (!this.isWaiting) return this.#room.holdsBack(reader);
    if (this.#reader === undefined) reader.pause();
    this.#reader = reader;
    return true;
  }

  /** Takes what was read; what is not acknowledged is sent at once, the rest as {@link sendNext} is called. */
  take(read: readonly ReplayedMessage[], reading: Reading): void {
    const { qos, noLocal } = this.options;
    const messages = noLocal ? read.filter(({ clientId }) => clientId !== this.#clientId) : read;
    if (qos === 0) {
      const wanted = messages.filter((message) => !this.#isExpired(message));
      if (wanted.length > 0) this.#room.sent(this.#outlet.sendAll(wanted, reading, this.options));
      return;
    }
    this.#reading = reading;
    this.#messages = messages;
    this.#next = 0;
  }

  /** Sends a message, or passes over one that has expired; false where the client takes no more now. */
  sendNext(): boolean {
    const message = this.#messages[this.#next]!;
    if (!this.#isExpired(message) && !this.#send(message)) return false;
    if (++this.#next < this.#messages.length) return true;
    this.#messages = NONE;
    this.#next = 0;
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resume();
    return true;
  }

  /** As the options are by now: they may have changed since it was read. */
  #send(message: ReplayedMessage): boolean {
    if (this.options.qos > 0) return this.#outlet.send(message, this.#reading!, this.options);
    this.#room.sent(this.#outlet.sendAll([message], this.#reading!, this.options));
    return true;
  }

  #isExpired({ expiresAtMs }: ReplayedMessage): boolean {
    return expiresAtMs !== undefined && expiresAtMs <= this.#outlet.now();
  }
}
