import type { Source } from '../../../broker/delivery/channel.ts';
import type { Message, Qos } from '../../../broker/delivery/publication.ts';
import type { Session } from '../../../broker/sessions/session.ts';
import { sessionSendAheadBytes } from '../../../limits/broker.ts';
import type { MqttOutlet } from '../outgoing/outlet.ts';

/** What a client wants of the messages of a replay. */
export interface ReplayOptions {
  qos: Qos;
  /** Not what this client itself published. */
  noLocal: boolean;
  identifiers: readonly number[];
}

const NONE: readonly Message[] = [];

/**
 * What was read for one replay and is not sent. With QoS 1 and 2 that is at most one batch: the log is read on when the
 * client has taken it, so that the session's queue stays free for live messages.
 */
export class ReplayFeed {
  options: ReplayOptions;
  readonly #session: Session;
  readonly #outlet: MqttOutlet;
  #messages = NONE;
  #next = 0;
  /** The reader that waits until these messages are sent. */
  #reader: Source | undefined;

  constructor(session: Session, outlet: MqttOutlet, options: ReplayOptions) {
    this.options = options;
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
  take(messages: readonly Message[]): void {
    this.#messages = this.options.noLocal
      ? messages.filter(({ clientId }) => !this.#isOwn(clientId))
      : messages;
    this.#next = 0;
    while (this.options.qos === 0 && this.isWaiting) this.sendNext();
  }

  /** Sends a message, or passes over one that has expired; false where the client takes no more now. */
  sendNext(): boolean {
    const message = this.#messages[this.#next];
    const { qos, identifiers } = this.options;
    const { expiresAtMs } = message;
    // [MQTT-3.3.2-5]
    if (expiresAtMs === undefined || expiresAtMs > Date.now()) {
      const delivery = { retain: false, identifiers };
      if (qos === 0) this.#outlet.send(message, { qos, ...delivery }, 0, false);
      else if (!this.#session.outbox.sendNow(message, { qos, ...delivery })) return false;
    }
    if (++this.#next < this.#messages.length) return true;
    this.#messages = NONE;
    this.#next = 0;
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.resume();
    return true;
  }

  /** [MQTT-3.8.3-3] */
  #isOwn(clientId: string): boolean {
    return clientId === this.#session.clientId;
  }
}
