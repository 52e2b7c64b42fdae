import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { beforeAll, expect, it } from 'vitest';
import { type CertificateSet, makeCertificates } from './make.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-certs-'));
let files: CertificateSet;

beforeAll(async () => {
  files = await makeCertificates(folder, ['broker.lan', '192.0.2.7']);
  return () => rmSync(folder, { recursive: true });
});

it('the CA signed both, and they say what they are for', () => {
  const [ca, server, client] = [files.ca, files.serverCert, files.clientCert].map(certificate);
  expect(ca.ca).toBe(true);
  for (const signed of [server, client]) {
    expect(signed.ca).toBe(false);
    expect(signed.checkIssued(ca)).toBe(true);
    expect(signed.verify(ca.publicKey)).toBe(true);
  }
  expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(client.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
});

it.each(['localhost', 'broker.lan'])('the server may be called %s', (name) => {
  expect(certificate(files.serverCert).checkHost(name)).toBe(name);
});

it.each(['127.0.0.1', '::1', '192.0.2.7'])('the server may be at %s', (address) => {
  expect(certificate(files.serverCert).checkIP(address)).toBe(address);
});

it('serial numbers are positive and differ', () => {
  // Go refuses a certificate with a negative serial number; the runtime shows that with a minus sign.
  const serials = [files.ca, files.serverCert, files.clientCert].map(
    (file) => certificate(file).serialNumber,
  );
  for (const serial of serials) expect(serial).toMatch(/^[0-9A-F]+$/);
  expect(new Set(serials).size).toBe(3);
});

it('each key fits its certificate, and only its owner may read it', () => {
  for (const name of ['ca', 'server', 'client']) {
    const key = join(folder, `${name}.key`);
    createSecureContext({ cert: readFileSync(join(folder, `${name}.crt`)), key: readFileSync(key) });
    expect(statSync(key).mode & 0o777).toBe(0o600);
  }
});

function certificate(file: string): X509Certificate {
  return new X509Certificate(readFileSync(file));
}
