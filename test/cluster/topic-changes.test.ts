import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SmqClient } from '../../internal/clients/smq/client.ts';
import {
  DeleteUntilOffsetRequest,
  DeleteUntilOffsetResponse,
  ProduceRequest,
  ProduceResponse,
} from '../../internal/protocol/smq/smq.ts';
import { type BrokerProcess, program, run } from '../support/broker-process.ts';
import { addressOf, type ClusterProcesses, startCluster } from '../support/cluster-processes.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-servers.ts';

/*
 * What one broker of a cluster does to a topic is so on each of them, whoever leads it, and while brokers are restarted.
 */

const nats = await natsServer();

describe.runIf('there' in nats)('topics of a cluster', { timeout: 240_000 }, () => {
  let cluster: ClusterProcesses;
  const stop = new AbortController();
  beforeAll(async () => {
    cluster = await startCluster('there' in nats ? nats.there : '', 2);
  }, 240_000);
  afterAll(async () => {
    stop.abort();
    await cluster?.close();
  });

  const tinymq = (broker: BrokerProcess, ...args: string[]) => {
    const { host, port } = addressOf(broker, 'kafka');
    return run(program('tinymq'), [...args, '-address', `${host}:${port}`]);
  };

  async function consumed(broker: BrokerProcess, topic: string): Promise<string[]> {
    const format = ['-from', 'beginning', '-exit', '-format', '%o %s\n'];
    const { code, stdout, stderr } = await tinymq(broker, 'consume', topic, ...format);
    expect(code, stderr).toBe(0);
    return stdout.split('\n').slice(0, -1);
  }

  async function smqOf(broker: BrokerProcess) {
    const client = await SmqClient.connect(addressOf(broker, 'grpc'), {
      ...{ tls: undefined, stop: stop.signal, connectTimeoutMs: 30_000, requestTimeoutMs: 60_000 },
    });
    const produced = { request: ProduceRequest, response: ProduceResponse };
    const deleted = { request: DeleteUntilOffsetRequest, response: DeleteUntilOffsetResponse };
    return {
      produce: (topic: string, text: string) =>
        client.unary('Produce', produced, { topic, message: Buffer.from(text) }),
      deleteUntil: (topic: string, offset: number) =>
        client.unary('DeleteUntilOffset', deleted, { topic, offset: BigInt(offset) }),
    };
  }

  it('grow, are configured and go everywhere', async () => {
    const [one, two] = cluster.brokers as [BrokerProcess, BrokerProcess];
    expect(await tinymq(one, 'topics', 'create', 'grows', '-partitions', '2')).toMatchObject({ code: 0 });
    const described = async (broker: BrokerProcess) =>
      (await tinymq(broker, 'topics', 'describe', 'grows')).stdout;
    await eventually(async () => /grows/.test(await described(two)), 'the topic on the other broker');
    const altered = await tinymq(
      two,
      'topics',
      'alter',
      'grows',
      '-partitions',
      '5',
      '-config',
      'retention.ms=7200000',
    );
    expect(altered).toMatchObject({ code: 0 });
    await eventually(async () => /7200000|2h/.test(await described(one)), 'the setting on the first broker');
    expect(await tinymq(one, 'topics', 'delete', 'grows')).toMatchObject({ code: 0 });
    await eventually(async () => {
      const { stdout } = await tinymq(two, 'topics', 'list');
      return !/grows/.test(stdout);
    }, 'the topic is gone on the other broker');
  });

  it('are not compacted, which is said', async () => {
    const [one] = cluster.brokers as [BrokerProcess];
    const refused = await tinymq(one, 'topics', 'create', 'compacts', '-config', 'cleanup.policy=compact');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/not compacted/);
  });

  it('lose what is deleted by way of a broker that does not lead them', async () => {
    expect(await tinymq(cluster.brokers[0]!, 'topics', 'create', 'shrinks')).toMatchObject({ code: 0 });
    for (const broker of cluster.brokers) {
      const smq = await smqOf(broker);
      for (let number = 0; number < 3; number++) await smq.produce('shrinks', `${number}`);
    }
    // Offsets of SMQ begin at 1.
    for (const [index, broker] of cluster.brokers.entries()) {
      await (await smqOf(broker)).deleteUntil('shrinks', 2 * (index + 1));
    }
    for (const broker of cluster.brokers) {
      await eventually(async () => (await consumed(broker, 'shrinks')).join() === '4 1,5 2', 'what is left');
    }
  });

  it('take all that is sent to one broker while the others are restarted, without an error', async () => {
    const [one, two] = cluster.brokers as [BrokerProcess, BrokerProcess];
    expect(await tinymq(one, 'topics', 'create', 'rolls')).toMatchObject({ code: 0 });
    const smq = await smqOf(one);
    let isDone = false;
    const sent: string[] = [];
    const producing = (async () => {
      while (!isDone) {
        sent.push(`${sent.length}`);
        await smq.produce('rolls', sent.at(-1)!);
      }
    })();
    const third = await cluster.start();
    expect(await two.stop('SIGTERM')).toMatchObject({ code: 0 });
    const fourth = await cluster.start();
    expect(await third.stop('SIGTERM')).toMatchObject({ code: 0 });
    isDone = true;
    await producing;
    const expected = sent.map((text, offset) => `${offset} ${text}`);
    expect(await consumed(fourth, 'rolls')).toEqual(expected);
  });
});
