import type { Channel } from '../../broker/delivery/channel.ts';
import type { BrokerError } from '../../errors.ts';
import { encodeFrame, FrameType } from '../../protocol/frame/frame.ts';
import type { RefusalLog } from '../clients/refusal-log.ts';

export interface RefusalFramesParts {
  channel: Channel;
  /** The id that the client gave at CONNECT. */
  clientId: string;
  log: RefusalLog;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const lenientUtf8 = new TextDecoder();

/** Tells a client that agreed on `refusals` what was refused, and leaves the connection as it is. */
export class RefusalFrames {
  readonly #channel: Channel;
  readonly #clientId: string;
  readonly #log: RefusalLog;

  constructor({ channel, clientId, log }: RefusalFramesParts) {
    this.#channel = channel;
    this.#clientId = clientId;
    this.#log = log;
  }

  /** A message was refused. A topic that is no text is not sent back. */
  publish(reason: BrokerError, topic: Uint8Array, bytes: number): void {
    const named = isUtf8(topic) ? topic : '';
    this.#channel.control(encodeFrame(FrameType.publishRefused, named, reason.message, this.#clientId));
    this.#log.add(reason, 'a message was refused', { topic: lenientUtf8.decode(topic), bytes });
  }

  /** The answer for a subscription that was refused, or ended by the broker. */
  subscribe(reason: BrokerError, filter: string): Uint8Array {
    this.#log.add(reason, 'a subscription was refused', { topic: filter });
    return encodeFrame(FrameType.subscribeRefused, filter, reason.message, this.#clientId);
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictUtf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
