import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemOfProgram } from '../processes.ts';
import type { LivePeer, StartRequest, Wire } from './peer.ts';

const text = new TextEncoder();

/** NATS' text protocol, without acknowledgements. */
const wire: Wire = {
  connect: () => text.encode('CONNECT {"verbose":false,"pedantic":false}\r\n'),
  subscribe: (filter, id) => text.encode(`SUB ${subjectOf(filter)} ${id}\r\n`),
  unsubscribe: (_filter, id) => text.encode(`UNSUB ${id}\r\n`),
  ping: () => text.encode('PING\r\n'),
  pong: () => text.encode('PONG\r\n'),
  publish: (topic, payload) =>
    Buffer.concat([
      text.encode(`PUB ${subjectOf(topic)} ${payload.length}\r\n`),
      payload,
      text.encode('\r\n'),
    ]),
  delivery(topic, payloadBytes, _publisherId, subscriptionId) {
    const payloadOffset = `MSG ${subjectOf(topic)} ${subscriptionId} ${payloadBytes}\r\n`.length;
    return { bytes: payloadOffset + payloadBytes + 2, payloadOffset };
  },
  greetsBeforeTls: true,
  // Two seconds after CONNECT the server measures the round trip, once for each connection.
  lateQuestion: { question: text.encode('PING\r\n'), answer: text.encode('PONG\r\n') },
};

/** nats-server, with one thread for its goroutines. */
export const nats: LivePeer = {
  name: 'nats',
  transports: ['tcp', 'tls'],
  problem: () => problemOfProgram('nats-server'),
  command(request) {
    const configFile = join(request.folder, 'nats.conf');
    writeFileSync(configFile, configuration(request));
    return { program: 'nats-server', args: ['-c', configFile], environment: { GOMAXPROCS: '1' } };
  },
  wire,
};

function configuration({ address, certificates }: StartRequest): string {
  if (address.transport === 'unix') throw new Error('nats-server has no unix sockets');
  return [
    `listen: "127.0.0.1:${address.port}"`,
    // Its questions are not messages, and would be counted as such.
    'ping_interval: "1h"',
    certificates ? `tls { cert_file: "${certificates.certFile}", key_file: "${certificates.keyFile}" }` : '',
  ].join('\n');
}

/** MQTT's notation as that of NATS; the topics of the bench have no dots. */
function subjectOf(filter: string): string {
  return filter
    .split('/')
    .map((level) => (level === '+' ? '*' : level === '#' ? '>' : level))
    .join('.');
}
