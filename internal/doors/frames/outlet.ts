import type { Channel } from '../../broker/delivery/channel.ts';
import { type Message, Publication } from '../../broker/delivery/publication.ts';
import type { Outlet, RunsTaken, SentAs } from '../../broker/sessions/outlet.ts';
import type { Clock } from '../../lib/clock.ts';
import { FrameBit, FrameType } from '../../protocol/frame/frame.ts';
import { type ReplayedAs, replayedPayload } from '../../protocol/frame/positions.ts';
import { countedEncoding, encodeWith, LastBytes } from './encoding.ts';
import { propertiesToTell, type Told, withoutPlace } from './message-properties.ts';

export interface FrameOutletParts {
  channel: Channel;
  clock: Clock;
  told: Told;
  /** Messages that the client takes before it acknowledges any. */
  window: number;
  /** A counted message is sent; of a replay, the client finds it again by its place. */
  counted(token: number, isReplayed: boolean): void;
  /** A run of counted messages is sent. */
  countedRun(token: number, count: number): void;
  /** The client has a message of QoS 2 by another protocol, and is not asked once more. */
  confirmed(token: number): void;
}

/** Sends messages to one client of the frames, with what it agreed to be told. */
export class FrameOutlet implements Outlet {
  readonly channel: Channel;
  readonly takesRuns = true;
  readonly runs = COUNTED_RUNS;
  readonly takesOneCopy = true;
  readonly window: number;
  /** Messages so far that its channel never drops. */
  undroppable = 0;
  readonly #parts: FrameOutletParts;
  readonly #topics = new LastBytes();
  readonly #clientIds = new LastBytes();
  /** Where the message in hand was read, if it goes out as one of a replay. */
  #replayed: ReplayedAs | undefined;

  constructor(parts: FrameOutletParts) {
    this.channel = parts.channel;
    this.window = parts.window;
    this.#parts = parts;
  }

  send(message: Message, { qos, retain, isFromStore }: SentAs, token: number, isAgain: boolean): undefined {
    const isCounted = qos > 0;
    const tellsRetain = retain && this.#parts.told.retain;
    if (!isCounted && !isFromStore && !tellsRetain) {
      this.channel.deliver(Publication.ofMessages([message]));
      return;
    }
    const bytes = this.#encode(message, { isCounted, tellsRetain, isAgain });
    if (isCounted || isFromStore) {
      this.undroppable++;
      this.channel.enqueueUndroppable(bytes);
    } else {
      this.channel.deliver(new Publication(this.channel.encoding).set(bytes, 0, bytes.length, 1));
    }
    if (isCounted) this.#parts.counted(token, this.#replayed !== undefined);
  }

  sendRun(bytes: Uint8Array, count: number, token: number): void {
    this.undroppable += count;
    this.channel.enqueueUndroppable(bytes);
    this.#parts.countedRun(token, count);
  }

  /** What `send` has sent is one of a replay, and says where it was read. */
  replaying(read: ReplayedAs, send: () => boolean): boolean {
    this.#replayed = read;
    try {
      return send();
    } finally {
      this.#replayed = undefined;
    }
  }

  confirm(token: number): void {
    this.#parts.confirmed(token);
  }

  #encode(message: Message, { isCounted, tellsRetain, isAgain }: Said): Uint8Array {
    const { told, clock } = this.#parts;
    const replayed = this.#replayed;
    let said = propertiesToTell(message, replayed === undefined ? told : withoutPlace(told), clock);
    if (tellsRetain) said = { ...said, retain: true };
    if (isAgain) said = { ...said, isAgain: true };
    const counted = isCounted ? FrameBit.acknowledged : 0;
    const names = { topic: this.#topics.of(message.topic), clientId: this.#clientIds.of(message.clientId) };
    return replayed === undefined
      ? encodeWith(FrameType.publish | counted, names, said, message.payload)
      : encodeWith(FrameType.replayed | counted, names, said, replayedPayload(message.payload, replayed));
  }
}

interface Said {
  isCounted: boolean;
  tellsRetain: boolean;
  isAgain: boolean;
}

const COUNTED_RUNS: RunsTaken = { encoding: countedEncoding, haveTokens: false };
