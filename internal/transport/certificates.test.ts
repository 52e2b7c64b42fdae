import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { Certificates, validityOf } from './certificates.ts';

/** The files are looked at as often as the runtime can, so that nobody waits. */
const WATCH_MS = 20;
const root = mkdtempSync(join(tmpdir(), 'tinymq-certificates-'));
const cleanUp: (() => void)[] = [];
let first: CertificateSet;
let second: CertificateSet;

beforeAll(async () => {
  first = await makeCertificates(join(root, 'first'), []);
  second = await makeCertificates(join(root, 'second'), []);
});
afterEach(() => {
  for (const step of cleanUp.splice(0)) step();
});
afterAll(() => rmSync(root, { recursive: true }));

describe('certificates', () => {
  it('that are replaced are shown to new connections', async () => {
    const { files, certificates, outcomes } = open();
    const shown = await server(certificates);
    const before = await shown();
    replace(files.certFile, second.serverCert);
    replace(files.keyFile, second.serverKey);
    certificates.reload();
    expect(outcomes.at(-1)).toBeUndefined();
    expect(await shown()).not.toBe(before);
  });

  it('are read again when their files change, without anybody asking', async () => {
    const { files, certificates } = open();
    const material = vi.fn();
    certificates.onChange(material);
    replace(files.certFile, second.serverCert);
    replace(files.keyFile, second.serverKey);
    await vi.waitFor(() => expect(material).toHaveBeenCalled(), { timeout: 30_000 });
    expect(certificates.material.cert.equals(material.mock.lastCall![0].cert)).toBe(true);
  });

  it.each([
    ['a certificate that is none', 'certFile', 'nonsense'],
    ['a certificate that is empty', 'certFile', ''],
    ['a key that is none', 'keyFile', 'nonsense'],
    ['a CA that is none', 'caFile', 'nonsense'],
    ['a CA that is empty', 'caFile', ''],
    ['a CA that is cut off', 'caFile', '-----BEGIN CERTIFICATE-----\nMIIB\n'],
  ] as const)('that work are kept when they are replaced by %s', async (_, name, content) => {
    const { files, certificates, outcomes } = open();
    const shown = await server(certificates);
    const before = await shown();
    const { material } = certificates;
    writeFileSync(files[name], content);
    certificates.reload();
    expect(outcomes.at(-1)?.message).toContain(files[name]);
    expect(certificates.material).toBe(material);
    expect(await shown()).toBe(before);
  });

  it('may be signed by any of several CAs; all of them are read', () => {
    const { files, certificates, outcomes } = open();
    const both = Buffer.concat([readFileSync(first.ca), readFileSync(second.ca)]);
    writeFileSync(files.caFile, both);
    certificates.reload();
    expect(outcomes).toEqual([undefined]);
    writeFileSync(files.caFile, both.subarray(0, both.length - 100));
    certificates.reload();
    expect(outcomes.at(-1)?.message).toContain(`the CA certificate ${files.caFile} does not work: `);
    expect(certificates.material.ca?.equals(both)).toBe(true);
  });

  it('that work are kept when only one file of a pair was replaced yet', async () => {
    const { files, certificates, outcomes } = open();
    const { material } = certificates;
    replace(files.keyFile, second.serverKey);
    certificates.reload();
    expect(outcomes.at(-1)?.message).toMatch(/do not work: .*mismatch/);
    expect(certificates.material).toBe(material);
    replace(files.certFile, second.serverCert);
    certificates.reload();
    expect(outcomes.at(-1)).toBeUndefined();
    expect(certificates.material).not.toBe(material);
  });

  it('that work are kept when a file is gone', () => {
    const { files, certificates, outcomes } = open();
    rmSync(files.certFile);
    certificates.reload();
    expect(outcomes.at(-1)?.message).toBe(
      `cannot read the certificate ${files.certFile}: no such file or folder`,
    );
  });

  it('are looked at no more after they were closed', async () => {
    const { files, certificates, outcomes } = open();
    certificates.close();
    replace(files.certFile, second.serverCert);
    const { certificates: others, files: watched } = open();
    const seen = vi.fn();
    others.onChange(seen);
    replace(watched.certFile, first.serverCert);
    await vi.waitFor(() => expect(seen).toHaveBeenCalled(), { timeout: 30_000 });
    expect(outcomes).toEqual([]);
  });

  it('that are missing at the start are an error that names the file', () => {
    const keyFile = join(root, 'no-such.key');
    const files = { certFile: first.serverCert, keyFile };
    expect(() => new Certificates(files, WATCH_MS, () => {})).toThrow(
      `cannot read the key ${keyFile}: no such file or folder`,
    );
  });

  it('that do not belong together are an error that names both files', () => {
    const files = { certFile: first.serverCert, keyFile: second.serverKey };
    expect(() => new Certificates(files, WATCH_MS, () => {})).toThrow(
      `the certificate ${first.serverCert} and the key ${second.serverKey} do not work: `,
    );
  });
});

// An RSA certificate with an EC key was taken, at the start and at a reload, and every handshake failed.
it('a key of another kind than its certificate is refused', () => {
  const keyFile = join(root, 'rsa.key');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const { files, certificates, outcomes } = open();
  expect(() => new Certificates({ ...files, keyFile }, WATCH_MS, () => {})).toThrow('do not work: ');
  const { material } = certificates;
  cpSync(keyFile, files.keyFile);
  certificates.reload();
  expect(outcomes.at(-1)?.message).toContain('do not work: ');
  expect(certificates.material).toBe(material);
});

it('the time of a certificate is told where it has passed, soon will, or has not come', () => {
  const cert = readFileSync(first.serverCert);
  const { validFrom, validTo } = new X509Certificate(cert);
  const DAY_MS = 86_400_000;
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  expect(validityOf(cert, from - DAY_MS).problem).toMatch(/^the certificate is not valid before \d{4}-/);
  expect(validityOf(cert, from + DAY_MS).problem).toBeUndefined();
  expect(validityOf(cert, to - DAY_MS).problem).toMatch(/^the certificate expires soon, at \d{4}-/);
  expect(validityOf(cert, to + DAY_MS).problem).toMatch(/^the certificate expired at \d{4}-/);
});

/** Certificates over copies of the first set, and what they report: undefined for each reload that worked. */
function open() {
  const folder = mkdtempSync(join(root, 'copy-'));
  const files = {
    certFile: join(folder, 'server.crt'),
    keyFile: join(folder, 'server.key'),
    caFile: join(folder, 'ca.crt'),
  };
  replace(files.certFile, first.serverCert);
  replace(files.keyFile, first.serverKey);
  replace(files.caFile, first.ca);
  const outcomes: (Error | undefined)[] = [];
  const certificates = new Certificates(files, WATCH_MS, ({ error }) => outcomes.push(error));
  cleanUp.push(() => certificates.close());
  return { files, certificates, outcomes };
}

/** A TLS server with these certificates; the returned function tells which one a new connection is shown. */
async function server(certificates: Certificates): Promise<() => Promise<string>> {
  const tls = createServer({ ...certificates.material, requestCert: false }, (socket) => socket.end());
  certificates.onChange((material) => tls.setSecureContext(material));
  cleanUp.push(() => tls.close());
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  const { port } = tls.address() as AddressInfo;
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.on('error', reject);
    });
}

let clock = 0;

/** Puts a file in the place of another; its time differs from any before, however coarse the clock of the disk is. */
function replace(file: string, by: string): void {
  cpSync(by, file);
  const time = new Date(2030, 0, 1, 0, 0, clock++);
  utimesSync(file, time, time);
}
