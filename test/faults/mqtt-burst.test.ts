import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { encodePacket } from '../../internal/protocol/mqtt/encode.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { brokerProcess, program, REPORTING, start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';

const CLIENTS = Math.min(3_000, systemBacklog());

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets) socket.destroy();
});

it('a burst of clients waits for a broker that is busy, and not one is reset', async () => {
  const flags = ['-address', '127.0.0.1:0', '-memory', ...REPORTING];
  await using broker = await brokerProcess(start(program('broker'), [...flags]));
  const { hostname, port } = new URL(broker.url);
  const problems: Error[] = [];
  const answers = new Map<number, Buffer>();
  let connected = 0;
  process.kill(broker.pid, 'SIGSTOP');
  for (let index = 0; index < CLIENTS; index++) {
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.push(socket);
    socket.on('error', (error) => problems.push(error));
    socket.on('data', (bytes) => answers.set(index, bytes));
    socket.on('connect', () => {
      connected++;
      socket.write(connectPacket(`burst-${index}`));
    });
  }
  // The system accepts them; the broker does not run.
  await eventually(() => problems.length > 0 || connected === CLIENTS, 'room for every client in the queue');
  process.kill(broker.pid, 'SIGCONT');
  await eventually(() => problems.length > 0 || answers.size === CLIENTS, 'an answer for every client');
  expect(problems).toEqual([]);
  const accepted = '20020000';
  expect([...answers.values()].filter((bytes) => bytes.toString('hex') !== accepted)).toEqual([]);
});

/** What the system allows to wait for a listener; elsewhere than on Linux it cannot be asked. */
function systemBacklog(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  } catch {
    return 100;
  }
}

function connectPacket(clientId: string): Uint8Array {
  const connection = { version: 4, cleanStart: true, keepAliveS: 0, properties: NO_PROPERTIES } as const;
  return encodePacket({ type: PacketType.connect, clientId, ...connection }, 4);
}
