import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { Traffic } from './traffic.ts';

describe('traffic', () => {
  it('is counted while a socket is open, and still there when it has closed', async () => {
    const traffic = new Traffic();
    const server = createServer((socket) => {
      socket.once('data', () => socket.write('four'));
      socket.on('end', () => socket.end());
    });
    traffic.watch(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('sixsix');
    await once(client, 'data');
    expect(traffic).toMatchObject({ accepted: 1, bytesReceived: 6, bytesSent: 4 });
    client.end();
    await once(client, 'close');
    await vi.waitFor(() => server.getConnections((_, count) => expect(count).toBe(0)));
    expect(traffic).toMatchObject({ accepted: 1, bytesReceived: 6, bytesSent: 4 });
    server.close();
  });
});
