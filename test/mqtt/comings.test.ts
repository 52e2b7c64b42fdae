import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';

interface Line {
  level: string;
  msg: string;
  client?: string;
  code?: string;
}

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** CONNECT of client `a` with version 3.1.1, and what is wrong with one. */
const CONNECT = '100d00044d51545404020000000161';
const WITH_WILL_FOR_SYS = '101700044d5154540406000000016100042453595300027879';
const FRAME_CONNECT = '00000000000000000161';

it.each([
  ['MQTT says DISCONNECT', CONNECT, 'e000', 'a client said DISCONNECT', undefined],
  ['MQTT ends without', CONNECT, '', 'a client is gone without DISCONNECT', 'connection-lost'],
  ['frames say DISCONNECT', FRAME_CONNECT, '09000000000000000161', 'a client said DISCONNECT', undefined],
  ['frames end without', FRAME_CONNECT, '', 'a client is gone without DISCONNECT', 'connection-lost'],
])('the log has who comes and who goes: %s', async (_, connect, last, msg, code) => {
  const { dial, lines } = await logged();
  const socket = await dial();
  socket.write(Buffer.from(connect, 'hex'));
  await expect.poll(() => lines.at(-1)).toMatchObject({ msg: 'a client connected', client: 'a' });
  socket.end(Buffer.from(last, 'hex'));
  await once(socket, 'close');
  await expect.poll(() => lines.length).toBe(2);
  expect(lines[1]).toMatchObject({ level: 'debug', msg, client: 'a' });
  expect(lines[1].code).toBe(code);
});

it('the log names a client whose CONNECT is refused', async () => {
  const { dial, lines } = await logged();
  const socket = await dial();
  socket.write(Buffer.from(WITH_WILL_FOR_SYS, 'hex'));
  await expect.poll(() => lines.at(-1)).toMatchObject({ code: 'reserved-topic', client: 'a' });
});

async function logged() {
  const lines: Line[] = [];
  const write = (level: string) => (fields: object, msg: string) => lines.push({ ...fields, level, msg });
  const logger = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
  const broker: RunningBroker = await startBroker({ listen: ['tcp://127.0.0.1:0'], logger });
  cleanUp.push(() => broker.close());
  const port = Number(broker.url.split(':').at(-1));

  async function dial(): Promise<Socket> {
    const socket = connectSocket(port, '127.0.0.1').resume();
    cleanUp.push(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  return { dial, lines };
}
