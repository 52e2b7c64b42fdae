import { connect as connectTls } from 'node:tls';
import { produce } from '../../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../../internal/protocol/kafka/apis/01-fetch.ts';
import { saslHandshake } from '../../../internal/protocol/kafka/apis/17-sasl-handshake.ts';
import { apiVersions } from '../../../internal/protocol/kafka/apis/18-api-versions.ts';
import { saslAuthenticate } from '../../../internal/protocol/kafka/apis/36-sasl-authenticate.ts';
import { describeCluster } from '../../../internal/protocol/kafka/apis/60-describe-cluster.ts';
import type { Api, InputOf } from '../../../internal/protocol/kafka/schema.ts';
import { KafkaWire } from '../../support/kafka-wire.ts';
import { errorCodes, fetchOf, type KafkaRequest, kafkaRequests, produceOf } from '../kafka-requests.ts';
import type { AccessDoor, DoorAction, DoorSession, Login, Names, Places } from './door.ts';
import { Refused } from './door.ts';

const SASL_FAILED = '58';

const CHANGING = [
  'Produce write topic',
  'Metadata create topic',
  'OffsetCommit read group',
  'CreateTopics create topic',
  'DeleteTopics delete topic',
  'DeleteRecords delete topic',
  'AlterConfigs alter-configs topic',
  'IncrementalAlterConfigs alter-configs topic',
  'CreatePartitions alter topic',
  'DeleteGroups delete group',
  'OffsetDelete delete group',
  'CreateAcls alter broker',
  'DeleteAcls alter broker',
  'AlterClientQuotas alter-configs broker',
  'AlterUserScramCredentials alter broker',
];

/** Kafka, with every API that asks for permissions. */
export const kafka: AccessDoor = {
  name: 'Kafka',
  words: {
    badLogin: SASL_FAILED,
    nothingShown: 'closed',
    mayNotConnect: SASL_FAILED,
    certificateMayNotConnect: 'closed',
    thrownOut: undefined,
    expired: undefined,
    afterwards: { thrownOut: 'closed', expired: 'closed' },
  },
  following: 'Fetch read topic',
  actions: [
    ...kafkaRequests({ log: 'a', fresh: 'b', group: 'c' }).map((request): DoorAction => {
      const codes = Object.values(request.codes).map(String);
      // A request about several things is refused each of them.
      const refused = [...codes, codes.join(' ')];
      return { name: nameOf(request), effect: effectOf(request), granted: undefined, refused };
    }),
  ],
  open: async (places, login) => new KafkaSession(await openKafka(places, login)),
};

/** A connection that has logged in, where there is something to log in with. */
export async function openKafka(places: Places, login: Login): Promise<KafkaWire> {
  const wire = await wireTo(places, login);
  const failure = await logIn(wire, login);
  if (failure !== undefined) throw new Refused(failure);
  return wire;
}

function nameOf({ api, codes }: KafkaRequest): string {
  return `${api.name} ${Object.keys(codes)[0]}`;
}

function effectOf(request: KafkaRequest): DoorAction['effect'] {
  if (request.api === (fetch as Api)) return 'shows';
  return CHANGING.includes(nameOf(request)) ? 'changes' : 'none';
}

class KafkaSession implements DoorSession {
  received = '';
  readonly #wire: KafkaWire;
  #following: Promise<string> | undefined;

  constructor(wire: KafkaWire) {
    this.#wire = wire;
    wire.socket.on('data', (chunk) => (this.received += chunk.toString('latin1')));
  }

  async perform(action: string, { log, freshLog, group }: Names): Promise<string> {
    const requests = kafkaRequests({ log, fresh: freshLog, group });
    const { api, version, body } = requests.find((each) => nameOf(each) === action)!;
    return this.#ask(api, version, body);
  }

  async follow({ log }: Names): Promise<string> {
    const first = await this.#fetchFrom(log, 0);
    if (first.refusal !== undefined) return first.refusal;
    this.#following = this.#fetchOn(log, first.next);
    return 'none';
  }

  send({ log }: Names, text: string): void {
    this.#wire.send(produce, 9, produceOf(log, text));
  }

  async settle(): Promise<void> {
    await this.#ask(apiVersions, 0, {});
  }

  async end(): Promise<string> {
    if (this.#following !== undefined) return this.#following;
    await this.#wire.closed;
    return 'closed';
  }

  close(): void {
    this.#wire.close();
  }

  /** Fetches until it is refused, and with what. */
  async #fetchOn(log: string, from: number): Promise<string> {
    for (let next = from; ; ) {
      const fetched = await this.#fetchFrom(log, next);
      if (fetched.refusal !== undefined) return fetched.refusal;
      next = fetched.next;
    }
  }

  async #fetchFrom(log: string, from: number): Promise<{ next: number; refusal: string | undefined }> {
    const request = fetchOf(log, from, 100);
    const answer = await this.#wire.ask(fetch, 12, request).catch(() => undefined);
    const [partition] = answer?.responses[0]?.partitions ?? [];
    if (partition === undefined || partition.errorCode !== 0)
      return { next: from, refusal: partition === undefined ? 'closed' : String(partition.errorCode) };
    return { next: offsetBehind(partition.records) ?? from, refusal: undefined };
  }

  /** The error codes of the answer. */
  async #ask<A extends Api>(api: A, version: number, body: InputOf<A['request']>): Promise<string> {
    try {
      const codes = new Set(errorCodes(await this.#wire.ask(api, version, body)));
      codes.delete(0);
      return codes.size === 0 ? 'none' : [...codes].join(' ');
    } catch (error) {
      if (!(error as Error).message.startsWith('no answer')) throw error;
      return 'closed';
    }
  }
}

async function wireTo({ plain, secured }: Places, { certificate }: Login): Promise<KafkaWire> {
  if (certificate === undefined) return KafkaWire.open(plain.kafka!);
  const socket = connectTls({
    host: 'localhost',
    port: Number(new URL(secured.kafka!).port),
    ...certificate,
  });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(undefined));
    socket.once('error', reject);
  });
  return KafkaWire.over(socket);
}

/** @returns what the client is told instead of being let in. */
async function logIn(wire: KafkaWire, { user, password, token }: Login): Promise<string | undefined> {
  if (password === undefined && token === undefined) return (await isServed(wire)) ? undefined : 'closed';
  const mechanism = token === undefined ? 'PLAIN' : 'OAUTHBEARER';
  await wire.ask(saslHandshake, 1, { mechanism });
  const words = token === undefined ? `\0${user}\0${password}` : `n,,\x01auth=Bearer ${token}\x01\x01`;
  const { errorCode, authBytes } = await wire.ask(saslAuthenticate, 2, { authBytes: Buffer.from(words) });
  if (errorCode !== 0) return String(errorCode);
  if (token === undefined || authBytes.length === 0) return undefined;
  // Why a token is refused is a challenge, which the client answers with one byte (RFC 7628, section 3.2.3).
  const end = await wire.ask(saslAuthenticate, 2, { authBytes: Buffer.from([1]) });
  return String(end.errorCode);
}

/** Whether a client that has not logged in is served anything but the way to log in. */
async function isServed(wire: KafkaWire): Promise<boolean> {
  wire.send(describeCluster, 0, { includeClusterAuthorizedOperations: false });
  return (await wire.next()) !== undefined;
}

/** The offset behind the last record of some batches; undefined where there are none. */
function offsetBehind(records: Uint8Array | null): number | undefined {
  const bytes = Buffer.from(records ?? []);
  let next: number | undefined;
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8))
    next = Number(bytes.readBigInt64BE(at)) + bytes.readInt32BE(at + 23) + 1;
  return next;
}
