import type { Channel } from '../../broker/delivery/channel.ts';
import { Publication } from '../../broker/delivery/publication.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Reading, ReplayedMessage } from '../../live/replay.ts';
import type { ReplayOptions, ReplayOutlet } from '../clients/replay-feed.ts';
import { frameEncoding } from './encoding.ts';
import type { PositionFrames } from './position-frames.ts';

/** Replays that a client of the frames asks for: it acknowledges nothing. */
export const FRAME_REPLAY: ReplayOptions = { qos: 0, noLocal: false, tags: [] };

/** Sends what was replayed to a client of the frames, with its places where the client agreed on `positions`. */
export class FrameReplayOutlet implements ReplayOutlet {
  readonly channel: Channel;
  readonly #clock: Clock;
  readonly #positions: PositionFrames | undefined;
  /** The numbers by which messages name where they were read. */
  readonly #readers = new WeakMap<Reading, number>();

  constructor(channel: Channel, clock: Clock, positions: PositionFrames | undefined) {
    this.channel = channel;
    this.#clock = clock;
    this.#positions = positions;
  }

  now(): number {
    return this.#clock.now();
  }

  reads(filter: string, reading: Reading): void {
    if (this.#positions !== undefined) this.#readers.set(reading, this.#positions.announce(filter, reading));
  }

  sendAll(messages: readonly ReplayedMessage[], reading: Reading): number {
    const reader = this.#readers.get(reading);
    const isPlain = this.#positions === undefined || reader === undefined;
    const bytes = isPlain ? frameEncoding.encode(messages) : this.#positions.encode(messages, reader);
    this.channel.deliver(new Publication(frameEncoding).set(bytes, 0, bytes.length, messages.length));
    return bytes.length;
  }

  send(message: ReplayedMessage, reading: Reading): boolean {
    this.sendAll([message], reading);
    return true;
  }
}
