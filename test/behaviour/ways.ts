import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { beforeAll } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { startBroker } from '../../pkg/embed/index.ts';
import { startBrokerProcess } from '../support/broker-process.ts';

/** One way to reach a broker: how it is started, and what a client needs. */
export interface Way {
  name: string;
  start(): Promise<{ url: string } & AsyncDisposable>;
  tls?(): ConnectionOptions;
}

/** The largest message that these brokers take. */
export const MAX_MESSAGE_BYTES = 2048 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'tinymq-'));
let certificates: CertificateSet;

/** Makes the certificates for a file of tests. */
export function prepareWays(): void {
  beforeAll(async () => {
    certificates = await makeCertificates(folder);
    return () => rmSync(folder, { recursive: true });
  });
}

const limits = ['-max-message', '2MiB', '-channel-size', '1000'];
const tlsFlags = () => ['-tls-cert', certificates.serverCert, '-tls-key', certificates.serverKey];
const trusting = () => ({ ca: readFileSync(certificates.ca), servername: 'localhost' });
const identified = () => ({
  ...trusting(),
  cert: readFileSync(certificates.clientCert),
  key: readFileSync(certificates.clientKey),
});

/** Every transport with the real program, and a broker in this process. */
export const WAYS: readonly Way[] = [
  { name: 'tcp', start: () => startBrokerProcess(['-address', 'localhost:0', ...limits]) },
  {
    name: 'tls',
    start: () => startBrokerProcess(['-address', 'localhost:0', ...tlsFlags(), ...limits]),
    tls: trusting,
  },
  {
    name: 'mutual tls',
    start: () =>
      startBrokerProcess(['-address', 'localhost:0', ...tlsFlags(), '-tls-ca', certificates.ca, ...limits]),
    tls: identified,
  },
  {
    name: 'unix socket',
    start: () =>
      startBrokerProcess(['-network', 'unix', '-address', join(folder, 'behaviour.sock'), ...limits]),
  },
  { name: 'websocket', start: () => startBrokerProcess(['-listen', 'ws://localhost:0', ...limits]) },
  {
    name: 'websocket over tls',
    start: () => startBrokerProcess(['-listen', 'wss://localhost:0', ...tlsFlags(), ...limits]),
    tls: trusting,
  },
  {
    name: 'in this process',
    start: () =>
      startBroker({ listen: ['tcp://localhost:0'], maxMessageBytes: MAX_MESSAGE_BYTES, channelSize: 1000 }),
  },
];
