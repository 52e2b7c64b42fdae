import { describe, expect, it } from 'vitest';
import { identityOfTest } from '../../../test/support/access.ts';
import { Broker } from '../../broker/broker.ts';
import type { RetainedStore } from '../../broker/retained/retained.ts';
import { Sessions } from '../../broker/sessions/sessions.ts';
import { Metrics } from '../../observe/metrics.ts';
import { SysTopics } from './sys-topics.ts';

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function setUp(retainedStore?: RetainedStore) {
  const metrics = new Metrics();
  const settings = {
    maxClients: 10,
    channelSize: 10,
    channelBytes: 1000,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 10,
  };
  const broker = new Broker({ settings, metrics, logger, retainedStore });
  const limits = { queueMessages: 10, queueBytes: 1000 };
  const sessions = new Sessions({ broker, metrics, logger, limits, slowConsumerWaitMs: 10 });
  const sys = new SysTopics({
    broker,
    sessions,
    metrics,
    version: 'tinymq version 1.2.3',
    everyMs: 1_000_000,
  });
  const told = () =>
    Object.fromEntries(
      [...broker.retained.find('$SYS/#')].map(({ topic, payload }) => [
        topic,
        Buffer.from(payload).toString(),
      ]),
    );
  return { metrics, broker, sessions, sys, told };
}

describe('$SYS', () => {
  it("has mosquitto's topics as retained messages", () => {
    const { broker, sessions, sys, told } = setUp();
    expect(told()).toMatchObject({
      '$SYS/broker/version': 'tinymq version 1.2.3',
      '$SYS/broker/uptime': '0 seconds',
      '$SYS/broker/clients/connected': '0',
      '$SYS/broker/clients/total': '0',
      '$SYS/broker/subscriptions/count': '0',
      '$SYS/broker/messages/received': '0',
    });
    broker.publishMessage({ topic: 'a', payload: Buffer.from('x'), clientId: '', retain: true });
    const { session } = sessions.open(identityOfTest('away'), false, 1000);
    session.endedAtMs = Date.now();
    sys.publish();
    expect(told()).toMatchObject({
      '$SYS/broker/messages/received': '1',
      '$SYS/broker/clients/disconnected': '1',
      '$SYS/broker/clients/total': '1',
    });
    expect(Number(told()['$SYS/broker/load/publish/received/1min'])).toBeGreaterThan(0);
    sys.close();
    sessions.close();
  });

  it('has every name that monitoring programs ask mosquitto for', () => {
    const { sessions, sys, told } = setUp();
    const minutes = ['1min', '5min', '15min'];
    const loads = ['bytes', 'messages', 'publish']
      .flatMap((what) => [`${what}/received`, `${what}/sent`])
      .concat('publish/dropped', 'connections', 'sockets');
    const names = [
      ...['bytes', 'messages', 'publish/messages', 'publish/bytes'].flatMap((what) => [
        `${what}/received`,
        `${what}/sent`,
      ]),
      ...['active', 'connected', 'disconnected', 'expired', 'inactive', 'maximum', 'total'].map(
        (what) => `clients/${what}`,
      ),
      ...['heap/current', 'heap/maximum', 'messages/stored', 'publish/messages/dropped'],
      ...['retained messages/count', 'shared_subscriptions/count', 'subscriptions/count'],
      ...['store/messages/bytes', 'store/messages/count', 'uptime', 'version'],
      ...loads.flatMap((load) => minutes.map((span) => `load/${load}/${span}`)),
    ];
    expect(Object.keys(told())).toEqual(expect.arrayContaining(names.map((name) => `$SYS/broker/${name}`)));
    sys.close();
    sessions.close();
  });

  it('is not counted as messages of clients, nor kept in the store', () => {
    const kept: string[] = [];
    const { metrics, broker, sessions, sys } = setUp({
      isBehind: false,
      holdBack() {},
      putRetained: ({ topic }) => kept.push(topic),
      deleteRetained() {},
      expireRetained() {},
    });
    broker.publishMessage({ topic: 'a', payload: Buffer.from('x'), clientId: '', retain: true });
    sys.publish();
    expect(kept).toEqual(['a']);
    expect(metrics.snapshot().messages_received_total).toBe(1);
    sys.close();
    sessions.close();
  });
});
