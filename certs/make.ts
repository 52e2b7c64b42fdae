import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as x509 from '@peculiar/x509';

/** What {@link makeCertificates} wrote. */
export interface CertificateSet {
  ca: string;
  serverCert: string;
  serverKey: string;
  clientCert: string;
  clientKey: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3_600_000;
const VALID_DAYS = 825;
/** Clocks of other machines may be a little behind. */
const VALID_BEFORE_MS = DAY_MS;

x509.cryptoProvider.set(crypto);

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
  const server = await sign(ca, 'localhost', [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    alternativeNames(['localhost', '127.0.0.1', '::1', ...names]),
  ]);
  const client = await sign(ca, 'client', [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
  ]);
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

type KeyPair = webcrypto.CryptoKeyPair;

interface Identity {
  certificate: x509.X509Certificate;
  keys: KeyPair;
}

async function makeAuthority(): Promise<Identity> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=tinymq development CA',
    keys,
    signingAlgorithm: algorithm,
    ...lifetime(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

async function sign(ca: Identity, name: string, extensions: x509.Extension[]): Promise<Identity> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: ca.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: ca.keys.privateKey,
    signingAlgorithm: algorithm,
    ...lifetime(),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(ca.keys.publicKey),
      ...extensions,
    ],
  });
  return { certificate, keys };
}

function makeKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<KeyPair>;
}

function lifetime(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - VALID_BEFORE_MS), notAfter: new Date(now + VALID_DAYS * DAY_MS) };
}

function alternativeNames(names: readonly string[]): x509.SubjectAlternativeNameExtension {
  const unique = [...new Set(names)];
  return new x509.SubjectAlternativeNameExtension(
    unique.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
  );
}

async function write(folder: string, name: string, { certificate, keys }: Identity): Promise<void> {
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  const keyFile = join(folder, `${name}.key`);
  writeFileSync(join(folder, `${name}.crt`), `${certificate.toString('pem')}\n`);
  writeFileSync(keyFile, `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`, { mode: 0o600 });
  chmodSync(keyFile, 0o600);
}
