import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame, FrameType, frameSize, TOPIC_OFFSET } from '../../internal/protocol/frame/frame.ts';
import type { Address, Peer, Wire } from './peer.ts';

/** tinymq's own frames. */
export const frames: Wire = {
  connect: (clientId) => encodeFrame(FrameType.connect, '', '', clientId),
  subscribe: (filter) => encodeFrame(FrameType.subscribe, filter, '', ''),
  unsubscribe: (filter) => encodeFrame(FrameType.unsubscribe, filter, '', ''),
  ping: (clientId) => encodeFrame(FrameType.ping, '', '', clientId),
  pong: (clientId) => encodeFrame(FrameType.pong, '', '', clientId),
  publish: (topic, payload, clientId) => encodeFrame(FrameType.publish, topic, payload, clientId),
  delivery: (topic, payloadBytes, publisherId) => ({
    bytes: frameSize(Buffer.byteLength(topic), payloadBytes, Buffer.byteLength(publisherId)),
    payloadOffset: TOPIC_OFFSET + Buffer.byteLength(topic) + 4,
  }),
  greetsBeforeTls: false,
};

/** The broker of this checkout, as it was built. */
export const tinymq = tinymqAt('tinymq', join(import.meta.dirname, '..', '..'));

/** The broker that was built in `checkout`. */
export function tinymqAt(name: string, checkout: string): Peer {
  const program = join(checkout, 'dist', 'cmd', 'broker.js');
  return {
    name,
    transports: ['tcp', 'tls', 'unix'],
    problem: () => (existsSync(program) ? undefined : `${program} is not there: make build writes it`),
    command: ({ address, certificates }) => ({
      program: process.execPath,
      args: [
        program,
        '-quiet',
        '-listen',
        urlOf(address),
        ...(certificates ? ['-tls-cert', certificates.certFile, '-tls-key', certificates.keyFile] : []),
      ],
    }),
    wire: frames,
  };
}

function urlOf(address: Address): string {
  return address.transport === 'unix'
    ? `unix://${address.path}`
    : `${address.transport}://127.0.0.1:${address.port}`;
}
