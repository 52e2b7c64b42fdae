import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { expect } from 'vitest';
import { makePassword } from '../../../internal/access/users/passwords.ts';
import { produce } from '../../../internal/protocol/kafka/apis/00-produce.ts';
import { listOffsets } from '../../../internal/protocol/kafka/apis/02-list-offsets.ts';
import { metadata } from '../../../internal/protocol/kafka/apis/03-metadata.ts';
import { offsetCommit } from '../../../internal/protocol/kafka/apis/08-offset-commit.ts';
import { offsetFetch } from '../../../internal/protocol/kafka/apis/09-offset-fetch.ts';
import { listGroups } from '../../../internal/protocol/kafka/apis/16-list-groups.ts';
import { createTopics } from '../../../internal/protocol/kafka/apis/19-create-topics.ts';
import { describeAcls } from '../../../internal/protocol/kafka/apis/29-describe-acls.ts';
import { createAcls } from '../../../internal/protocol/kafka/apis/30-create-acls.ts';
import { describeConfigs } from '../../../internal/protocol/kafka/apis/32-describe-configs.ts';
import { describeClientQuotas } from '../../../internal/protocol/kafka/apis/48-describe-client-quotas.ts';
import { describeUserScramCredentials } from '../../../internal/protocol/kafka/apis/50-describe-user-scram-credentials.ts';
import type { Api, InputOf } from '../../../internal/protocol/kafka/schema.ts';
import { PacketType } from '../../../internal/protocol/mqtt/packet.ts';
import { type BrokerOptions, type Clock, type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { connectMqtt, type RawMqtt } from '../../mqtt/client.ts';
import { TestAuthority } from '../../support/client-certificates.ts';
import { eventually } from '../../support/eventually.ts';
import type { KafkaWire } from '../../support/kafka-wire.ts';
import { commitOf, errorCodes, produceOf, topicOf } from '../kafka-requests.ts';
import type { Login, Names, Places } from './door.ts';
import { authorizationOf } from './grpc.ts';
import { openKafka } from './kafka.ts';

/** The name of each user is the password too. */
const USERS = ['root', 'allowed', 'denied', 'revoked'];
export const as = (user: string): Login => ({ user, password: user });

type Rule = Record<string, unknown>;
const everything = (...users: string[]): Rule => ({
  ...{ allow: 'all', users, topics: 'cell/#', consumerGroups: 'cell-*', broker: true },
});
/** Whoever may do something elsewhere is known, and lets nobody guess that it may do nothing here. */
const ELSEWHERE: Rule = {
  ...{ allow: ['publish', 'subscribe', 'create', 'delete', 'alter'], topics: 'elsewhere/#' },
  ...{ users: ['denied', 'revoked', 'anonymous'], consumerGroups: 'elsewhere-*' },
};
const OF_ROOT: Rule = { allow: 'all', users: 'root' };

/** A broker with every door, users, rules, tokens and certificates, and its root, who sees all of it. */
export class World {
  readonly broker: RunningBroker;
  readonly places: Places;
  readonly #access: AccessFiles;
  /** What the broker has logged as an error. */
  readonly #problems: readonly string[];
  readonly #root: KafkaWire;
  readonly #observer: RawMqtt;
  readonly #heard: string[] = [];
  #cells = 0;

  private constructor(
    broker: RunningBroker,
    access: AccessFiles,
    problems: readonly string[],
    root: KafkaWire,
    observer: RawMqtt,
  ) {
    this.#problems = problems;
    this.broker = broker;
    this.places = placesOf(broker);
    this.#access = access;
    this.#root = root;
    this.#observer = observer;
  }

  static async open(clock?: Clock): Promise<World> {
    const access = await AccessFiles.make();
    const problems: string[] = [];
    const listen = ['tcp://127.0.0.1:0', 'tls://localhost:0'];
    const broker = await startBroker({
      ...{ listen, kafka: { listen }, grpc: { listen } },
      http: { listen: ['http://127.0.0.1:0', 'https://localhost:0'] },
      ...{ memory: true, keepForMs: 0, sysIntervalMs: 0, clock },
      ...access.options,
      logger: { debug() {}, info() {}, warn() {}, error: (fields) => problems.push(JSON.stringify(fields)) },
    });
    const root = await openKafka(placesOf(broker), as('root'));
    const observer = await connectMqtt(broker.url, 5, {
      ...{ userName: 'root', password: Buffer.from('root') },
    });
    await observer.subscribe('#');
    return new World(broker, access, problems, root, observer);
  }

  /** Puts the rules that hold for everybody but root in the place of those before. */
  async allow(...users: string[]): Promise<void> {
    await this.setRules(...(users.length === 0 ? [] : [everything(...users)]), ELSEWHERE);
  }

  async setRules(...rules: readonly Rule[]): Promise<void> {
    this.#access.write([OF_ROOT, ...rules]);
    await this.broker.reloadUsers();
    expect(this.#problems).toEqual([]);
  }

  /** A token of somebody who is in no directory. */
  token(user: string, expiresAtMs: number): Promise<string> {
    return this.#access.token(user, expiresAtMs);
  }

  certificate(user: string): Promise<Login> {
    return this.#access.certificate(user);
  }

  /** A topic, its log, a retained message, a group and an ACL, of a cell of the matrix. */
  async prepare(): Promise<Names> {
    const cell = ++this.#cells;
    const names = {
      ...{ topic: `cell/${cell}/secret`, log: `cell.${cell}.secret`, group: `cell-${cell}` },
      ...{ fresh: `cell/${cell}/new`, freshLog: `cell.${cell}.new`, treasure: `treasure-${cell}-end` },
    };
    const request = { topics: [topicOf(names.log)], timeoutMs: 1000, validateOnly: false };
    expect(errorCodes(await this.#root.ask(createTopics, 7, request))).toEqual([0]);
    await this.#root.ask(produce, 9, produceOf(names.log, names.treasure));
    await this.#root.ask(offsetCommit, 8, commitOf(names, 0));
    await this.#root.ask(createAcls, 3, { creations: [{ ...NOBODYS_ACL, resourceName: names.log }] });
    await this.stir(names, { retain: true });
    return names;
  }

  /** Root publishes to the topic of a cell: whoever should not have that gets nothing. */
  async stir({ topic, treasure }: Names, options: { retain?: boolean } = {}): Promise<void> {
    this.#observer.publish(topic, treasure, { qos: 2, ...options });
    await eventually(() => this.#observer.waiting.some(({ type }) => type === PacketType.pubrec), 'PUBREC');
    const pubrec = this.#observer.waiting.find(({ type }) => type === PacketType.pubrec)!;
    this.#observer.answer(PacketType.pubrel, (pubrec as { packetId: number }).packetId);
    await this.#drain();
  }

  /** Everything that a client could have changed, as root sees it. */
  async state({ topic, log, group }: Names): Promise<unknown> {
    await this.#drain();
    const ask = <A extends Api>(api: A, version: number, body: InputOf<A['request']>) =>
      this.#root.ask(api, version, body);
    const { topics } = await ask(metadata, 9, ALL_TOPICS);
    const cell = topic.slice(0, topic.lastIndexOf('/'));
    const offsets = [-1, -2].map((timestamp) =>
      ask(listOffsets, 7, {
        ...{ replicaId: -1, isolationLevel: 0 },
        topics: [{ name: log, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] }],
      }),
    );
    const { groups } = await ask(listGroups, 4, { statesFilter: [], typesFilter: [] });
    const { results: scram } = await ask(describeUserScramCredentials, 0, { users: null });
    return {
      topics: topics.map(({ name, partitions }) => `${name} ${partitions.length}`).sort(),
      offsets: await Promise.all(offsets),
      configs: await ask(describeConfigs, 4, {
        resources: [
          { resourceType: 2, resourceName: log, configurationKeys: null },
          { resourceType: 4, resourceName: '1', configurationKeys: null },
        ],
        ...{ includeSynonyms: false, includeDocumentation: false },
      }),
      groups: groups.map(({ groupId, groupState }) => `${groupId} ${groupState}`).sort(),
      committed: await ask(offsetFetch, 8, {
        ...{ groups: [{ groupId: group, topics: null }], requireStable: false },
      }),
      acls: await ask(describeAcls, 3, ALL_ACLS),
      quotas: await ask(describeClientQuotas, 1, { components: [], strict: false }),
      scram,
      retained: await this.#retained(cell),
      heard: this.#heard.filter((line) => line.startsWith(`${cell}/`)),
    };
  }

  async close(): Promise<void> {
    this.#root.close();
    this.#observer.drop();
    await this.broker.close();
    this.#access.remove();
  }

  async #retained(cell: string): Promise<string> {
    const headers = authorizationOf(as('root'));
    const answer = await fetch(`${this.places.plain.http}/topics/${cell}/%23`, { headers });
    return answer.status === 404 ? '' : answer.text();
  }

  /** Takes what the observer has heard. */
  async #drain(): Promise<void> {
    const { waiting } = this.#observer;
    this.#observer.send({ type: PacketType.pingreq });
    await eventually(() => waiting.some(({ type }) => type === PacketType.pingresp), 'PINGRESP');
    for (const packet of waiting.splice(0)) {
      if (packet.type !== PacketType.publish) continue;
      this.#heard.push(`${packet.topic} ${Buffer.from(packet.payload)}`);
    }
  }
}

const NOBODYS_ACL = {
  ...{ resourceType: 2, resourcePatternType: 3, principal: 'User:nobody', host: '*' },
  ...{ operation: 3, permissionType: 3 },
};
const ALL_ACLS = {
  ...{ resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1, principalFilter: null },
  ...{ hostFilter: null, operation: 1, permissionType: 1 },
};
const ALL_TOPICS = {
  ...{ topics: null, allowAutoTopicCreation: false },
  ...{ includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false },
};

function placesOf({ listeners }: RunningBroker): Places {
  const places: { plain: Record<string, string>; secured: Record<string, string> } = {
    plain: {},
    secured: {},
  };
  for (const { door, url } of listeners) {
    const isSecured = /^(tls|https|grpcs):/.test(url);
    places[isSecured ? 'secured' : 'plain'][door] = url;
  }
  return places;
}

/** The files that say who may come in: users and rules, the key of tokens, certificates. */
class AccessFiles {
  readonly options: Pick<BrokerOptions, 'usersFile' | 'tls' | 'tokens'>;
  readonly token: (user: string, expiresAtMs: number) => Promise<string>;
  readonly #folder: string;
  readonly #authority: TestAuthority;
  readonly #users: Record<string, object>;

  private constructor(
    folder: string,
    authority: TestAuthority,
    users: Record<string, object>,
    token: AccessFiles['token'],
    tls: BrokerOptions['tls'],
  ) {
    this.#folder = folder;
    this.#authority = authority;
    this.#users = users;
    this.token = token;
    this.options = { usersFile: join(folder, 'users.json'), tls, tokens: { keys: join(folder, 'keys.pem') } };
    this.write([OF_ROOT]);
  }

  static async make(): Promise<AccessFiles> {
    const folder = mkdtempSync(join(tmpdir(), 'tinymq-doors-'));
    const authority = await TestAuthority.make(folder);
    const tls = { ...(await authority.server()), caFile: authority.file };
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    writeFileSync(join(folder, 'keys.pem'), await exportSPKI(publicKey));
    const users: Record<string, object> = {};
    for (const name of USERS) users[name] = { password: (await makePassword(name)).password };
    const token = (user: string, expiresAtMs: number) =>
      new SignJWT({ sub: user })
        .setProtectedHeader({ alg: 'ES256' })
        .setExpirationTime(Math.floor(expiresAtMs / 1_000))
        .sign(privateKey);
    return new AccessFiles(folder, authority, users, token, tls);
  }

  write(rules: readonly Rule[]): void {
    writeFileSync(join(this.#folder, 'users.json'), JSON.stringify({ users: this.#users, rules }));
  }

  async certificate(user: string): Promise<Login> {
    const { cert, key } = await this.#authority.sign([{ CN: [user] }]);
    return { certificate: { ca: readFileSync(this.#authority.file), cert, key } };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
