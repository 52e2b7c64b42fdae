import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DOORS } from '../doors/all.ts';
import type { Door, DoorEntry, OwnPort, SharedPort } from '../doors/door.ts';
import type { Connection } from '../transport/connection.ts';
import type { BrokerOptions } from './options.ts';
import { type RunningBroker, startWithDoors } from './start-broker.ts';

/** A small protocol: whatever a client says, it is answered the same in capitals, and told when the door closes. */
class LoudDoor implements Door {
  readonly name = 'loud';
  readonly #connections = new Set<Connection>();

  open(connection: Connection, first: Uint8Array): void {
    this.#connections.add(connection);
    const bytes = (chunk: Uint8Array) => {
      connection.write([Buffer.from(Buffer.from(chunk).toString().toUpperCase())]);
    };
    const closed = () => this.#connections.delete(connection);
    connection.handler = { bytes, drained() {}, ended: () => connection.end(), closed };
    if (first.length > 0) bytes(first);
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.end(Buffer.from('BYE'));
  }
}

function loudEntry(listening: OwnPort | SharedPort, more: Partial<DoorEntry> = {}): DoorEntry {
  return {
    ...{ name: 'loud', title: 'Loud', clients: 'loud', page: 'loud.md', serves: [], listening },
    ...{ needsLogs: false, authenticates: true, ...more },
    open: async () => new LoudDoor(),
  };
}

const ownPort: OwnPort = {
  defaultUrl: 'tcp://localhost:7',
  schemes: { loud: 'tcp' },
  defaultPorts: { tcp: 7 },
};

let broker: RunningBroker | undefined;
afterEach(async () => {
  await broker?.close();
});

describe('a door that a table has one more of', () => {
  it('is opened by the option of its name, serves, and says its last word when the broker stops', async () => {
    const options = { listen: [LOCAL], loud: { listen: ['loud://127.0.0.1:0'] } } as BrokerOptions;
    broker = await startWithDoors([...DOORS, loudEntry(ownPort)], options);
    expect(broker.listeners.map(({ door }) => door)).toEqual(['frames', 'loud']);
    const { answer, ended } = await said('hello', broker.listeners[1].url);
    expect(answer).toBe('HELLO');
    await broker.close();
    expect(await ended).toBe('BYE');
  });

  it('stays closed where nobody names it, and alone where nobody names another', async () => {
    broker = await startWithDoors([...DOORS, loudEntry(ownPort)], { listen: [LOCAL] });
    expect(broker.listeners.map(({ door }) => door)).toEqual(['frames']);
    await broker.close();
    const options = { loud: { listen: ['loud://127.0.0.1:0'] } } as BrokerOptions;
    broker = await startWithDoors([...DOORS, loudEntry(ownPort)], options);
    expect(broker.listeners.map(({ door }) => door)).toEqual(['loud']);
  });

  it('listens on addresses of its own kind only', async () => {
    const options = { loud: { listen: ['mqtt://localhost'] } } as BrokerOptions;
    await expect(startWithDoors([loudEntry(ownPort)], options)).rejects.toThrow(
      "'mqtt://localhost' is not an address to listen on; it begins with loud://",
    );
  });

  it('gets from the port of another door what begins as its clients begin, and nothing else', async () => {
    const shared: SharedPort = {
      sharesPortOf: 'frames',
      recognises: ([first]) => first === 'l'.charCodeAt(0),
      clientUrl: (url) => url,
    };
    broker = await startWithDoors([...DOORS, loudEntry(shared)], { listen: [LOCAL] });
    const { answer, ended } = await said('loud and clear', broker.url);
    expect(answer).toBe('LOUD AND CLEAR');
    const mqtt = Buffer.from('100c00044d51545404020000' + '0000', 'hex');
    expect(Buffer.from((await said(mqtt, broker.url)).answer, 'latin1')).toEqual(Buffer.of(0x20, 2, 0, 0));
    await broker.close();
    expect(await ended).toBe('BYE');
  });

  it('is not opened where it needs logs and the store does not open', async () => {
    const refused: string[] = [];
    const options = {
      ...{ listen: [LOCAL], loud: { listen: ['loud://127.0.0.1:0'] }, dataDir: '/dev/null/data' },
      ...{ dataDirIsOptional: true, onListenError: ({ url }: { url: string }) => refused.push(url) },
    } as BrokerOptions;
    broker = await startWithDoors([...DOORS, loudEntry(ownPort, { needsLogs: true })], options);
    expect(broker.listeners.map(({ door }) => door)).toEqual(['frames']);
    expect(refused).toEqual(['tcp://127.0.0.1:0']);
  });
});

const LOCAL = 'tcp://127.0.0.1:0';

/** What comes back for what a client says, and what comes after that until the connection ends. */
async function said(
  text: string | Uint8Array,
  url: string,
): Promise<{ answer: string; ended: Promise<string> }> {
  const { hostname, port } = new URL(url.replace(/^[a-z]+:/, 'http:'));
  const socket = connect(Number(port), hostname);
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  let rest = '';
  socket.on('data', (chunk) => {
    rest += chunk.toString();
  });
  const ended = once(socket, 'close').then(() => rest);
  return { answer: answer.toString('latin1'), ended };
}
