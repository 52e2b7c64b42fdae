import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** What a NATS server says of itself in its greeting, beside what every one says. */
export interface FakeInfo {
  version?: string;
  max_payload?: number;
  jetstream?: boolean;
  server_name?: string;
}

/** Greets as a NATS server does and answers PING; it stores nothing. */
export async function fakeNats(info: FakeInfo): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const greeting = {
    ...{ server_id: 'FAKE', server_name: 'fake', version: '2.15.2', proto: 1, headers: true },
    ...{ max_payload: 8 * 1024 * 1024, jetstream: true, ...info },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write(`INFO ${JSON.stringify(greeting)}\r\n`);
    socket.on('data', (chunk) => {
      if (chunk.includes('PING\r\n')) socket.write('PONG\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `nats://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
