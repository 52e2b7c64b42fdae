import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type CertifiedKey,
  makeAuthority,
  makeClientCertificate,
  makeServerCertificate,
  pemOf,
  VALID_DAYS,
} from '../internal/transport/development-certificates.ts';

/** What {@link makeCertificates} wrote. */
export interface CertificateSet {
  ca: string;
  serverCert: string;
  serverKey: string;
  clientCert: string;
  clientKey: string;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));

async function main(args: string[]): Promise<void> {
  const folder = fileURLToPath(new URL('out', import.meta.url));
  const isForced = args.includes('-force') || args.includes('--force');
  const unknown = args.find((arg) => arg.startsWith('-') && !/^--?force$/.test(arg));
  if (unknown !== undefined) {
    console.error(
      `certs: unknown flag ${unknown}; the only one is -force, everything else is a name of the server`,
    );
    process.exitCode = 2;
    return;
  }
  if (existsSync(join(folder, 'server.crt')) && !isForced) {
    console.log('certs/out has certificates already; make new ones with: make certs ARGS=-force');
    return;
  }
  const names = args.filter((arg) => !arg.startsWith('-'));
  await makeCertificates(folder, [hostname(), ...names]);
  console.log(`Wrote a CA, a server and a client certificate to certs/out, valid for ${VALID_DAYS} days. Try:

  broker -address localhost:8883 -tls-cert certs/out/server.crt -tls-key certs/out/server.key
  subscriber -address localhost:8883 -tls-ca certs/out/ca.crt -topic 'sensors/#'

Add -tls-ca certs/out/ca.crt to the broker to ask clients for a certificate; then they need
-tls-cert certs/out/client.crt -tls-key certs/out/client.key.`);
}

/**
 * Makes a CA for development, and a server and a client certificate that it signed, as PEM files in a folder.
 *
 * @param names more names or addresses of the server, beside those of this machine.
 */
export async function makeCertificates(
  folder: string,
  names: readonly string[] = [],
): Promise<CertificateSet> {
  mkdirSync(folder, { recursive: true });
  const ca = await makeAuthority();
  const server = await makeServerCertificate(ca, names);
  const client = await makeClientCertificate(ca, 'client');
  await write(folder, 'ca', ca);
  await write(folder, 'server', server);
  await write(folder, 'client', client);
  return {
    ca: join(folder, 'ca.crt'),
    serverCert: join(folder, 'server.crt'),
    serverKey: join(folder, 'server.key'),
    clientCert: join(folder, 'client.crt'),
    clientKey: join(folder, 'client.key'),
  };
}

async function write(folder: string, name: string, made: CertifiedKey): Promise<void> {
  const { certificate, key } = await pemOf(made);
  const keyFile = join(folder, `${name}.key`);
  writeFileSync(join(folder, `${name}.crt`), certificate);
  writeFileSync(keyFile, key, { mode: 0o600 });
  chmodSync(keyFile, 0o600);
}
