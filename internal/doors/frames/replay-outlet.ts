import type { Channel } from '../../broker/delivery/channel.ts';
import { Publication } from '../../broker/delivery/publication.ts';
import type { Session } from '../../broker/sessions/session.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Reading, ReplayedMessage } from '../../live/replay.ts';
import type { ReplayOptions, ReplayOutlet } from '../clients/replay-feed.ts';
import type { FrameOutlet } from './outlet.ts';
import type { PositionFrames } from './position-frames.ts';

export interface FrameReplayOutletParts {
  channel: Channel;
  session: Session;
  clock: Clock;
  /** Sends what is acknowledged. */
  outlet: FrameOutlet;
  /** There where the client agreed on `positions`. */
  positions: PositionFrames | undefined;
}

/** Sends what was replayed to a client of the frames, with its places where the client agreed on `positions`. */
export class FrameReplayOutlet implements ReplayOutlet {
  readonly channel: Channel;
  readonly #parts: FrameReplayOutletParts;
  /** The numbers by which messages name where they were read. */
  readonly #readers = new WeakMap<Reading, number>();

  constructor(parts: FrameReplayOutletParts) {
    this.channel = parts.channel;
    this.#parts = parts;
  }

  now(): number {
    return this.#parts.clock.now();
  }

  reads(filter: string, reading: Reading): void {
    const { positions } = this.#parts;
    if (positions !== undefined) this.#readers.set(reading, positions.announce(filter, reading));
  }

  sendAll(messages: readonly ReplayedMessage[], reading: Reading): number {
    const reader = this.#readers.get(reading);
    const { positions } = this.#parts;
    const isPlain = positions === undefined || reader === undefined;
    const { encoding } = this.channel;
    const bytes = isPlain ? encoding.encode(messages) : positions.encode(messages, reader);
    this.channel.deliver(new Publication(encoding).set(bytes, 0, bytes.length, messages.length));
    return bytes.length;
  }

  /** One that is acknowledged comes as any other that is: the client need not remember where it was. */
  send(message: ReplayedMessage, reading: Reading, { tags }: ReplayOptions): boolean {
    const { session, outlet } = this.#parts;
    const send = () => session.outbox.sendNow(message, { qos: 1, retain: false, tags });
    const reader = this.#readers.get(reading);
    if (reader === undefined) return send();
    const { offset, publishedAtMs } = message;
    return outlet.replaying({ reader, offset, publishedAtMs }, send);
  }
}
