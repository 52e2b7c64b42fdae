import type { Encoding, Message } from '../../broker/delivery/publication.ts';
import type { Clock } from '../../lib/clock.ts';
import { LastText } from '../../lib/last-text.ts';
import { decodeUtf8, FrameCursor } from '../../protocol/frame/cursor.ts';
import { FrameDecoder } from '../../protocol/frame/decoder.ts';
import { encodeFrame, FrameBit, FrameType, MAX_PAYLOAD_BYTES } from '../../protocol/frame/frame.ts';
import { type FrameProperties, payloadWith, readProperties } from '../../protocol/frame/properties.ts';
import { propertiesToTell, type Told } from './message-properties.ts';

const COUNTED = FrameBit.acknowledged;

/** Messages as PUBLISH frames, one behind the other. */
export const frameEncoding: Encoding = {
  name: 'frames',

  decode(run) {
    const messages: Message[] = [];
    const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
    const read = (start: number, end: number) => decodeUtf8(run, start, end, 'topic');
    const topics = new LastText(read);
    const clientIds = new LastText(read);
    for (let at = 0; cursor.read(run, at, run.length); at = cursor.end) {
      messages.push({
        topic: topics.of(run, cursor.topicStart, cursor.topicEnd),
        payload: run.subarray(cursor.payloadStart, cursor.payloadEnd),
        clientId: clientIds.of(run, cursor.clientIdStart, cursor.end),
      });
    }
    return messages;
  },

  encode(messages) {
    return Buffer.concat(messages.map(encodeMessage));
  },
};

/** The same as counted frames. A plain frame becomes one by a bit. */
export const countedEncoding: Encoding = {
  name: 'counted frames',
  rewritten: frameEncoding,
  decode: frameEncoding.decode,

  rewrite(run) {
    const counted = new Uint8Array(run);
    const cursor = new FrameCursor(MAX_PAYLOAD_BYTES);
    for (let at = 0; cursor.read(counted, at, counted.length); at = cursor.end) counted[at]! |= COUNTED;
    return counted;
  },

  encode(messages) {
    return countedEncoding.rewrite!(frameEncoding.encode(messages));
  },
};

/** Texts in UTF-8, of which the last one is kept: a subscriber gets many messages of one topic in a row. */
export class LastBytes {
  #text = '';
  #bytes: Uint8Array = new Uint8Array(0);

  of(text: string): Uint8Array {
    if (text !== this.#text) {
      this.#bytes = utf8.encode(text);
      this.#text = text;
    }
    return this.#bytes;
  }
}

const utf8 = new TextEncoder();

/** A message as a PUBLISH frame. */
export function encodeMessage({ topic, payload, clientId }: Message): Uint8Array {
  return encodeFrame(FrameType.publish, topic, payload, clientId);
}

/** A message in a frame of a type, with a block where something is said of it. */
export function encodeWith(
  type: number,
  { topic, clientId }: { topic: string | Uint8Array; clientId: string | Uint8Array },
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
