import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runKafkaClass } from '../support/apache-kafka.ts';
import { run } from '../support/broker-process.ts';
import { type ClientProgram, consume, produce } from './support/client-program.ts';
import { content, record } from './support/records.ts';
import {
  type Login,
  MECHANISMS,
  type Mechanism,
  PASSWORDS,
  type SecuredPeer,
  startSecuredPeer,
} from './support/secured-peer.ts';
import { CLIENTS, go, java, kcat, python, type Toolchain } from './support/toolchains.ts';
import { unique } from './support/trial.ts';

/** A case may start a JVM several times, on a machine that is busy. */
const PATIENCE_MS = 180_000;

let peer: SecuredPeer;
beforeAll(async () => {
  peer = await startSecuredPeer();
}, PATIENCE_MS);
afterAll(() => peer?.[Symbol.asyncDispose](), PATIENCE_MS);

const basics = { compressions: [], canBeIdempotent: true, lacks: [] };

/** Tries clients that log in, over tls unless said otherwise. */
function describeLogins<T>(
  family: string,
  toolchain: Toolchain<T>,
  clients: (there: T) => readonly Pick<ClientProgram, 'name' | 'command'>[],
): void {
  describe(family, { timeout: PATIENCE_MS, concurrent: true }, () => {
    if ('missing' in toolchain) it(toolchain.missing, ({ skip }) => skip());
    else describe.each(clients(toolchain.there))('$name', (client) => loginCases({ ...basics, ...client }));
  });
}

function loginCases(client: ClientProgram): void {
  const as = (login: Login): ClientProgram => ({ ...client, env: { LOGIN: JSON.stringify(login) } });

  it.each(MECHANISMS)('logs in by %s, produces and consumes in a group', async (mechanism) => {
    const program = as({ ...(await peer.login('ann', mechanism)), ca: peer.ca });
    const topic = unique('ann.logs');
    const sent = [record({ value: mechanism })];
    await produce(program, peer.tls, { topic }, sent);
    const read = await consume(program, peer.tls, { topic, group: unique('ann.group'), count: 1 });
    expect(read.map(content)).toEqual(sent.map(content));
  });

  it('logs in over tcp as well', async () => {
    const program = as(await peer.login('ann', 'SCRAM-SHA-256'));
    await produce(program, peer.plain, { topic: unique('ann.tcp') }, [record({ value: 'x' })]);
  });

  it('is told that its topic is not for it, and what is allowed goes on', async () => {
    const program = as({ ...(await peer.login('ann', 'SCRAM-SHA-512')), ca: peer.ca });
    const sent = [record({ value: 'x' })];
    await expect(produce(program, peer.tls, { topic: unique('bob') }, sent)).rejects.toThrow(
      /Topic.?Authorization.?Failed|TopicAuthorizationException/i,
    );
    await produce(program, peer.tls, { topic: unique('ann.allowed') }, sent);
  });

  // The others try again for longer than anybody waits.
  if (client.name !== JAVA) return;
  it.each<Mechanism>(['PLAIN', 'SCRAM-SHA-256'])(
    'is told that its password is wrong: %s',
    async (mechanism) => {
      const login: Login = { mechanism, user: 'ann', password: 'something else', ca: peer.ca };
      const sent = produce(as(login), peer.tls, { topic: 'ann.never' }, [record({ value: 'x' })]);
      await expect(sent).rejects.toThrow(
        /SaslAuthenticationException: the user name, password or token is wrong/,
      );
    },
  );
}

const JAVA = 'kafka-clients';
const file = (...path: string[]) => join(CLIENTS, ...path);

describeLogins('Python', await python(), ({ current }) => [
  { name: 'kafka-python', command: [current, file('python', 'kafka_python.py')] },
  { name: 'confluent-kafka', command: [current, file('python', 'confluent.py')] },
]);
describeLogins('Go', await go(), (program) => [{ name: 'franz-go', command: [program('franz_go')] }]);
describeLogins('Java', await java(), (command) => [{ name: JAVA, command }]);

describe('kcat', { timeout: PATIENCE_MS }, () => {
  const toolchain = kcat();
  if ('missing' in toolchain) {
    it(toolchain.missing, ({ skip }) => skip());
    return;
  }
  // Its librdkafka is that of the system, which may be an old one.
  it.each<Mechanism>(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])('logs in by %s', async (mechanism) => {
    const { user, password } = await peer.login('ann', mechanism);
    const settings = {
      'security.protocol': 'SASL_SSL',
      'sasl.mechanisms': mechanism,
      'sasl.username': user,
      'ssl.ca.location': peer.ca,
    };
    const topic = unique('ann.kcat');
    const args = (more: string[], secret = password!) => [
      ...['-b', peer.tls, '-t', topic, '-X', `sasl.password=${secret}`],
      ...Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`]),
      ...more,
    ];
    expect(await run(toolchain.there, args(['-P']), { input: 'one\n' })).toMatchObject({ code: 0 });
    expect((await run(toolchain.there, args(['-C', '-e', '-q']))).stdout).toBe('one\n');
    const refused = await run(toolchain.there, args(['-L', '-m', '5'], 'wrong'));
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/authentication/i) });
  });
});

describe("Kafka's own tools", { timeout: PATIENCE_MS }, async () => {
  const toolchain = await java();
  if ('missing' in toolchain) {
    it(toolchain.missing, ({ skip }) => skip());
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-admin-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const properties = (user: string, password: string) =>
    [
      'security.protocol=SASL_SSL',
      'sasl.mechanism=SCRAM-SHA-512',
      'ssl.truststore.type=PEM',
      `ssl.truststore.location=${peer.ca}`,
      `sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="${user}" password="${password}";`,
    ].join('\n');

  async function tool(mainClass: string, args: readonly string[], as = 'root', password?: string) {
    const config = join(folder, `${as}.properties`);
    const known = PASSWORDS[as as keyof typeof PASSWORDS];
    writeFileSync(config, properties(as, password ?? known));
    const all = ['--bootstrap-server', peer.tls, '--command-config', config, ...args];
    return runKafkaClass(mainClass, all);
  }

  const acls = (...args: string[]) => tool('org.apache.kafka.tools.AclCommand', args);
  const configs = (...args: string[]) => tool('kafka.admin.ConfigCommand', args);

  it('make a user and its rights, which hold at once and until they are taken away', async () => {
    const [user, topic] = [unique('carl'), unique('orders')];
    const ofUser = ['--entity-type', 'users', '--entity-name', user];
    const password = 'carl-has-one';
    const made = await configs('--alter', ...ofUser, '--add-config', `SCRAM-SHA-512=[password=${password}]`);
    expect(made.stdout).toContain(`Completed updating config for user ${user}.`);
    expect((await configs('--describe', ...ofUser)).stdout).toContain('SCRAM-SHA-512=iterations=4096');

    const topics = (...args: string[]) =>
      tool('org.apache.kafka.tools.TopicCommand', ['--topic', topic, ...args], user, password);
    expect((await topics('--create')).stderr).toMatch(/TopicAuthorizationException|Authorization failed/);
    const allow = ['--allow-principal', `User:${user}`, '--operation', 'Create', '--operation', 'Describe'];
    const added = await acls('--add', ...allow, '--topic', 'orders', '--resource-pattern-type', 'prefixed');
    expect(added.stdout).toContain('Adding ACLs for resource');
    expect(await topics('--create')).toMatchObject({ code: 0, stdout: `Created topic ${topic}.\n` });
    const listed = await acls('--list', '--topic', topic, '--resource-pattern-type', 'match');
    expect(listed.stdout).toContain('patternType=PREFIXED');
    expect(listed.stdout).toContain(`principal=User:${user}, host=*, operation=CREATE, permissionType=ALLOW`);

    await acls('--remove', '--force', '--topic', 'orders', '--resource-pattern-type', 'prefixed');
    expect((await acls('--list')).stdout).not.toContain(user);
    expect((await topics('--describe')).stderr).not.toBe('');
    await configs('--alter', ...ofUser, '--delete-config', 'SCRAM-SHA-512');
    const gone = await topics('--describe');
    expect(gone.stdout + gone.stderr).toContain('SaslAuthenticationException');
  });

  it('are refused to those who may not administer the broker', async () => {
    const { stderr, stdout } = await tool('org.apache.kafka.tools.AclCommand', ['--list'], 'ann');
    expect(stdout + stderr).toContain('ClusterAuthorizationException');
  });
});
