import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemOfProgram } from '../processes.ts';
import type { LivePeer, StartRequest, Wire } from './peer.ts';

const packetId = Uint8Array.of(0, 1);

/** MQTT 3.1.1, QoS 0, clean sessions. */
const wire: Wire = {
  connect: (clientId) => packet(0x10, string('MQTT'), Uint8Array.of(4, 0b10, 0, 0), string(clientId)),
  subscribe: (filter) => packet(0x82, packetId, string(filter), Uint8Array.of(0)),
  unsubscribe: (filter) => packet(0xa2, packetId, string(filter)),
  ping: () => Uint8Array.of(0xc0, 0),
  pong: () => Uint8Array.of(0xd0, 0),
  publish: (topic, payload) => packet(0x30, string(topic), payload),
  delivery(topic, payloadBytes) {
    const bytes = packet(0x30, string(topic), new Uint8Array(payloadBytes)).length;
    return { bytes, payloadOffset: bytes - payloadBytes };
  },
  greetsBeforeTls: false,
};

/** mosquitto, with no bound on what waits for a subscriber, so that it need not drop what the bench lets wait. */
export const mosquitto: LivePeer = {
  name: 'mosquitto',
  transports: ['tcp', 'tls', 'unix'],
  problem: () => problemOfProgram('mosquitto'),
  command(request) {
    const configFile = join(request.folder, 'mosquitto.conf');
    writeFileSync(configFile, configuration(request));
    return { program: 'mosquitto', args: ['-c', configFile] };
  },
  wire,
};

function configuration({ address, certificates }: StartRequest): string {
  return [
    address.transport === 'unix' ? `listener 0 ${address.path}` : `listener ${address.port} 127.0.0.1`,
    'allow_anonymous true',
    'max_queued_messages 0',
    'log_type error',
    // Only one who is root changes to another user, who could not read the certificate.
    'user root',
    certificates ? `certfile ${certificates.certFile}\nkeyfile ${certificates.keyFile}` : '',
  ].join('\n');
}

function packet(type: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  return Buffer.concat([Uint8Array.of(type), variableLength(body.length), body]);
}

function variableLength(length: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = length; bytes.length === 0 || rest > 0; rest >>>= 7) {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  }
  return Uint8Array.from(bytes);
}

function string(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([Uint8Array.of(bytes.length >>> 8, bytes.length), bytes]);
}
