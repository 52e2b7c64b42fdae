import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, expect, it, vi } from 'vitest';
import { startHttp } from '../support/http-door.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-handshakes-'));
afterAll(() => rmSync(folder, { recursive: true }));

// The runtime tells of such a handshake twice, and of a broken request in the same place.
it('are told once each, with a remedy of their own; a broken request is none', async () => {
  expect((await runTinymq(['certs', '-out', folder])).code).toBe(0);
  const [certFile, keyFile] = [join(folder, 'server.crt'), join(folder, 'server.key')];
  const { broker } = await startHttp({
    tls: { certFile, keyFile },
    http: { listen: ['https://127.0.0.1:0', 'http://127.0.0.1:0'] },
  });
  const [secure, plain] = broker.listeners
    .filter(({ door }) => door === 'http')
    .map(({ url }) => new URL(url));
  const problems = () => broker.stats().connection_problems_total;
  const of = (code: string) => broker.stats()[`connection_problems_total{code="${code}"}`];
  const PATIENCE = { timeout: 20_000, interval: 20 };
  const port = Number(secure!.port);
  connect(port, '127.0.0.1')
    .on('error', () => {})
    .end('GET / HTTP/1.1\r\n\r\n');
  await vi.waitFor(() => expect(problems()).toBe(1), PATIENCE);
  connectTls({ port, host: '127.0.0.1' }).on('error', () => {});
  await vi.waitFor(() => expect([problems(), of('tls-handshake-failed')]).toEqual([2, 2]), PATIENCE);
  connect(Number(plain!.port), '127.0.0.1')
    .on('error', () => {})
    .end('NOT HTTP\r\n\r\n');
  await vi.waitFor(() => expect([problems(), of('malformed-http-request')]).toEqual([3, 1]), PATIENCE);
});
