import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Identity } from '../../internal/access/identity.ts';
import { UserAuthenticator } from '../../internal/access/users/user-authenticator.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { RawMqtt } from '../mqtt/client.ts';
import { type ClientCertificate, TestAuthority } from '../support/client-certificates.ts';
import { directoryOf, userWithout } from '../support/users.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-client-certificates-'));
let authority: TestAuthority;
let files: { certFile: string; keyFile: string; caFile: string };
let broker: RunningBroker | undefined;

beforeAll(async () => {
  authority = await TestAuthority.make(folder);
  files = { ...(await authority.server()), caFile: authority.file };
});
afterEach(() => broker?.close());
afterAll(() => rmSync(folder, { recursive: true }));

/** A broker that says who connected. */
async function started(crlFile?: string) {
  const users: (string | undefined)[] = [];
  const directory = directoryOf(userWithout('disabled', { isEnabled: false }));
  broker = await startBroker({
    listen: ['tls://127.0.0.1:0', 'wss://127.0.0.1:0'],
    memory: true,
    sysIntervalMs: 0,
    tls: { ...files, crlFile },
    authenticator: new UserAuthenticator({ directory, allowsAnonymous: false }),
    policy: {
      epoch: 0,
      isOpen: false,
      may: ({ user }: Identity, action) => {
        if (action === 'connect') users.push(user);
        return undefined;
      },
      onChange: () => () => {},
    },
  });
  return { users, tls: urlOf('tls'), wss: urlOf('wss') };
}

function urlOf(scheme: string): URL {
  return new URL(broker!.listeners.find(({ url }) => url.startsWith(`${scheme}:`))!.url);
}

/** The reason code of a CONNACK, or undefined where the handshake was refused. */
async function connackOver({ port }: URL, { cert, key }: ClientCertificate): Promise<number | undefined> {
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port: Number(port),
    cert,
    key,
    rejectUnauthorized: false,
  });
  const refused = new Promise<undefined>((resolve) => socket.once('error', () => resolve(undefined)));
  const answer = (async () => {
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    return (await new RawMqtt(socket, 5).connect({ clientId: 'c' })).reasonCode;
  })();
  const found = await Promise.race([answer.catch(() => undefined), refused]);
  socket.destroy();
  return found;
}

const BAD_CREDENTIALS = 0x86;

describe('a client certificate', () => {
  it('says who the client is, on tls and wss', async () => {
    const { users, tls, wss } = await started();
    const client = await authority.sign([{ CN: ['sensor-7'] }]);
    expect(await connackOver(tls, client)).toBe(0);
    const webSocket = new WebSocket(`wss://127.0.0.1:${wss.port}/mqtt`, ['mqtt'], {
      ...{ cert: client.cert, key: client.key, rejectUnauthorized: false },
    });
    await new Promise((resolve) => webSocket.once('open', resolve));
    const connect = Buffer.from('100e00044d5154540402000000027777', 'hex');
    const connack = new Promise<Buffer>((resolve) =>
      webSocket.once('message', (data) => resolve(data as Buffer)),
    );
    webSocket.send(connect);
    expect((await connack).toString('hex')).toBe('20020000');
    webSocket.terminate();
    expect(users).toEqual(['sensor-7', 'sensor-7']);
  });

  it('whose user is disabled, or not clear, lets nobody in', async () => {
    const { users, tls } = await started();
    expect(await connackOver(tls, await authority.sign([{ CN: ['disabled'] }]))).toBe(BAD_CREDENTIALS);
    expect(await connackOver(tls, await authority.sign([{ CN: ['a'] }, { CN: ['admin'] }]))).toBe(
      BAD_CREDENTIALS,
    );
    expect(await connackOver(tls, await authority.sign([{ CN: ['admin\0.example'] }]))).toBe(BAD_CREDENTIALS);
    expect(await connackOver(tls, await authority.sign([{ O: ['no name'] }]))).toBe(BAD_CREDENTIALS);
    expect(users).toEqual([]);
  });

  it('that was withdrawn is refused, also once the list has changed', async () => {
    const [bad, good] = [await authority.sign([{ CN: ['bad'] }]), await authority.sign([{ CN: ['good'] }])];
    const { users, tls } = await started(await authority.withdraw(bad));
    expect(await connackOver(tls, bad)).toBeUndefined();
    expect(await connackOver(tls, good)).toBe(0);
    await authority.withdraw(bad, good);
    broker!.reloadCertificates();
    expect(await connackOver(tls, good)).toBeUndefined();
    expect(users).toEqual(['good']);
  });

  it('has to be signed by the authority', async () => {
    const other = await TestAuthority.make(join(folder, 'other'));
    const { users, tls } = await started();
    expect(await connackOver(tls, await other.sign([{ CN: ['sensor-7'] }]))).toBeUndefined();
    expect(users).toEqual([]);
  });
});
