import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { makeCertificates } from '../../../certs/make.ts';
import { makePassword } from '../../../internal/access/users/passwords.ts';
import { scramText } from '../../../internal/access/users/scram-text.ts';
import type { ScramMechanism } from '../../../internal/access/users/user.ts';
import { startBrokerProcess } from '../../support/broker-process.ts';

export const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** The users of the broker, with their passwords: `ann` may use what begins with `ann.`, `root` may do everything. */
export const PASSWORDS = { ann: 'ann-has-a-password', root: 'root-has-another' } as const;

/** How a client logs in, as its program reads it from `LOGIN`. */
export interface Login {
  mechanism: Mechanism;
  user: string;
  password?: string;
  token?: string;
  ca?: string;
}

/** A broker with users and rules, which listens over tcp and tls. */
export interface SecuredPeer extends AsyncDisposable {
  readonly plain: string;
  readonly tls: string;
  /** The file of the CA that its certificate is from. */
  readonly ca: string;
  login(user: keyof typeof PASSWORDS, mechanism: Mechanism): Promise<Login>;
}

export async function startSecuredPeer(): Promise<SecuredPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-secured-'));
  const file = (name: string) => join(folder, name);
  await makeCertificates(folder);
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  writeFileSync(file('keys.pem'), await exportSPKI(publicKey));
  writeFileSync(file('users.json'), JSON.stringify({ users: await declaredUsers(), rules: RULES }));
  const broker = await startBrokerProcess([
    ...['-kafka', 'tcp://localhost:0,tls://localhost:0', '-memory', '-users', file('users.json')],
    ...['-tls-cert', file('server.crt'), '-tls-key', file('server.key')],
    ...['-jwt-keys', file('keys.pem'), '-jwt-issuer', 'tests', '-jwt-audience', 'tinymq'],
  ]);
  const { kafka } = JSON.parse(broker.stdout()) as { kafka: string[] };
  const address = (scheme: string) =>
    `localhost:${new URL(kafka.find((url) => url.startsWith(scheme))!.replace(scheme, 'http')).port}`;
  const tokenOf = (user: string) =>
    new SignJWT({ sub: user })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer('tests')
      .setAudience('tinymq')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  return {
    plain: address('tcp'),
    tls: address('tls'),
    ca: file('ca.crt'),
    async login(user, mechanism) {
      if (mechanism === 'OAUTHBEARER') return { mechanism, user, token: await tokenOf(user) };
      return { mechanism, user, password: PASSWORDS[user] };
    },
    async [Symbol.asyncDispose]() {
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const RULES = [
  {
    allow: ['publish', 'subscribe', 'create'],
    users: ['ann'],
    topics: ['ann/#'],
    consumerGroups: ['ann.*'],
  },
  { allow: ['all'], users: ['root'] },
];

async function declaredUsers(): Promise<object> {
  const users: Record<string, object> = {};
  for (const [name, text] of Object.entries(PASSWORDS)) {
    const { password, scram } = await makePassword(text);
    const keys = Object.entries(scram).map(([mechanism, each]) =>
      scramText(mechanism as ScramMechanism, each),
    );
    users[name] = { password, scram: keys };
  }
  return users;
}
