import type { Channel } from '../../broker/delivery/channel.ts';
import { Publication } from '../../broker/delivery/publication.ts';
import type { Session } from '../../broker/sessions/session.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Reading, ReplayedMessage } from '../../live/replay.ts';
import type { ReplayOptions, ReplayOutlet } from '../clients/replay-feed.ts';
import type { PositionFrames } from './position-frames.ts';

/** Sends what was replayed to a client of the frames, with its places where the client agreed on `positions`. */
export class FrameReplayOutlet implements ReplayOutlet {
  readonly channel: Channel;
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #positions: PositionFrames | undefined;
  /** The numbers by which messages name where they were read. */
  readonly #readers = new WeakMap<Reading, number>();

  constructor(channel: Channel, session: Session, clock: Clock, positions: PositionFrames | undefined) {
    this.channel = channel;
    this.#session = session;
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
    const { encoding } = this.channel;
    const bytes = isPlain ? encoding.encode(messages) : this.#positions.encode(messages, reader);
    this.channel.deliver(new Publication(encoding).set(bytes, 0, bytes.length, messages.length));
    return bytes.length;
  }

  /** One that is acknowledged comes as any other that is: the client need not remember where it was. */
  send(message: ReplayedMessage, _reading: Reading, { tags }: ReplayOptions): boolean {
    return this.#session.outbox.sendNow(message, { qos: 1, retain: false, tags });
  }
}
