import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CertificateSet, makeCertificates } from '../../certs/make.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { run } from '../support/broker-process.ts';
import { TestAuthority } from '../support/client-certificates.ts';
import { mustRun } from '../support/installed-once.ts';
import { type SmqProcess, startSmq, stopSmq } from './smq-process.ts';
import { goClient, pysmq } from './toolchains.ts';

/*
 * SMQ's users move over: its Python client as it is published, and a client in Go that protoc made from our own proto,
 * do with `smq` what SMQ's README shows, in the clear and with mutual TLS.
 */

const python = await pysmq();
const go = await goClient();

let folder: string;
let certificates: CertificateSet;
let smq: SmqProcess | undefined;

beforeAll(async () => {
  certificates = await makeCertificates(mkdtempSync(join(tmpdir(), 'tinymq-smq-certs-')));
});
afterAll(() => rmSync(join(certificates.ca, '..'), { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-smq-'));
});
afterEach(async () => {
  if (smq !== undefined) await stopSmq(smq);
  smq = undefined;
  rmSync(folder, { recursive: true });
});

const database = () => ['--dbpath', join(folder, 'db')];
const mutualTls = ({ serverCert, serverKey, ca }: CertificateSet) => [
  ...['--server-enable-mtls', '--server-cert', serverCert],
  ...['--server-key', serverKey, '--server-ca-cert', ca],
];

describe.runIf('there' in python)("SMQ's client for Python", () => {
  const [command, script] = 'there' in python ? (python.there as [string, string]) : ['', ''];

  /** The answers of a run, by their steps. */
  async function answers(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await run(command, [script, String(smq!.port), ...args], { env });
    expect(code, stderr).toBe(0);
    const lines = stdout.trim().split('\n');
    return Object.fromEntries(lines.map((line) => JSON.parse(line) as [string, unknown]));
  }

  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

  it("does what SMQ's README shows, with the topics that it names there", async () => {
    smq = await startSmq(database());
    expect(await answers(['all'])).toEqual({
      publish: upTo(12),
      latest: 12,
      earliest: 1,
      consume: [4, 5],
      stream: upTo(10).map((offset) => [offset - 1, offset]),
      follow: [
        ['a', 1],
        ['', 2],
        ['b', 3],
      ],
      'stream-produce': 1_003,
      bulk: [[3, 4, 5], 3, 6],
      'after-delete': [5, 12],
      refusals: [
        ['SMQTopicCreationError', 'SMQ operation failed: invalid topic name: no such name'],
        ['SMQProduceError', 'SMQ operation failed: topic none does not exist'],
        ['SMQConsumeError', 'SMQ operation failed: no message at offset'],
        ['SMQConsumeError', 'SMQ operation failed: offset is greater than the latest offset'],
        ['SMQConsumeError', 'Failed to consume latest message: SMQ operation failed: topic is empty'],
        ['SMQConsumeError', 'SMQ operation failed: topic none does not exist'],
      ],
    });
  });

  it('takes messages of many megabytes, and a bulk of them', { timeout: 300_000 }, async () => {
    smq = await startSmq(database());
    const LARGE_BYTES = String(256 * 1024 ** 2);
    expect(await answers(['large'], { LARGE_BYTES })).toEqual({ large: [1, true], 'large-bulk': [2, true] });
  });

  it('speaks mutual TLS', async () => {
    smq = await startSmq([...database(), ...mutualTls(certificates)]);
    const { ca, clientCert, clientKey } = certificates;
    expect(await answers(['secure', ca, clientCert, clientKey])).toMatchObject({ latest: 12 });
    const { connect } = (await answers(['connect'])) as { connect: string[] };
    expect(connect[0]).toBe('SMQConnectionError');
  });

  it("speaks mutual TLS with what the README's openssl lines make", async () => {
    const made = await certificatesOfTheReadme();
    smq = await startSmq([...database(), ...mutualTls(made)]);
    expect(await answers(['secure', made.ca, made.clientCert, made.clientKey])).toMatchObject({ latest: 12 });
  });

  /** Without subjectAltName, and the clients' of X.509 version 1. */
  async function certificatesOfTheReadme(): Promise<CertificateSet> {
    const at = (name: string) => join(folder, name);
    const openssl = (line: string) => mustRun('openssl', line.split(' '), folder);
    await openssl('genrsa -out ca.key 2048');
    await openssl('req -new -x509 -days 365 -key ca.key -out ca.crt -subj /CN=My_SMQ_CA');
    for (const [name, subject] of [
      ['server', 'localhost'],
      ['client', 'smqclient'],
    ]) {
      await openssl(`genrsa -out ${name}.key 2048`);
      await openssl(`req -new -key ${name}.key -out ${name}.csr -subj /CN=${subject}`);
      await openssl(
        `x509 -req -days 365 -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out ${name}.crt`,
      );
    }
    return {
      ca: at('ca.crt'),
      serverCert: at('server.crt'),
      serverKey: at('server.key'),
      clientCert: at('client.crt'),
      clientKey: at('client.key'),
    };
  }
});

describe.runIf('there' in go)('a client in Go', () => {
  const command = 'there' in go ? go.there : '';

  // grpc-go measures the way with a ping for each round trip while DATA comes. The door forgave pings only when a
  // response began, so that answers of some megabytes ended in GOAWAY too_many_pings. Each frame of DATA forgives them.
  it('gets answers of 64 MiB', { timeout: 120_000 }, async () => {
    smq = await startSmq(database());
    const env = { LARGE_BYTES: String(64 * 1024 ** 2) };
    const { code, stdout, stderr } = await run(command, [`localhost:${smq.port}`], { env });
    expect(stdout.trim().split('\n'), stderr).toEqual([
      ...Array(3).fill('consumed true'),
      'bulk true',
      'followed true',
    ]);
    expect(code).toBe(0);
  });

  it.each(['in the clear', 'with mutual TLS'])('does all that the service offers, %s', async (how) => {
    const isSecure = how === 'with mutual TLS';
    smq = await startSmq([...database(), ...(isSecure ? mutualTls(certificates) : [])]);
    const { ca, clientCert, clientKey } = certificates;
    const files = isSecure ? [ca, clientCert, clientKey] : [];
    const { code, stdout, stderr } = await run(command, [`localhost:${smq.port}`, ...files]);
    expect(stdout.trim().split('\n')).toEqual([
      'produced 1',
      'produced 2',
      'produced 3',
      'consumed 1 "Hello, SMQ!"',
      'streamed 10003',
      'followed 10004 "live"',
      'stopped Canceled',
      'bulk 2 5 3',
      'refused Unknown no message at offset',
      'refused Unknown offset is greater than the latest offset',
      'refused true Unknown topic none does not exist',
      'late DeadlineExceeded',
      'health SERVING',
    ]);
    expect(code, stderr).toBe(0);
  });
});

describe('with mutual TLS and a rule on the user in the certificate', () => {
  const DENIED = 'no rule allows it';
  let authority: TestAuthority;
  let broker: RunningBroker;

  beforeAll(async () => {
    const of = mkdtempSync(join(tmpdir(), 'tinymq-smq-rights-'));
    authority = await TestAuthority.make(of);
    const usersFile = join(of, 'users.json');
    const rules = [{ allow: ['publish', 'subscribe', 'create'], users: 'smq-client', topics: 'own' }];
    writeFileSync(usersFile, JSON.stringify({ rules }));
    broker = await startBroker({
      ...{ grpc: { listen: ['grpcs://localhost:0'] }, memory: true, usersFile },
      tls: { ...(await authority.server()), caFile: authority.file },
    });
    return async () => {
      await broker.close();
      rmSync(of, { recursive: true });
    };
  });

  /** The files of a certificate. */
  async function filesOf(user: string): Promise<[ca: string, cert: string, key: string]> {
    const { cert, key } = await authority.sign([{ CN: [user] }]);
    const files = [`${user}.crt`, `${user}.key`].map((name) => join(folder, name)) as [string, string];
    writeFileSync(files[0], cert);
    writeFileSync(files[1], key);
    return [authority.file, ...files];
  }

  it.runIf('there' in python)(
    "SMQ's client for Python does what its user may, and is told the rest",
    async () => {
      const [command, script] = 'there' in python ? (python.there as [string, string]) : ['', ''];
      const files = await filesOf('smq-client');
      const args = [script, new URL(broker.url).port, 'rights', ...files];
      const { stdout, stderr } = await run(command, args);
      const answers = Object.fromEntries(
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as [string, unknown]),
      );
      expect(answers.own, stderr).toEqual([1, 'x']);
      expect(answers.others).toHaveLength(6);
      for (const [, message] of answers.others as [string, string][]) expect(message).toContain(DENIED);
    },
  );

  it.runIf('there' in go)(
    'a client in Go does, too, and one whose user has no rule may nothing',
    async () => {
      const command = 'there' in go ? go.there : '';
      const env = { RIGHTS: '1' };
      const printed = async (user: string) => {
        const files = await filesOf(user);
        const { stdout } = await run(command, [`localhost:${new URL(broker.url).port}`, ...files], { env });
        return stdout.trim().split('\n');
      };
      const refused = ['produce PermissionDenied', 'follow PermissionDenied'];
      expect(await printed('smq-client')).toEqual([
        expect.stringMatching(/^create /),
        'produce OK',
        ...refused,
      ]);
      expect(await printed('stranger')).toEqual(['create PermissionDenied', refused[0], ...refused]);
    },
  );
});

it('the clients are here, or it is said why not', () => {
  for (const found of [python, go]) if ('missing' in found) console.warn(`SMQ's clients: ${found.missing}`);
});
