import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { identityOf } from '../../internal/access/identity.ts';
import { parseAclFile } from '../../internal/access/mosquitto/acl-file.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { Random } from '../access/random-rules.ts';
import { peerOfTest } from '../support/access.ts';
import { start } from '../support/broker-process.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';
import { connectMqtt, type RawMqtt } from './client.ts';

// Debian installs it outside of the path of those who are not root.
const PROGRAM = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const FILES = rounds(4);

/** Who asks: a name as the password file has it, and a client id. */
const CLIENTS = [
  { user: 'ann', clientId: 'c1' },
  { user: 'bob', clientId: 'ann' },
  { user: undefined, clientId: 'c2' },
];
const LEVELS = ['a', 'b', 'ann', 'c1', ''];
const TOPICS = [
  ...LEVELS.flatMap((first) => LEVELS.map((second) => `${first}/${second}`)),
  ...LEVELS.filter((level) => level !== ''),
  'a/b/ann',
  'a/b/c1/b',
];

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end();
});
const folder = mkdtempSync(join(tmpdir(), 'tinymq-acl-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(PROGRAM === undefined)('an ACL file of mosquitto, read as rules', () => {
  it(
    `decides about every topic as mosquitto does (FUZZ_SEED=${SEED})`,
    async () => {
      const random = new Random(SEED);
      for (let file = 0; file < FILES; file++) {
        const text = randomFile(random);
        const { rules, problems } = parseAclFile(text);
        expect(problems, text).toEqual([]);
        const policy = new RulePolicy();
        policy.replace(rules, true);
        const url = await mosquittoWith(text);
        for (const who of CLIENTS) {
          expect(await answersOf(url, who), `${JSON.stringify(who)}\n${text}`).toEqual(
            decisions(policy, who),
          );
        }
      }
    },
    torturePatienceMs(120_000),
  );
});

type Answers = Record<string, string>;
type Who = (typeof CLIENTS)[number];

/** What our rules say: `w` where a topic may be published to, `r` where its messages may be had. */
function decisions(policy: RulePolicy, { user, clientId }: Who): Answers {
  const who = identityOf(peerOfTest(clientId), { user });
  const may = (action: 'publish' | 'subscribe', name: string) =>
    policy.may(who, action, { kind: 'topic', name }) === undefined;
  return answers((topic) => [may('publish', topic), may('subscribe', topic)]);
}

/** What mosquitto does: what root gets of what a client publishes, and the client of what root does. */
async function answersOf(url: string, { user, clientId }: Who): Promise<Answers> {
  const root = await connectMqtt(url, 4, { clientId: 'root', ...credentialsOf('root') });
  await root.subscribe('#', 1);
  const connect = () => connectMqtt(url, 4, { clientId, ...(user && credentialsOf(user)) });
  for (const topic of TOPICS) {
    const publisher = await connect();
    // Mosquitto 2.0.11 ends the connection of who may not publish.
    await publisher.publishSafely(topic, 'asker').catch(() => {});
    publisher.drop();
  }
  const asker = await connect();
  for (const topic of TOPICS) await asker.subscribe(topic, 0);
  for (const topic of TOPICS) root.publish(topic, 'root');
  // Mosquitto has dealt with all of it when it answers the one behind it; then it has sent it too.
  const written = await topicsUntilPong(root, 'asker');
  const read = await topicsUntilPong(asker, 'root');
  asker.disconnect();
  root.disconnect();
  return answers((topic) => [written.has(topic), read.has(topic)]);
}

/** The topics of what somebody sent, until the answer to a ping. */
async function topicsUntilPong(client: RawMqtt, payload: string): Promise<Set<string>> {
  client.send({ type: PacketType.pingreq });
  const topics = new Set<string>();
  for (;;) {
    const packet = await client.any();
    if (packet.type === PacketType.pingresp) return topics;
    if (packet.type === PacketType.publish && String(packet.payload) === payload) topics.add(packet.topic);
  }
}

function answers(of: (topic: string) => [publish: boolean, subscribe: boolean]): Answers {
  return Object.fromEntries(
    TOPICS.map((topic) => {
      const [publish, subscribe] = of(topic);
      return [topic, `${publish ? 'w' : '-'}${subscribe ? 'r' : '-'}`];
    }),
  );
}

/** Lines in any order; root may do everything. */
function randomFile(random: Random): string {
  const access = () => random.pick(['', 'read ', 'write ', 'readwrite ', 'deny ']);
  const filter = (withVariables: boolean) => {
    const levels = random.list(1, 3, () => {
      if (random.chance(20)) return '+';
      return withVariables && random.chance(30) ? random.pick(['%u', '%c']) : random.pick(LEVELS);
    });
    if (random.chance(25)) levels[levels.length - 1] = '#';
    return levels.join('/') || 'a';
  };
  const topics = () => random.list(0, 4, () => `topic ${access()}${filter(false)}`);
  const patterns = () => random.list(0, 2, () => `pattern ${access()}${filter(true)}`);
  const users = random.list(1, 4, () => [`user ${random.pick(['ann', 'bob'])}`, ...topics(), ...patterns()]);
  return [...topics(), ...patterns(), ...users.flat(), 'pattern read last', 'user root', 'topic #', ''].join(
    '\n',
  );
}

function credentialsOf(name: string) {
  return { userName: name, password: Buffer.from(`${name}-password`) };
}

async function mosquittoWith(acl: string): Promise<string> {
  const port = await freePort();
  const passwords = join(folder, 'passwords');
  writeFileSync(passwords, ['ann', 'bob', 'root'].map((name) => `${name}:${name}-password\n`).join(''), {
    mode: 0o600,
  });
  spawnSync('mosquitto_passwd', ['-U', passwords]);
  const aclFile = join(folder, `acl-${port}`);
  writeFileSync(aclFile, acl, { mode: 0o600 });
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    `password_file ${passwords}`,
    `acl_file ${aclFile}`,
    'max_queued_messages 0',
    // Else root becomes somebody who may not read these files.
    `user ${userInfo().username}`,
  ];
  const config = join(folder, `conf-${port}`);
  writeFileSync(config, lines.join('\n'));
  const running = start(PROGRAM!, ['-c', config]);
  running.ended.catch(() => {});
  cleanUp.push(async () => {
    running.child.kill();
    await running.ended;
  });
  await eventually(() => /running/.test(running.stderr()), 'mosquitto');
  return `tcp://127.0.0.1:${port}`;
}
