import type { Source } from '../../../broker/delivery/channel.ts';
import type { Message, Qos } from '../../../broker/delivery/publication.ts';
import type { Session } from '../../../broker/sessions/session.ts';
import { sessionSendAheadBytes } from '../../../limits/broker.ts';
import type { Reading, ReplayedMessage } from '../../../live/replay.ts';
import type { Version } from '../../../protocol/mqtt/packet.ts';
import type { MqttOutlet } from '../outgoing/outlet.ts';
import { withPlace } from './replayed-place.ts';

/** What a client wants of the messages of a replay. */
export interface ReplayOptions {
  qos: Qos;
  /** Not what this client itself published. */
  noLocal: boolean;
  tags: readonly number[];
}

const NONE: readonly ReplayedMessage[] = [];

/**
 * What was read for one replay and is not sent. With QoS 1 and 2 that is at most one batch: the log is read on when the
 * client has taken it, so that the session's queue stays free for live messages.
 */
export class ReplayFeed {
  options: ReplayOptions;
  readonly #session: Session;
  readonly #outlet: MqttOutlet;
  readonly #tellsPlace: boolean;
  #messages = NONE;
  /** Where they were read. */
  #reading: Reading | undefined;
  #next = 0;
  /** The reader that waits until these messages are sent. */
  #reader: Source | undefined;

  constructor(session: Session, outlet: MqttOutlet, version: Version, options: ReplayOptions) {
    this.options = options;
    // Older versions have no properties to tell it in.
    this.#tellsPlace = version === 5;
    this.#session = session;
    this.#outlet = outlet;
  }

  get isWaiting(): boolean {
    return this.#next < this.#messages.length;
  }

  /** Whether the log should not be read on now; if so `reader` goes on later. */
  holdsBack(reader: Source): boolean {
    if (this.isWaiting) {
      if (this.#reader === undefined) reader.pause();
      this.#reader = reader;
      return true;
    }
    const { channel } = this.#outlet;
    if (channel.isDrained || channel.waitingBytes < sessionSendAheadBytes) return false;
    channel.holdBackAsker(reader);
    return true;
  }

  /** Takes what was read; that of QoS 0 is sent at once, the rest as {@link sendNext} is called. */
  take(messages: readonly ReplayedMessage[], reading: Reading): void {
    this.#reading = reading;
    this.#messages = this.options.noLocal
      ? messages.filter(({ clientId }) => !this.#isOwn(clientId))
      : messages;
    this.#next = 0;
    while (this.options.qos === 0 && this.isWaiting) this.sendNext();
  }

  /** Sends a message, or passes over one that has expired; false where the client takes no more now. */
  sendNext(): boolean {
    const read = this.#messages[this.#next];
    const { expiresAtMs } = read;
    // [MQTT-3.3.2-5]
    if ((expiresAtMs === undefined || expiresAtMs > this.#outlet.clock.now()) && !this.#send(read))
      return false;
    if (++this.#next < this.#messages.length) return true;
    this.#messages = NONE;
    this.#next = 0;
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resume();
    return true;
  }

  #send(read: ReplayedMessage): boolean {
    const { qos, tags } = this.options;
    const delivery = { retain: false, tags };
    const message = this.#asTold(read, tags);
    if (qos !== 0) return this.#session.outbox.sendNow(message, { qos, ...delivery });
    this.#outlet.send(message, { qos, ...delivery }, 0, false);
    return true;
  }

  /** The message with its place in the log, where the client knows of such things and takes a packet of that size. */
  #asTold(read: ReplayedMessage, tags: readonly number[]): Message {
    if (!this.#tellsPlace) return read;
    const told = withPlace(read, this.#reading!);
    return this.#outlet.takesSizeOf(told, tags) ? told : read;
  }

  /** [MQTT-3.8.3-3] */
  #isOwn(clientId: string): boolean {
    return clientId === this.#session.clientId;
  }
}
