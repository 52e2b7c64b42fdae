import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give to whoever connects: one of them could be gone before its program listens, or while it is restarted. */
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/**
 * Test files that run side by side have each a part of the ports: nobody takes one whose program is being restarted.
 * vitest counts its workers from one on.
 */
const PARTS = 16;
const PORTS_PER_PART = PORTS / PARTS;
const PART = Number(process.env.VITEST_POOL_ID ?? 0) % PARTS;

const given = new Set<number>();

/** A port of this machine that nobody listens on, and that was not given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + PART * PORTS_PER_PART + randomInt(PORTS_PER_PART);
    if (given.has(port)) continue;
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    given.add(port);
    return port;
  }
}
