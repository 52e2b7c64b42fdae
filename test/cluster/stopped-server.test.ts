import { describe, expect, it } from 'vitest';
import { connectToNats } from '../../internal/cluster/connection.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer, startNats } from '../support/nats-servers.ts';

const program = await natsServer();

/*
 * A NATS server that stands still closes no connection. Brokers that were connected to it waited for it for minutes, and where all of
 * them were, nobody wrote anything, although two servers were there.
 */
describe.runIf('there' in program)('a NATS server that stands still', { timeout: 120_000 }, () => {
  it('is left by who is connected to it', async () => {
    await using nats = await startNats('there' in program ? program.there : '');
    const connection = await connectToNats({ urls: nats.urls, fsync: 'commit' });
    const before = connection.getServer();
    const server = nats.servers.find(({ url }) => url.endsWith(before))!;
    server.pause();
    try {
      await eventually(() => connection.getServer() !== before, 'another server');
      await connection.flush();
      expect(nats.urls.some((url) => url.endsWith(connection.getServer()))).toBe(true);
    } finally {
      server.resume();
      await connection.close();
    }
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
