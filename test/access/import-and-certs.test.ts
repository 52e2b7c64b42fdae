import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAccessFile } from '../../internal/access/file/parse-access-file.ts';
import { hashPassword } from '../../internal/access/users/password-hash.ts';
import { startBroker } from '../../pkg/embed/index.ts';
import { RawMqtt } from '../mqtt/client.ts';
import { runTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-import-access-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('tinymq import mosquitto', () => {
  // Of mosquitto_passwd of version 2, for the password `secret`.
  const HASH =
    '$7$101$ZFs45xJw53Ve+QgG$B5X4ru+kFZlkOIUFOWLdNjXWcmXp8l3r10hjLTugUTwJcDCO+asoDBZn0ujEVu0DsJ+5Sn6kiZ7asM3Ho3hAwA==';

  function files(): string {
    const place = mkdtempSync(join(folder, 'mosquitto-'));
    writeFileSync(join(place, 'passwd'), `anna:${HASH}\nzoe:plain-secret\n`);
    writeFileSync(join(place, 'acl'), 'user anna\ntopic readwrite a/#\nnonsense\npattern write d/%u/#\n');
    const conf =
      'per_listener_settings true\nallow_anonymous false\npassword_file passwd\nacl_file acl\nplugin x.so\n';
    writeFileSync(join(place, 'mosquitto.conf'), conf);
    return place;
  }

  it('says what it takes and what not, and changes nothing with -dry-run', async () => {
    const place = files();
    const dataDir = join(place, 'data');
    const args = ['import', 'mosquitto', '-conf', join(place, 'mosquitto.conf'), '-data-dir', dataDir];
    const { code, out } = await runTinymq([...args, '-dry-run']);
    expect(code).toBe(0);
    expect(out).toContain('mosquitto.conf, line 1: per_listener_settings');
    expect(out).toContain('mosquitto.conf, line 5: plugin: plugins are not served');
    expect(out).toContain("passwd, line 2, user 'zoe': the password is no hash");
    expect(out).toContain('acl, line 3: begins with neither user, topic nor pattern');
    expect(out).toMatch(/^Would take over 1 user and 3 rules\.$/m);
    expect(out).not.toContain('plain-secret');
    expect(statSync(dataDir, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('writes a file of users, which a broker takes, or into the store, as often as one likes', async () => {
    const place = files();
    const args = ['import', 'mosquitto', '-conf', join(place, 'mosquitto.conf')];
    const output = join(place, 'users.yaml');
    expect((await runTinymq([...args, '-output', output])).code).toBe(0);
    const declared = parseAccessFile(readFileSync(output, 'utf8'));
    expect(declared.users).toMatchObject([{ name: 'anna', password: HASH }]);
    expect(declared.rules).toHaveLength(3);
    expect((await runTinymq([...args, '-output', output])).errors).toContain('it exists already');
    const dataDir = join(place, 'data');
    for (let time = 0; time < 2; time++) {
      const { code, errors } = await runTinymq([...args, '-data-dir', dataDir, '-quiet']);
      expect(code, errors).toBe(0);
    }
    const { out } = await runTinymq(['acl', 'test', 'anna', 'publish', 'd/anna/x', '-data-dir', dataDir]);
    expect(out).toBe('allowed: rule 3, mosquitto-2: allow publish on topics d/%u/# for everybody\n');
  });

  // Node has argon2id from 24.7 on; mosquitto 2.1 makes no other hashes.
  it('names everybody who has to set a new password where hashes cannot be checked', async () => {
    const place = mkdtempSync(join(folder, 'argon2-'));
    const argon2id =
      '$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$u74LUvFExI7HNAMxuNbXVqZBp8H2pGdkt+xa+HoEpNk';
    writeFileSync(join(place, 'passwd'), `anna:${argon2id}\nben:${HASH}\nzoe:${argon2id}\n`);
    const output = join(place, 'users.json');
    const args = ['import', 'mosquitto', '-passwords', join(place, 'passwd'), '-output', output];
    const withoutArgon2 =
      "import c from 'node:crypto';import m from 'node:module';delete c.argon2;m.syncBuiltinESMExports()";
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(withoutArgon2)}`;
    const { code, out, errors } = await runTinymq(args, '', { NODE_OPTIONS });
    expect([code, errors]).toEqual([0, '']);
    const told = 'the hash is argon2id, which needs Node 24.7 or newer; use that, or set a new password';
    for (const [line, name] of [
      [1, 'anna'],
      [3, 'zoe'],
    ] as const)
      expect(out).toContain(`passwd, line ${line}, user '${name}': ${told}`);
    expect(out).toMatch(/^Need a new password \(tinymq users add NAME\): 'anna', 'zoe'\.$/m);
    expect(out).not.toContain('u74LUvFExI7');
    expect(parseAccessFile(readFileSync(output, 'utf8')).users.map(({ name }) => name)).toEqual(['ben']);
    rmSync(output);
    // With such a Node all of them keep their passwords.
    expect((await runTinymq(args)).code).toBe(0);
    expect(parseAccessFile(readFileSync(output, 'utf8')).users.map(({ name }) => name)).toEqual([
      'anna',
      'ben',
      'zoe',
    ]);
  });

  it('without files is wrong usage', async () => {
    expect((await runTinymq(['import', 'mosquitto'])).code).toBe(2);
  });
});

describe('tinymq certs', () => {
  it('makes what TLS needs, more clients with the same CA, and replaces nothing unasked', async () => {
    const out = join(folder, 'certs');
    const certs = (...args: string[]) => runTinymq(['certs', '-out', out, ...args]);
    expect((await certs('-name', 'broker.lan', '-name', '192.0.2.7', '-quiet')).code).toBe(0);
    const file = (name: string) => readFileSync(join(out, name));
    const server = new X509Certificate(file('server.crt'));
    for (const name of ['localhost', 'broker.lan']) expect(server.checkHost(name)).toBe(name);
    for (const address of ['127.0.0.1', '::1', '192.0.2.7']) expect(server.checkIP(address)).toBe(address);
    for (const name of ['ca', 'server', 'client'])
      expect(statSync(join(out, `${name}.key`)).mode & 0o777).toBe(0o600);
    const again = await certs();
    expect([again.code, again.errors]).toEqual([1, expect.stringContaining('client.crt is there already')]);
    expect((await certs('-client', 'anna', '-client', 'sensor-7', '-quiet')).code).toBe(0);
    const anna = new X509Certificate(file('anna.crt'));
    expect([anna.subject, anna.verify(new X509Certificate(file('ca.crt')).publicKey)]).toEqual([
      'CN=anna',
      true,
    ]);
    expect((await certs('-client', '../anna')).code).toBe(2);
    expect((await certs('-force', '-quiet')).code).toBe(0);
    expect(anna.verify(new X509Certificate(file('ca.crt')).publicKey), 'the CA is new').toBe(false);
  });

  it('whose client certificate names a user lets that in, with its rules', async () => {
    const out = join(folder, 'mutual');
    expect((await runTinymq(['certs', '-out', out, '-client', 'sensor-7', '-quiet'])).code).toBe(0);
    const usersFile = join(folder, 'mutual.json');
    const rules = [{ allow: ['publish'], users: ['*'], topics: ['devices/%u/#'] }];
    writeFileSync(
      usersFile,
      JSON.stringify({ users: { other: { password: await hashPassword(Buffer.from('x')) } }, rules }),
    );
    const path = (name: string) => join(out, name);
    await using broker = await startBroker({
      listen: ['tls://0.0.0.0:0'],
      ...{
        usersFile,
        tls: { certFile: path('server.crt'), keyFile: path('server.key'), caFile: path('ca.crt') },
      },
    });
    const [ca, cert, key] = ['ca.crt', 'sensor-7.crt', 'sensor-7.key'].map((name) =>
      readFileSync(path(name)),
    );
    const socket = connectTls({ host: '127.0.0.1', port: Number(new URL(broker.url).port), ca, cert, key });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    const client = new RawMqtt(socket, 5);
    expect((await client.connect({ clientId: 'c' })).reasonCode).toBe(0);
    expect(await client.publishSafely('devices/sensor-7/a', 'x')).toBeLessThan(0x80);
    expect(await client.publishSafely('devices/other/a', 'x')).toBe(0x87);
    client.drop();
  });
});
