import type { Wire } from './peer.ts';

const SUBSCRIBE_ID = Uint8Array.of(0, 1);

/** MQTT 3.1.1, QoS 0, clean sessions. */
export const mqtt: Wire = {
  connect: (clientId, keepAliveSeconds) => connectPacket(clientId, CLEAN_SESSION, keepAliveSeconds),
  subscribe: (filter) => subscribePacket(filter, 0),
  unsubscribe: (filter) => mqttPacket(0xa2, SUBSCRIBE_ID, mqttString(filter)),
  ping: () => Uint8Array.of(0xc0, 0),
  pong: () => Uint8Array.of(0xd0, 0),
  publish: (topic, payload) => mqttPacket(0x30, mqttString(topic), payload),
  delivery(topic, payloadBytes) {
    const bytes = mqttPacket(0x30, mqttString(topic), new Uint8Array(payloadBytes)).length;
    return { bytes, payloadOffset: bytes - payloadBytes };
  },
  greetsBeforeTls: false,
};

/** The same with sessions that outlast their connections. */
export const mqttPersistent: Wire = {
  ...mqtt,
  connect: (clientId, keepAliveSeconds) => connectPacket(clientId, 0, keepAliveSeconds),
};

const CLEAN_SESSION = 0b10;
/** Longer than any case. None at all would be simpler, but rumqttd refuses that. */
const LONG_KEEP_ALIVE_SECONDS = 3_600;

function connectPacket(
  clientId: string,
  flags: number,
  keepAliveSeconds = LONG_KEEP_ALIVE_SECONDS,
): Uint8Array {
  return mqttPacket(
    0x10,
    mqttString('MQTT'),
    Uint8Array.of(4, flags, keepAliveSeconds >>> 8, keepAliveSeconds),
    mqttString(clientId),
  );
}

export function subscribePacket(filter: string, qos: number): Uint8Array {
  return mqttPacket(0x82, SUBSCRIBE_ID, mqttString(filter), Uint8Array.of(qos));
}

/** What answers {@link subscribePacket}. */
export function subackPacket(qos: number): Uint8Array {
  return mqttPacket(0x90, SUBSCRIBE_ID, Uint8Array.of(qos));
}

/** @param firstByte the type and the flags. */
export function mqttPacket(firstByte: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  return Buffer.concat([Uint8Array.of(firstByte), variableLength(body.length), body]);
}

export function mqttString(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([Uint8Array.of(bytes.length >>> 8, bytes.length), bytes]);
}

function variableLength(length: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = length; bytes.length === 0 || rest > 0; rest >>>= 7) {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  }
  return Uint8Array.from(bytes);
}
