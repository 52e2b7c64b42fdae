import type { Encoding, Message } from '../../broker/delivery/publication.ts';
import type { Clock } from '../../lib/clock.ts';
import { FrameDecoder } from '../../protocol/frame/decoder.ts';
import { encodeFrame, FrameBit, FrameType, MAX_PAYLOAD_BYTES } from '../../protocol/frame/frame.ts';
import { type FrameProperties, payloadWith, readProperties } from '../../protocol/frame/properties.ts';
import { propertiesToTell, type Told } from './message-properties.ts';

/** Messages as PUBLISH frames, one behind the other. */
export const frameEncoding: Encoding = {
  name: 'frames',

  decode(run) {
    const messages: Message[] = [];
    for (const { topic, payload, clientId } of new FrameDecoder(MAX_PAYLOAD_BYTES).frames(run)) {
      messages.push({ topic, payload, clientId });
    }
    return messages;
  },

  encode(messages) {
    return Buffer.concat(messages.map(encodeMessage));
  },
};

/** A message as a PUBLISH frame. */
export function encodeMessage({ topic, payload, clientId }: Message): Uint8Array {
  return encodeFrame(FrameType.publish, topic, payload, clientId);
}

/** A message in a frame of a type, with a block where something is said of it. */
export function encodeWith(
  type: number,
  { topic, clientId }: Pick<Message, 'topic' | 'clientId'>,
  said: FrameProperties | undefined,
  payload: Uint8Array,
): Uint8Array {
  if (said === undefined) return encodeFrame(type, topic, payload, clientId);
  return encodeFrame(type | FrameBit.properties, topic, payloadWith(said, payload), clientId);
}

/** The same for clients that are told of properties; a message without any is as above. */
class ToldEncoding implements Encoding {
  readonly name: string;
  readonly plain = frameEncoding;
  readonly #told: Told;
  readonly #clock: Clock;

  constructor(told: Told, clock: Clock) {
    const names = (['headers', 'expiry', 'offsets'] as const).filter((name) => told[name]);
    this.name = `frames with ${names.join(' and ')}`;
    this.#told = told;
    this.#clock = clock;
  }

  decode(run: Uint8Array): Message[] {
    return new FrameDecoder(MAX_PAYLOAD_BYTES).frames(run).map(({ type, topic, payload, clientId }) => {
      const hasBlock = (type & FrameBit.properties) !== 0;
      const start = hasBlock ? readProperties(payload, 0, payload.length).messageStart : 0;
      return { topic, payload: payload.subarray(start), clientId };
    });
  }

  encode(messages: readonly Message[]): Uint8Array {
    return Buffer.concat(messages.map((message) => this.#encode(message)));
  }

  #encode(message: Message): Uint8Array {
    const said = propertiesToTell(message, this.#told, this.#clock);
    return encodeWith(FrameType.publish, message, said, message.payload);
  }
}

const encodings = new WeakMap<Clock, Map<string, Encoding>>();

/**
 * The encoding for clients that are told this. Always the same one for a clock, by which it tells how long messages are still
 * wanted: who shares it shares bytes.
 */
export function encodingFor(told: Told, clock: Clock): Encoding {
  if (!told.headers && !told.expiry && !told.offsets) return frameEncoding;
  let known = encodings.get(clock);
  if (known === undefined) {
    known = new Map();
    encodings.set(clock, known);
  }
  const key = `${told.headers} ${told.expiry} ${told.offsets}`;
  let encoding = known.get(key);
  if (encoding === undefined) {
    encoding = new ToldEncoding(told, clock);
    known.set(key, encoding);
  }
  return encoding;
}
