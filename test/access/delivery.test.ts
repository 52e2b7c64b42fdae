import { randomInt } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { type Identity, identityOf } from '../../internal/access/identity.ts';
import { describeRule, type Rule } from '../../internal/access/rules/rule.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { sharedLogOf } from '../../internal/server/access.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt, type RawMqtt } from '../mqtt/client.ts';
import { peerOfTest } from '../support/access.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';
import { Random, randomFilter, randomRules, WORLD } from './random-rules.ts';
import { RulesOracle } from './rules-oracle.ts';

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
const ROUNDS = rounds(12);
const MOST_ROUNDS = 20 * ROUNDS;
const GRANTED_QOS_1 = 1;
const NOT_AUTHORIZED = 0x87;
const INVALID_FILTER = 0x8f;
const USERS = ['a', 'b', 'a.b'];
const GROUPS: Record<string, string[]> = { a: ['g'], b: ['h'], 'a.b': [] };
/** Names beginning with `$` are not retained by a filter that begins with a wildcard; those of the broker are not published. */
const TOPICS = WORLD.filter((topic) => topic.split('/').length < 3 && !topic.startsWith('$SYS'));

/** Lets everybody in as whom they say. */
const authenticator: Authenticator = {
  authenticate(peer, credentials) {
    if (credentials.kind !== 'password') return identityOf(peer, {});
    return identityOf(peer, { user: credentials.user, groups: GROUPS[credentials.user] });
  },
};

let broker: RunningBroker;
let policy: RulePolicy;
const clients: RawMqtt[] = [];

beforeEach(async () => {
  policy = new RulePolicy({ sharedLogOf });
  // What has no log of its own is kept in the log of another topic.
  broker = await startBroker({
    listen: ['tcp://localhost:0'],
    keep: [{ filter: '#' }],
    memory: true,
    sysIntervalMs: 0,
    authenticator,
    policy,
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.drop();
  await broker.close();
});

describe('with random rules, which change', () => {
  it(
    `nobody gets or sends what an oracle refuses (FUZZ_SEED=${SEED})`,
    async () => {
      const random = new Random(SEED);
      let delivered = 0;
      // Some lists of rules allow next to nothing: a test in which nothing is delivered shows nothing.
      for (let round = 0; round < ROUNDS || (delivered <= ROUNDS && round < MOST_ROUNDS); round++) {
        delivered += await new Round(random, round).run();
      }
      expect(delivered).toBeGreaterThan(ROUNDS);
    },
    torturePatienceMs(120_000),
  );
});

interface Subscriber {
  client: RawMqtt;
  who: Identity;
  /** Filters that were granted. */
  filters: string[];
}

/** One list of rules, then another one, with clients that were there before and clients that come. */
class Round {
  readonly #random: Random;
  readonly #name: string;
  #rules: readonly Rule[] = [];
  /** The list of rules that holds: what is published under it says so. */
  #list = 0;
  #delivered = 0;

  constructor(random: Random, round: number) {
    this.#random = random;
    this.#name = `r${round}`;
  }

  async run(): Promise<number> {
    this.#change();
    const early = [await this.#subscriber('a'), await this.#subscriber('b')];
    const will = await this.#withWill();
    await this.#publishMany();
    for (const one of early) await this.#look(one, 1);
    this.#change();
    will?.drop();
    await this.#publishMany();
    for (const one of early) await this.#look(one, 2);
    const late = await this.#subscriber('zz');
    await this.#publishMany();
    await this.#look(late, 2);
    for (const client of clients.splice(0)) client.drop();
    return this.#delivered;
  }

  #change(): void {
    this.#rules = randomRules(this.#random);
    this.#list++;
    policy.replace(this.#rules, true);
  }

  #oracle(who: Identity): RulesOracle {
    return new RulesOracle(this.#rules, who);
  }

  async #connect(id: string, options: object = {}) {
    const user = this.#random.pick(USERS);
    const credentials = { userName: user, password: Buffer.from('') };
    const client = await connectMqtt(broker.url, 5, { clientId: id, ...credentials, ...options });
    clients.push(client);
    return { client, who: identityOf(peerOfTest(id), { user, groups: GROUPS[user] }) };
  }

  /** Subscribes to filters of all kinds; each is granted if the oracle allows all of it, and only then. */
  async #subscriber(id: string): Promise<Subscriber> {
    const subscriber = { ...(await this.#connect(id)), filters: [] as string[] };
    for (const filter of this.#random.list(3, 6, () => randomFilter(this.#random, false))) {
      const kind = this.#random.pick(['', '', '$share/s/', '$replay/earliest/']);
      const { reasonCode, others } = await subscribe(subscriber.client, kind + filter);
      const { refused } = this.#oracle(subscriber.who).count('subscribe', filter, WORLD);
      // Names that begin with `$` have no history.
      const isServed = !(kind.startsWith('$replay') && filter.startsWith('$'));
      const granted = isServed ? GRANTED_QOS_1 : INVALID_FILTER;
      expect(reasonCode, this.#told({ filter: kind + filter, user: subscriber.who.user })).toBe(
        refused === 0 ? granted : NOT_AUTHORIZED,
      );
      if (refused === 0 && isServed) subscriber.filters.push(filter);
      this.#check(subscriber, others, this.#list);
    }
    return subscriber;
  }

  /** A client that leaves a will, where the rules let it. */
  async #withWill(): Promise<RawMqtt | undefined> {
    const topic = this.#random.pick(TOPICS);
    const will = { topic, payload: Buffer.from(''), qos: 1 as const, retain: false, properties: {} };
    const user = this.#random.pick(USERS);
    const payload = Buffer.from(JSON.stringify({ will: true, user, topic, id: `${this.#name}-w` }));
    try {
      const options = { userName: user, will: { ...will, payload } };
      return (await this.#connect(`${this.#name}-w`, options)).client;
    } catch {
      return undefined;
    }
  }

  async #publishMany(): Promise<void> {
    const id = `${this.#name}-p${this.#list}`;
    const { client, who } = await this.#connect(id);
    for (let count = 0; count < 30; count++) {
      const topic = this.#random.pick(TOPICS);
      const sent = { list: this.#list, user: who.user, topic, id };
      const retain = this.#random.chance(30);
      const code = await client.publishSafely(topic, JSON.stringify(sent), { retain });
      expect(code < 0x80, this.#told({ topic, user: who.user })).toBe(this.#mayPublish(who, topic));
    }
    client.disconnect();
  }

  #mayPublish(who: Identity, topic: string): boolean {
    const oracle = this.#oracle(who);
    const log = sharedLogOf(topic);
    return oracle.may('publish', topic) && (log === undefined || oracle.may('write', log));
  }

  /** Looks at what came; a client that has what is no longer allowed is not there any more. */
  async #look(subscriber: Subscriber, list: number): Promise<void> {
    const { client, who, filters } = subscriber;
    const isStillAllowed = filters.every(
      (one) => this.#oracle(who).count('subscribe', one, WORLD).refused === 0,
    );
    if (isStillAllowed) client.send({ type: PacketType.pingreq });
    const packets = [];
    for (;;) {
      const packet = await client.any().catch(() => undefined);
      if (packet === undefined) break;
      if (packet.type === PacketType.pingresp) break;
      packets.push(packet);
    }
    expect(client.hasEnded, this.#told({ filters, user: who.user })).toBe(!isStillAllowed);
    this.#check(subscriber, packets, list);
  }

  /** Whatever came under a list of rules is allowed by it, to its sender and to its receiver. */
  #check({ who }: Subscriber, packets: readonly { type: PacketType }[], list: number): void {
    for (const packet of packets) {
      if (packet.type !== PacketType.publish) continue;
      const { topic, payload } = packet as unknown as { topic: string; payload: Uint8Array };
      const sent = JSON.parse(String(payload)) as { list?: number; user: string; id: string; will?: true };
      // What came before the rules changed was judged by those.
      if (list !== this.#list || !sent.id.startsWith(`${this.#name}-`)) continue;
      if (sent.list !== undefined && sent.list !== this.#list) continue;
      this.#delivered++;
      expect(this.#oracle(who).may('subscribe', topic), this.#told({ topic, user: who.user })).toBe(true);
      const sender = { ...who, user: sent.user, groups: GROUPS[sent.user]!, clientId: sent.id };
      expect(this.#mayPublish(sender, topic), this.#told({ topic, sent })).toBe(true);
    }
  }

  #told(what: object): string {
    return JSON.stringify({ ...what, rules: this.#rules.map((rule) => describeRule(rule)) });
  }
}

/** The answer to a subscription, and what came before it. */
async function subscribe(client: RawMqtt, filter: string) {
  const packetId = client.newPacketId();
  const options = { qos: 1 as const, noLocal: false, retainAsPublished: false, retainHandling: 0 as const };
  client.send({
    type: PacketType.subscribe,
    packetId,
    subscriptions: [{ filter, ...options }],
    properties: {},
  });
  const others = [];
  for (;;) {
    const packet = await client.any();
    if (packet.type === PacketType.suback) return { reasonCode: packet.reasonCodes[0]!, others };
    others.push(packet);
  }
}
