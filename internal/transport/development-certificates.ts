import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import * as x509 from '@peculiar/x509';

/** Certificates for development: an authority, and those that it signs. Nothing but this runtime is needed for them. */

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3_600_000;
/** The longest that all browsers and Apple's systems take. */
export const VALID_DAYS = 825;
/** Clocks of other machines may be a little behind. */
const VALID_BEFORE_MS = DAY_MS;

x509.cryptoProvider.set(crypto);

/** A certificate for a server that is called so, beside the names of this machine. */
export function makeServerCertificate(
  ca: CertifiedKey,
  names: readonly string[] = [hostname()],
  days = VALID_DAYS,
): Promise<CertifiedKey> {
  return sign(ca, 'localhost', days, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    alternativeNames(['localhost', '127.0.0.1', '::1', ...names]),
  ]);
}

/** A certificate for one of several servers that connect to each other. */
export function makePeerCertificate(
  ca: CertifiedKey,
  names: readonly string[],
  days = VALID_DAYS,
): Promise<CertifiedKey> {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  return sign(ca, names[0]!, days, [
    new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
    alternativeNames(names),
  ]);
}

/** A certificate for a client; its common name is the name of the user. */
export function makeClientCertificate(
  ca: CertifiedKey,
  name: string,
  days = VALID_DAYS,
): Promise<CertifiedKey> {
  return sign(ca, name, days, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]);
}

/** Certificate and key as PEM. */
export async function pemOf({
  certificate,
  keys,
}: CertifiedKey): Promise<{ certificate: string; key: string }> {
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}

/** An authority that was made before. @throws Error where the texts are no certificate and key of this kind. */
export async function readAuthority(certificate: string, key: string): Promise<CertifiedKey> {
  const parsed = new x509.X509Certificate(certificate);
  const [der] = x509.PemConverter.decode(key);
  const privateKey = await crypto.subtle.importKey('pkcs8', der!, algorithm, true, ['sign']);
  const publicKey = await parsed.publicKey.export(algorithm, ['verify'], x509.cryptoProvider.get());
  return { certificate: parsed, keys: { privateKey, publicKey } };
}

type KeyPair = webcrypto.CryptoKeyPair;

/** A certificate with its key. */
export interface CertifiedKey {
  certificate: x509.X509Certificate;
  keys: KeyPair;
}

/** Makes an authority that signs the others. */
export async function makeAuthority(days = VALID_DAYS): Promise<CertifiedKey> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=tinymq development CA',
    keys,
    signingAlgorithm: algorithm,
    ...lifetime(days),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, keys };
}

async function sign(
  ca: CertifiedKey,
  name: string,
  days: number,
  extensions: x509.Extension[],
): Promise<CertifiedKey> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: new x509.Name([{ CN: [name] }]).toString(),
    issuer: ca.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: ca.keys.privateKey,
    signingAlgorithm: algorithm,
    ...lifetime(days),
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

function lifetime(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - VALID_BEFORE_MS), notAfter: new Date(now + days * DAY_MS) };
}

function alternativeNames(names: readonly string[]): x509.SubjectAlternativeNameExtension {
  const unique = [...new Set(names)];
  return new x509.SubjectAlternativeNameExtension(
    unique.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
  );
}
