import type { Channel } from '../../../broker/delivery/channel.ts';
import type { Message } from '../../../broker/delivery/publication.ts';
import type { Session } from '../../../broker/sessions/session.ts';
import type { Reading, ReplayedMessage } from '../../../live/replay.ts';
import type { Version } from '../../../protocol/mqtt/packet.ts';
import type { ReplayOptions, ReplayOutlet } from '../../clients/replay-feed.ts';
import type { MqttOutlet } from '../outgoing/outlet.ts';
import { withPlace } from './replayed-place.ts';

/** Sends what was replayed to a client, with its place in the log where the version has properties to tell it in. */
export class MqttReplayOutlet implements ReplayOutlet {
  readonly channel: Channel;
  readonly #session: Session;
  readonly #outlet: MqttOutlet;
  readonly #tellsPlace: boolean;

  constructor(session: Session, outlet: MqttOutlet, version: Version) {
    this.channel = outlet.channel;
    this.#session = session;
    this.#outlet = outlet;
    this.#tellsPlace = version === 5;
  }

  now(): number {
    return this.#outlet.clock.now();
  }

  sendAll(messages: readonly ReplayedMessage[], reading: Reading, { tags }: ReplayOptions): number {
    let bytes = 0;
    for (const message of messages) {
      this.#outlet.send(this.#asTold(message, reading, tags), { qos: 0, retain: false, tags }, 0, false);
      bytes += message.topic.length + message.payload.length;
    }
    return bytes;
  }

  send(message: ReplayedMessage, reading: Reading, { qos, tags }: ReplayOptions): boolean {
    const told = this.#asTold(message, reading, tags);
    return this.#session.outbox.sendNow(told, { qos: qos as 1 | 2, retain: false, tags });
  }

  /** The message with its place, where the client takes a packet of that size. */
  #asTold(read: ReplayedMessage, reading: Reading, tags: readonly number[]): Message {
    if (!this.#tellsPlace) return read;
    const told = withPlace(read, reading);
    return this.#outlet.takesSizeOf(told, tags) ? told : read;
  }
}
