import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../../certs/make.ts';
import { hasJava, runKafkaClass } from '../support/apache-kafka.ts';
import { type BrokerProcess, run, startBrokerProcess } from '../support/broker-process.ts';
import { kcat, toolchain } from './support/toolchains.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-addresses-'));
const file = (name: string) => join(folder, name);
beforeAll(() => makeCertificates(folder));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
const hasIPv6 = own.some(({ address }) => address === '::1');

const withKcat = kcat();
const withJava = await toolchain('java and mvn', hasJava(), async () => runKafkaClass);

function started(...flags: string[]): Promise<BrokerProcess> {
  return startBrokerProcess(['-memory', ...flags]);
}

function portOf(broker: BrokerProcess): string {
  const { kafka } = JSON.parse(broker.stdout()) as { kafka: string[] };
  return new URL(kafka[0]).port;
}

/** Produces and consumes with kcat; returns what it found out about brokers. */
async function tryKcat(bootstrap: string, settings: readonly string[] = []): Promise<{ name: string }[]> {
  const ask = async (args: readonly string[], input = '') => {
    const all = ['-b', bootstrap, ...settings.flatMap((each) => ['-X', each]), ...args];
    const { code, stdout, stderr } = await run('kcat', all, { input });
    expect(code, `kcat ${all.join(' ')}: ${stderr}`).toBe(0);
    return stdout;
  };
  await ask(['-P', '-t', 't', '-X', 'message.timeout.ms=30000'], 'there\n');
  expect(await ask(['-C', '-t', 't', '-o', '-1', '-e', '-q'])).toBe('there\n');
  return JSON.parse(await ask(['-L', '-J'])).brokers;
}

describe('an address that nobody set up', { timeout: 180_000 }, () => {
  if ('missing' in withKcat) {
    it(withKcat.missing, ({ skip }) => skip());
    return;
  }

  it('is the one that the client dialled, whichever of the machine that is', async () => {
    await using broker = await started('-kafka', '0.0.0.0:0', '-allow-anonymous');
    const port = portOf(broker);
    const hosts = new Set(own.flatMap((each) => (each.family === 'IPv4' ? [each.address] : [])));
    expect(hosts).toContain('127.0.0.1');
    for (const host of hosts) {
      expect(await tryKcat(`${host}:${port}`)).toEqual([{ id: 1, name: `${host}:${port}` }]);
    }
    await tryKcat(`localhost:${port}`);
  });

  it.runIf(hasIPv6)('works over IPv6 too', async () => {
    await using broker = await started('-kafka', '[::1]:0');
    const port = portOf(broker);
    expect(await tryKcat(`[::1]:${port}`)).toEqual([{ id: 1, name: `::1:${port}` }]);
  });

  // Not every client can take an IPv6 address in a list of brokers.
  it.runIf(hasIPv6)('is the name of this machine, where that has IPv4 as well', async () => {
    await using broker = await started('-kafka', 'localhost:0');
    const port = portOf(broker);
    expect(await tryKcat(`[::1]:${port}`)).toEqual([{ id: 1, name: `localhost:${port}` }]);
  });

  it('is the name that was asked for over TLS, where clients show certificates', async () => {
    const tls = ['-tls-cert', file('server.crt'), '-tls-key', file('server.key'), '-tls-ca', file('ca.crt')];
    await using broker = await started('-kafka', 'tls://localhost:0', ...tls);
    const port = portOf(broker);
    const settings = ['security.protocol=ssl', `ssl.ca.location=${file('ca.crt')}`];
    settings.push(`ssl.certificate.location=${file('client.crt')}`, `ssl.key.location=${file('client.key')}`);
    expect(await tryKcat(`localhost:${port}`, settings)).toEqual([{ id: 1, name: `localhost:${port}` }]);
  });
});

describe('the Java client over TLS', { timeout: 180_000 }, () => {
  if ('missing' in withJava) {
    it(withJava.missing, ({ skip }) => skip());
    return;
  }
  const java = withJava.there;

  it('creates and lists topics with a certificate of its own', async () => {
    const tls = ['-tls-cert', file('server.crt'), '-tls-key', file('server.key'), '-tls-ca', file('ca.crt')];
    await using broker = await started('-kafka', 'tls://localhost:0', ...tls);
    writeFileSync(
      file('client.pem'),
      ['client.key', 'client.crt'].map((name) => readFileSync(file(name))).join(''),
    );
    const settings = {
      'security.protocol': 'SSL',
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': file('ca.crt'),
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': file('client.pem'),
    };
    const config = file('client.properties');
    const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(config, text.join(''));
    const common = ['--bootstrap-server', `localhost:${portOf(broker)}`, '--command-config', config];
    const create = [...common, '--create', '--topic', 'over-tls'];
    expect(await java('org.apache.kafka.tools.TopicCommand', create)).toMatchObject({ code: 0 });
    const listed = await java('org.apache.kafka.tools.TopicCommand', [...common, '--list']);
    expect(listed).toMatchObject({ code: 0, stdout: 'over-tls\n' });
  });
});
