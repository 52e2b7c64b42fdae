import { PREFACE } from './http2/frame.ts';

/** What a client may speak that came to the wrong port, or to the right one. */
export type Protocol = 'TLS' | 'HTTP/1' | 'HTTP/2' | 'MQTT' | 'Kafka' | 'tinymq frames';

/** What the first bytes say: a protocol, `undefined` for none that is known, or that more are needed. */
export type Recognised = Protocol | 'undecided' | undefined;

/**
 * Which protocol a client speaks, by what it sends first. No protocol's beginning is that of another, so it does not matter
 * which port the bytes came to.
 *
 * @param first what has arrived so far, from the first byte on.
 */
export function protocolOf(first: Uint8Array): Recognised {
  if (first.length === 0) return 'undecided';
  for (const recognise of RECOGNISERS) {
    const found = recognise(first);
    if (found !== undefined) return found;
  }
  return undefined;
}

const RECOGNISERS: readonly ((first: Uint8Array) => Recognised)[] = [tls, http2, http1, mqtt, framesOrKafka];

const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR_VERSION = 3;

/** A handshake record of any version (RFC 8446, section 5.1). */
function tls(first: Uint8Array): Recognised {
  if (first[0] !== TLS_HANDSHAKE) return undefined;
  if (first.length < 2) return 'undecided';
  return first[1] === TLS_MAJOR_VERSION ? 'TLS' : undefined;
}

function http2(first: Uint8Array): Recognised {
  return beginning(first, PREFACE, 'HTTP/2');
}

const HTTP_1_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE'].map(
  (method) => Buffer.from(`${method} `),
);

function http1(first: Uint8Array): Recognised {
  for (const method of HTTP_1_METHODS) {
    const found = beginning(first, method, 'HTTP/1');
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether `wanted` stands first, or what came may still become that. */
function beginning(first: Uint8Array, wanted: Buffer, protocol: Protocol): Recognised {
  const known = Math.min(first.length, wanted.length);
  if (!wanted.subarray(0, known).equals(first.subarray(0, known))) return undefined;
  return known === wanted.length ? protocol : 'undecided';
}

const MQTT_CONNECT = 1;
/** The name of the protocol with its length, in versions 3.1.1 and 5, and in 3.1. */
const MQTT_NAMES = [Buffer.from('\0\x04MQTT', 'latin1'), Buffer.from('\0\x06MQIsdp', 'latin1')];
const MAX_LENGTH_BYTES = 4;

/** CONNECT; its flags are zero since version 3.1.1. */
function mqtt(first: Uint8Array): Recognised {
  if (first[0] >>> 4 !== MQTT_CONNECT) return undefined;
  const body = mqttBody(first);
  if (body === undefined) return first.length <= MAX_LENGTH_BYTES ? 'undecided' : undefined;
  const rest = first.subarray(body.start);
  for (const name of MQTT_NAMES) {
    // The level behind the name says in which words it is answered.
    if (body.bytes <= name.length) continue;
    const found = beginning(rest, name, 'MQTT');
    if (found !== undefined) return rest.length > name.length ? found : 'undecided';
  }
  return undefined;
}

/** Where the body of a packet begins, and its length, which stands before it in one to four bytes (MQTT 5, section 1.5.5). */
function mqttBody(first: Uint8Array): { start: number; bytes: number } | undefined {
  let bytes = 0;
  for (let at = 1; at <= MAX_LENGTH_BYTES && at < first.length; at++) {
    bytes += (first[at] & 0x7f) << (7 * (at - 1));
    if (first[at] < 0x80) return { start: at + 1, bytes };
  }
  return undefined;
}

/** The level that a CONNECT of MQTT names, without the bit of a bridge; what {@link protocolOf} calls MQTT has one. */
export function mqttLevelOf(first: Uint8Array): number {
  const { start } = mqttBody(first)!;
  return first[start + 2 + first[start + 1]] & 0x7f;
}

/** Type, TopicLen and PayloadLen of a frame; or size, key and version of a request of Kafka. */
const SHARED_HEAD_BYTES = 8;
/** A request of Kafka in full: size, key, version, correlation id, and the length of the client id. */
const KAFKA_HEAD_BYTES = 14;
const KAFKA_SIZE_BYTES = 4;
/** The keys and versions that exist are fewer, but new ones come with each release. No client begins with Produce, 0. */
const MIN_API_KEY = 1;
const MAX_API_KEY = 255;
const MAX_API_VERSION = 63;

/**
 * A CONNECT of the frames has no topic and hardly any payload; as a size of Kafka its first four bytes are 0, and no request
 * is that short. Whatever else begins with 0 is a request of Kafka if key, version and client id fit.
 */
function framesOrKafka(first: Uint8Array): Recognised {
  if (first[0] !== 0) return undefined;
  if (first.length < SHARED_HEAD_BYTES) return 'undecided';
  const view = new DataView(first.buffer, first.byteOffset, first.length);
  const size = view.getInt32(0);
  if (size === 0) return 'tinymq frames';
  const apiKey = view.getUint16(4);
  if (apiKey < MIN_API_KEY || apiKey > MAX_API_KEY || view.getUint16(6) > MAX_API_VERSION) return undefined;
  const present = KAFKA_SIZE_BYTES + size;
  if (present < KAFKA_HEAD_BYTES) return undefined;
  if (first.length < KAFKA_HEAD_BYTES) return 'undecided';
  const clientIdBytes = view.getInt16(12);
  return clientIdBytes >= -1 && KAFKA_HEAD_BYTES + clientIdBytes <= present ? 'Kafka' : undefined;
}

/** Finds out what a connection speaks, however its first bytes are cut. */
export class FirstBytes {
  #held: Uint8Array = new Uint8Array(0);

  /** What has arrived so far. */
  get bytes(): Uint8Array {
    return this.#held;
  }

  /** @returns what all bytes together say; they are then in {@link bytes}. */
  push(chunk: Uint8Array): Recognised {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    return protocolOf(this.#held);
  }
}
