import {
  type CountBit,
  parseAck,
  parseNumberedRefusal,
} from '../../internal/protocol/frame/acknowledgements.ts';
import { encodeFrame, FrameBit, FrameType, MAX_PAYLOAD_BYTES } from '../../internal/protocol/frame/frame.ts';
import { payloadWith } from '../../internal/protocol/frame/properties.ts';
import type { Agreement } from './agreement.ts';
import { bytesOf, checkTopic } from './checks.ts';
import { RefusedError, TinymqError, UnsupportedError } from './errors.ts';
import type { Promised } from './promised.ts';
import { type MessageParts, messageParts, type PublishOptions } from './publish-options.ts';
import type { Sending } from './sending.ts';

/** What is published with options: more than a topic and a payload, or with a promise. */
export class Publishing {
  readonly #sending: Sending;
  readonly #promised: Promised;
  readonly #failed: (error: Error) => void;
  /** Of the last connection; undefined before the first. */
  #agreement: Agreement | undefined;
  #isConnected = false;
  /** Frames of QoS 0 that no link has taken perhaps, with what they need. */
  readonly #unpromised = new Map<Uint8Array, { topic: string; needs: MessageParts['needs'] }>();

  constructor(sending: Sending, promised: Promised, failed: (error: Error) => void) {
    this.#sending = sending;
    this.#promised = promised;
    this.#failed = failed;
  }

  /** @throws TinymqError, InvalidTopicError, UnsupportedError; the promise rejects with QueueFullError, QueueFileError, RefusedError. */
  publish(topic: string, payload: string | Uint8Array, options: PublishOptions): true | Promise<true> {
    const parts = messageParts(options);
    checkTopic(topic);
    this.#agreement?.need(parts.needs, 'the message');
    const frame = frameOf(topic, payload, parts);
    if (parts.qos === 0) return this.#publishUnpromised(topic, frame, parts);
    return this.#publishPromised(topic, frame, parts);
  }

  /** @returns what is sent on this connection before anything else. */
  attach(agreement: Agreement): Uint8Array[] {
    this.#agreement = agreement;
    this.#isConnected = true;
    const unsupported = new Set<Uint8Array>();
    for (const [frame, { topic, needs }] of this.#unpromised) {
      const missing = agreement.missing(needs);
      if (missing === undefined) continue;
      unsupported.add(frame);
      this.#failed(new UnsupportedError(missing, 'the message', topic));
    }
    this.#sending.takeBack(unsupported);
    this.#unpromised.clear();
    return this.#promised.restore(agreement);
  }

  detach(): void {
    this.#isConnected = false;
  }

  /** ACK. @throws FrameError. */
  acknowledged(bits: number, payload: Uint8Array): void {
    this.#promised.acknowledge(countOf(bits), parseAck(payload).upTo);
  }

  /** PUBLISHREFUSED with a number. @throws FrameError. */
  refused(bits: number, topic: string, payload: Uint8Array): void {
    const { number, reason } = parseNumberedRefusal(payload);
    this.#promised.refuse(countOf(bits), number, new RefusedError(reason, topic === '' ? undefined : topic));
  }

  #publishUnpromised(topic: string, frame: Uint8Array, { needs }: MessageParts): true | Promise<true> {
    if (!this.#isConnected) this.#unpromised.set(frame, { topic, needs });
    return this.#sending.publishFrame(frame);
  }

  async #publishPromised(topic: string, frame: Uint8Array, { qos, needs }: MessageParts): Promise<true> {
    const count = qos === 1 ? FrameBit.acknowledged : FrameBit.once;
    const answered = this.#promised.add({ count, topic, frame, needs, publishedAtMs: Date.now() });
    if (this.#isConnected) {
      this.#promised.sent(count);
      this.#sending.send(frame);
    }
    return answered;
  }
}

function frameOf(topic: string, payload: string | Uint8Array, { qos, properties }: MessageParts): Uint8Array {
  const message = bytesOf(payload);
  const whole = properties === undefined ? message : payloadWith(properties, message);
  if (whole.length > MAX_PAYLOAD_BYTES) {
    throw new TinymqError(
      'message-too-large',
      `payload of ${message.length} bytes; at most ${MAX_PAYLOAD_BYTES} fit`,
    );
  }
  const counted = [0, FrameBit.acknowledged, FrameBit.once][qos]!;
  const type = FrameType.publish | counted | (properties === undefined ? 0 : FrameBit.properties);
  return encodeFrame(type, topic, whole, '');
}

function countOf(bits: number): CountBit {
  return (bits & FrameBit.once) === 0 ? FrameBit.acknowledged : FrameBit.once;
}
