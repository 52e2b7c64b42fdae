import { describe, expect, it } from 'vitest';
import { natsServer, startNats } from './nats-servers.ts';

const program = await natsServer();

describe.runIf('there' in program)('NATS servers for tests', () => {
  const command = 'there' in program ? program.there : '';

  it('are a cluster that serves, also after one was killed', async () => {
    await using nats = await startNats(command);
    const [first] = nats.servers;
    await first.kill();
    await expect(fetch(`${first.monitorUrl}/varz`)).rejects.toThrow();
    first.start();
    await first.untilReady();
    const answer = await fetch(`${first.monitorUrl}/varz`);
    expect(await answer.json()).toMatchObject({ tags: ['sync:always'], max_payload: 8 * 1024 * 1024 });
  });
});

it('nats-server is here, or it is said why not', () => {
  if ('missing' in program) console.warn(`nats-server: ${program.missing}`);
});
