import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(crypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const lifetime = () => ({
  notBefore: new Date(Date.now() - DAY_MS),
  notAfter: new Date(Date.now() + DAY_MS),
});

/** A certificate and its key, in PEM. */
export interface ClientCertificate {
  cert: string;
  key: string;
  serialNumber: string;
}

/** An authority of a test, which signs certificates with any names. */
export class TestAuthority {
  readonly #folder: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;

  private constructor(folder: string, keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#folder = folder;
    this.#keys = keys;
    this.#certificate = certificate;
  }

  /** @param folder where its files are written. */
  static async make(folder: string): Promise<TestAuthority> {
    mkdirSync(folder, { recursive: true });
    const keys = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=authority of a test',
      keys,
      signingAlgorithm: algorithm,
      ...lifetime(),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(folder, keys, certificate);
  }

  /** The file of its own certificate. */
  get file(): string {
    return this.#write('ca.crt', this.#certificate.toString('pem'));
  }

  /** The files of a server on this machine. */
  async server(): Promise<{ certFile: string; keyFile: string }> {
    const { cert, key } = await this.sign(
      [{ CN: ['localhost'] }],
      [
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ],
    );
    return { certFile: this.#write('server.crt', cert), keyFile: this.#write('server.key', key) };
  }

  async sign(subject: x509.JsonName, names: x509.JsonGeneralNames = []): Promise<ClientCertificate> {
    const keys = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      ...lifetime(),
      extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
    });
    const der = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    const { serialNumber } = certificate;
    return {
      cert: certificate.toString('pem'),
      key: x509.PemConverter.encode(der, 'PRIVATE KEY'),
      serialNumber,
    };
  }

  /** Writes the list of what it has withdrawn. */
  async withdraw(...certificates: ClientCertificate[]): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.#certificate.subject,
      thisUpdate: new Date(Date.now() - DAY_MS),
      nextUpdate: new Date(Date.now() + DAY_MS),
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      entries: certificates.map(({ serialNumber }) => ({ serialNumber, revocationDate: new Date() })),
    });
    return this.#write('ca.crl', x509.PemConverter.encode(crl.rawData, 'X509 CRL'));
  }

  #write(name: string, content: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, content);
    return path;
  }
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}
