import { describe, expect, it } from 'vitest';
import { FakeConnection } from '../../../test/support/fake-connection.ts';
import { longestTurnMs } from '../../limits/broker.ts';
import { kafkaRequestElements } from '../../limits/kafka.ts';
import { aloneAs } from '../../log/nodes.ts';
import { Fates } from '../../observe/fates.ts';
import { Metrics } from '../../observe/metrics.ts';
import { metadata } from '../../protocol/kafka/apis/03-metadata.ts';
import { decodeResponse, encodeRequest } from '../../protocol/kafka/exchange.ts';
import { Admission } from '../clients/admission.ts';
import { ForeignProtocols } from '../foreign-protocol.ts';
import { KafkaConnection } from './connection.ts';
import type { KafkaParts } from './handler.ts';
import { Slices } from './slices.ts';

/** A connection whose clock goes on by a turn for each request that is read, and for each name that is looked up. */
function open() {
  let nowMs = 0;
  const takeTurn = () => {
    nowMs += longestTurnMs + 1;
  };
  let turn = 0;
  const lookedUpIn = new Set<number>();
  const warnings: object[] = [];
  const logger = { debug() {}, info() {}, warn: (fields: object) => warnings.push(fields), error() {} };
  const kafka = {
    logs: {
      topic() {
        lookedUpIn.add(turn);
        takeTurn();
      },
    },
    slices: new Slices(() => nowMs),
    nodes: aloneAs(1),
    clusterId: 'x',
    settings: { maxRequestBytes: 2 ** 30, autoCreate: false },
    log: logger,
  } as unknown as KafkaParts;
  const fates = new Fates(new Metrics(), logger);
  const connection = new FakeConnection();
  new KafkaConnection(connection, {
    kafka,
    admission: new Admission(),
    advertised: undefined,
    requests: {
      get value() {
        return 0;
      },
      set value(_) {
        takeTurn();
      },
    },
    logger,
    fates,
    foreign: new ForeignProtocols({ door: 'kafka', spoken: "Kafka's protocol", fates }),
    closed() {},
  });
  const nextTurn = async () => {
    await new Promise(setImmediate);
    turn++;
  };
  return { connection, lookedUpIn, warnings, nextTurn, turn: () => turn };
}

function metadataOf(names: number): Buffer {
  const topics = Array.from({ length: names }, (_, index) => ({ name: `name-${index}` }));
  return Buffer.concat(encodeRequest(metadata, 1, { correlationId: 7, clientId: 'x' }, { topics }));
}

/**
 * A Metadata request of 500,000 names was read, looked up and answered in one turn, for which everybody else waited: 1.1 to
 * 1.5 s were measured. Now each of the three has a turn of its own, and the names are bounded, whatever the API.
 */
describe('a request with very many names', () => {
  it('is read, handled and answered in turns of their own', async () => {
    const { connection, lookedUpIn, nextTurn, turn } = open();
    connection.handler.bytes(metadataOf(kafkaRequestElements));
    expect(lookedUpIn.size).toBe(0);
    while (connection.written.length === 0) await nextTurn();
    const [handledIn] = lookedUpIn;
    expect(handledIn).toBeLessThan(turn());
    const { body } = decodeResponse(metadata, 1, Buffer.concat(connection.written).subarray(4));
    expect(body.topics).toHaveLength(kafkaRequestElements);
  });

  it('is refused beyond a bound, and the log says so', () => {
    const { connection, warnings } = open();
    connection.handler.bytes(metadataOf(kafkaRequestElements + 1));
    expect(connection.isEnded).toBe(true);
    expect(warnings).toMatchObject([
      { code: 'malformed-kafka-request', reason: expect.stringMatching(/element/) },
    ]);
  });

  it('is answered in the order of its connection', async () => {
    const { connection, nextTurn } = open();
    connection.handler.bytes(Buffer.concat([metadataOf(20_000), metadataOf(1)]));
    while (connection.written.length < 2) await nextTurn();
    const answers = Buffer.concat(connection.written);
    const long = answers.readInt32BE(0) + 4;
    expect(decodeResponse(metadata, 1, answers.subarray(4, long)).body.topics).toHaveLength(20_000);
    expect(decodeResponse(metadata, 1, answers.subarray(long + 4)).body.topics).toHaveLength(1);
  });
});
