import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { certificateNames } from './certificate-names.ts';

x509.cryptoProvider.set(crypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

async function der(name: x509.JsonName, alternatives: x509.JsonGeneralNames = []): Promise<Uint8Array> {
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: algorithm,
    extensions: alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)],
  });
  return new Uint8Array(certificate.rawData);
}

describe('the names in a certificate', () => {
  it('are its subject and its alternative names', async () => {
    const names = await der(
      [{ C: ['DE'] }, { O: ['Example, Inc.'] }, { CN: ['s7'] }],
      [
        { type: 'dns', value: 's7.example.com' },
        { type: 'email', value: 's7@example.com' },
        { type: 'url', value: 'spiffe://example.com/s7' },
        { type: 'ip', value: '127.0.0.1' },
      ],
    );
    expect(certificateNames(names)).toEqual({
      subject: 'CN=s7,O=Example\\, Inc.,C=DE',
      commonNames: ['s7'],
      dnsNames: ['s7.example.com'],
      emails: ['s7@example.com'],
      uris: ['spiffe://example.com/s7'],
      problem: undefined,
    });
  });

  it('are never split: what looks like two names is one', async () => {
    const names = certificateNames(
      await der([{ CN: ['a, CN=root'] }], [{ type: 'dns', value: 'a, DNS:root.example.com' }]),
    );
    expect(names).toMatchObject({
      subject: 'CN=a\\, CN\\=root',
      commonNames: ['a, CN=root'],
      dnsNames: ['a, DNS:root.example.com'],
    });
  });

  it('are all told where there are several common names, in one part of the subject or two', async () => {
    const two = certificateNames(await der([{ CN: ['a'] }, { CN: ['root'] }]));
    expect(two.commonNames).toEqual(['a', 'root']);
    expect(two.subject).toBe('CN=root,CN=a');
    const together = certificateNames(await der([{ CN: ['a', 'root'] }]));
    expect([...together.commonNames].sort()).toEqual(['a', 'root']);
  });

  it.each([
    ['a NUL', [{ CN: [{ utf8String: 'root\0.example.com' }] }], []],
    ['a line break', [{ CN: [{ utf8String: 'a\nCN=root' }] }], []],
    ['a NUL in an alternative name', [{ CN: ['a'] }], [{ type: 'dns', value: 'root\0' }]],
  ] as [string, x509.JsonName, x509.JsonGeneralNames][])(
    'with %s are a problem',
    async (_, name, alternatives) => {
      const names = certificateNames(await der(name, alternatives));
      expect(names.problem).toMatch(/^its names cannot be read/);
      expect(names.commonNames).toEqual([]);
    },
  );

  it('in an encoding that is read in several ways are a problem', async () => {
    const bytes = await der([{ CN: ['abcdef'] }]);
    const at = Buffer.from(bytes).lastIndexOf('abcdef') - 2;
    expect(certificateNames(bytes).commonNames).toEqual(['abcdef']);
    bytes[at] = 0x14;
    expect(certificateNames(bytes).problem).toContain('encoding');
  });

  it('of bytes that are no certificate are a problem, and no error', async () => {
    const whole = await der([{ CN: ['a'] }], [{ type: 'dns', value: 'b' }]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(certificateNames(bytes).problem).toBeDefined();
      }),
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const changed = whole.slice();
        changed[at] = byte;
        const { commonNames, dnsNames, problem } = certificateNames(changed);
        if (problem !== undefined) expect([...commonNames, ...dnsNames]).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});
