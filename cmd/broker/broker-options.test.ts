import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SLOW_CONSUMER_POLICIES } from '../../internal/broker/delivery/channel.ts';
import * as brokerLimits from '../../internal/limits/broker.ts';
import * as doorsLimits from '../../internal/limits/doors.ts';
import * as logLimits from '../../internal/limits/log.ts';
import * as serverLimits from '../../internal/limits/server.ts';
import * as transportLimits from '../../internal/limits/transport.ts';
import { SCHEMES } from '../../internal/transport/endpoint.ts';
import { NETWORKS as CLIENT_NETWORKS } from '../../pkg/client/address.ts';
import { ListenError } from '../../pkg/embed/index.ts';
import { identityOfTest } from '../../test/support/access.ts';
import { NETWORKS } from '../cli/options/connection-options.ts';
import { parseProgram } from '../cli/options/parse-program.ts';
import { UsageError } from '../cli/options/program.ts';
import { brokerOptionsOf } from './broker-options.ts';
import { brokerProgram } from './flags.ts';

async function optionsOf(line: string, report: (message: string) => void = () => {}) {
  const argv = line === '' ? [] : line.split(' ');
  const { values, given, operands } = await parseProgram(brokerProgram, argv, {}, '1');
  return brokerOptionsOf(values, given, report, operands[0]);
}

describe('what stands in two places', () => {
  it('the defaults of the flags are those of a broker inside an app', async () => {
    expect(await optionsOf('')).toMatchObject({
      socketMode: transportLimits.socketMode,
      maxMessageBytes: brokerLimits.maxMessageBytes,
      maxClients: brokerLimits.maxClients,
      connectTimeoutMs: doorsLimits.connectTimeoutMs,
      keepAliveMs: doorsLimits.keepAliveMs,
      channelSize: brokerLimits.channelSize,
      channelBytes: brokerLimits.channelBytes,
      channelTotalBytes: brokerLimits.channelTotalBytes,
      slowConsumerWaitMs: brokerLimits.slowConsumerWaitMs,
      shutdownTimeoutMs: serverLimits.shutdownTimeoutMs,
      keepForMs: logLimits.logRetentionMs,
    });
  });

  it('the networks of the programs, the client and the listeners, and the policies', async () => {
    expect(NETWORKS).toEqual(SCHEMES);
    expect(CLIENT_NETWORKS).toEqual(SCHEMES);
    for (const policy of SLOW_CONSUMER_POLICIES) {
      expect((await optionsOf(`-slow-consumer ${policy}`)).slowConsumer).toBe(policy);
    }
  });
});

describe('the listeners', () => {
  it.each<[string, string[]]>([
    ['', ['tcp://localhost:1883']],
    ['-network tcp', ['tcp://localhost:1883']],
    ['-address :1884', ['tcp://:1884']],
    ['-network tcp -address [::1]:1884', ['tcp://[::1]:1884']],
    ['-network unix', ['unix:///tmp/broker.sock']],
    ['-address localhost', ['tcp://localhost:1883']],
    ['-address [::1]', ['tcp://[::1]:1883']],
    ['-address mqtt://localhost', ['tcp://localhost:1883']],
    ['-address TCP://localhost:1884', ['tcp://localhost:1884']],
    ['-address mqtts://localhost -tls-cert c -tls-key k', ['tls://localhost:8883']],
    ['-address tcp://localhost:1 -tls-cert c -tls-key k -listen tls://:2', ['tcp://localhost:1', 'tls://:2']],
    ['-network ws -address ws://localhost:1', ['ws://localhost:1']],
    ['-address unix:///run/a.sock', ['unix:///run/a.sock']],
    ['-address /run/a.sock', ['unix:///run/a.sock']],
    ['-listen mqtt://localhost,ws://localhost', ['tcp://localhost:1883', 'ws://localhost:80']],
    ['-network unix -address /run/a.sock', ['unix:///run/a.sock']],
    ['-network ws -address localhost:8083', ['ws://localhost:8083']],
    ['-listen ws://:1', ['ws://:1']],
    ['-listen ws://:1,tcp://:2 -listen unix:///s', ['ws://:1', 'tcp://:2', 'unix:///s']],
    ['-address :3 -listen ws://:1', ['tcp://:3', 'ws://:1']],
    ['-tls-cert c -tls-key k', ['tls://localhost:1883']],
    ['-tls-cert c -tls-key k -address :8883', ['tls://:8883']],
    ['-tls-cert c -tls-key k -network ws -address :443', ['wss://:443']],
    ['-tls-cert c -tls-key k -listen tls://:1,tcp://:2', ['tls://:1', 'tcp://:2']],
    ['-tls-cert c -tls-key k -listen tcp://:2', ['tls://localhost:1883', 'tcp://:2']],
  ])('of `broker %s`', async (line, urls) => {
    expect((await optionsOf(line)).listen).toEqual(urls);
  });

  it.each<[string, string]>([
    ['-address 3883', 'a port has a colon before it, as in localhost:1883 or :1883'],
    [
      '-address a:99999',
      "'tcp://a:99999' is not an address: an address is host:port, with a port up to 65535",
    ],
    [
      '-network ws -address tcp://localhost:1',
      '-network ws and -address tcp://localhost:1 do not go together',
    ],
    [
      '-address kafka://localhost',
      "'kafka://localhost' is not an address to listen on; it begins with tcp://",
    ],
    ['-listen localhost:1883', "'localhost:1883' is not an address to listen on"],
    ['-listen udp://localhost:1883', "'udp://localhost:1883' is not an address to listen on"],
    ['-network tls', 'tls://localhost:1883 needs -tls-cert and -tls-key'],
    ['-tls-cert c', 'TLS needs both -tls-cert and -tls-key'],
    ['-tls-ca c', 'TLS needs both -tls-cert and -tls-key'],
    ['-tls-cert c -tls-key k -network unix', '-tls-cert has no effect: no listener uses TLS'],
  ])('of `broker %s` are wrong usage', async (line, message) => {
    await expect(optionsOf(line)).rejects.toThrow(UsageError);
    await expect(optionsOf(line)).rejects.toThrow(message);
  });

  it('may stay closed only where nobody named them', async () => {
    const reports: string[] = [];
    const report = (message: string) => reports.push(message);
    const taken = new ListenError('tcp://localhost:1883', Object.assign(new Error(), { code: 'EADDRINUSE' }));
    (await optionsOf('', report)).onListenError!(taken);
    expect(reports).toEqual([
      'cannot listen on tcp://localhost:1883: the port is taken by another program; left closed',
    ]);
    expect((await optionsOf('-network tcp')).onListenError).toBeUndefined();
  });
});

describe('the Kafka door', () => {
  it.each<[string, string[] | undefined, string[]]>([
    ['', ['tcp://localhost:9092'], ['tcp://localhost:1883']],
    ['-network tcp', undefined, ['tcp://localhost:1883']],
    ['-kafka :9092', ['tcp://:9092'], []],
    ['-kafka :9092 -address :1883', ['tcp://:9092'], ['tcp://:1883']],
    ['-kafka localhost', ['tcp://localhost:9092'], []],
    ['-kafka kafka://localhost,plaintext://:2', ['tcp://localhost:9092', 'tcp://:2'], []],
    ['-kafka tcp://a:1,b:2 -kafka c:3', ['tcp://a:1', 'tcp://b:2', 'tcp://c:3'], []],
    ['-kafka :9093 -tls-cert c -tls-key k', ['tls://:9093'], []],
    ['-kafka tcp://:1,tls://:2 -tls-cert c -tls-key k', ['tcp://:1', 'tls://:2'], []],
  ])('of `broker %s` is open at %j', async (line, kafka, urls) => {
    const options = await optionsOf(line);
    expect(options.kafka?.listen).toEqual(kafka);
    expect(options.listen).toEqual(urls);
  });

  it.each<[string, string]>([
    ['-kafka ws://:1', "'ws://:1' is not an address to listen on; it begins with tcp://, tls://, kafka://"],
    ['-kafka :99999', 'an address is host:port, with a port up to 65535'],
    ['-kafka tls://:1', 'tls://:1 needs -tls-cert and -tls-key'],
    ['-kafka :1 -kafka-advertised host', "-kafka-advertised is host:port, not 'host'"],
    ['-kafka :1 -kafka-partitions 0', '-kafka-partitions'],
    ['-kafka-log-dir /x -log a/#', '-keep has no effect'],
    ['-kafka-log-dir /x -memory', '-memory has no effect'],
    ['no-such.properties', 'no-such.properties cannot be read'],
    ['one two', "unexpected argument 'two'"],
  ])('of `broker %s` is wrong usage', async (line, message) => {
    await expect(optionsOf(line)).rejects.toThrow(UsageError);
    await expect(optionsOf(line)).rejects.toThrow(message);
  });

  it('and that of gRPC are open where they are named', async () => {
    expect((await optionsOf('')).grpc).toMatchObject({ listen: ['tcp://localhost:8097'], allowWrites: true });
    const options = await optionsOf('-grpc :8097 -grpc-writes=false -grpc-max-message 1MiB');
    expect(options).toMatchObject({
      listen: [],
      grpc: { listen: ['tcp://:8097'], allowWrites: false, maxMessageBytes: 1024 ** 2 },
    });
    expect(options.kafka).toBeUndefined();
  });

  it('keeps what an existing Kafka has written, unless somebody says how long', async () => {
    expect(await optionsOf('-kafka-log-dir /x')).toMatchObject({
      kafkaLogDirs: { directories: ['/x'] },
      keepForMs: 0,
      keepBytes: 0,
    });
    expect((await optionsOf('-kafka-log-dir /x -log-retention 1h')).keepForMs).toBe(3_600_000);
  });

  it('keeps sessions in a folder of its own beside the logs of a Kafka', async () => {
    expect(await optionsOf('-kafka-log-dir /x -data-dir /y')).toMatchObject({
      kafkaLogDirs: { directories: ['/x'] },
      dataDir: '/y',
      dataDirIsOptional: false,
    });
  });
});

describe("a Kafka's server.properties", () => {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-properties-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function optionsOfFile(lines: string[], flags = '') {
    const file = join(folder, 'server.properties');
    writeFileSync(file, lines.join('\n'));
    return optionsOf(`${flags} ${file}`.trim());
  }

  it('says where to listen, and where the logs lie', async () => {
    const options = await optionsOfFile([
      'listeners=PLAINTEXT://:9092,INSIDE://[::1]:9094,CONTROLLER://:9093',
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'advertised.listeners=PLAINTEXT://kafka.example.com:9092',
      'log.dirs=/one,/two',
      'num.partitions=3',
      'log.retention.hours=1',
      'log.retention.bytes=-1',
    ]);
    expect(options).toMatchObject({
      listen: [],
      kafka: {
        listen: ['tcp://:9092', 'tcp://[::1]:9094'],
        advertised: 'kafka.example.com:9092',
        partitions: 3,
      },
      kafkaLogDirs: { directories: ['/one', '/two'] },
      keepForMs: 3_600_000,
      keepBytes: 0,
    });
  });

  it('gives way to flags', async () => {
    const options = await optionsOfFile(
      ['log.dirs=/one', 'num.partitions=3'],
      '-kafka-partitions 5 -kafka :7 -kafka-log-dir /two',
    );
    expect(options).toMatchObject({
      kafka: { listen: ['tcp://:7'], partitions: 5 },
      kafkaLogDirs: { directories: ['/two'] },
    });
  });

  it.each<[string, string]>([
    ['listeners=SASL_SSL://:9092', 'listener SASL_SSL asks for SASL, which is not served'],
    ['listeners=SSL://:9092', 'tls://:9092 needs -tls-cert and -tls-key'],
    ['num.partitions=many', 'num.partitions'],
    ['listener 1883\npersistence true', 'is no server.properties of a Kafka'],
    [
      'listeners=A://:1,B://:2\nadvertised.listeners=A://a:1,B://b:2\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT',
      'advertised.listeners names several addresses',
    ],
  ])('is refused where it says %s', async (line, message) => {
    await expect(optionsOfFile([line])).rejects.toThrow(message);
  });
});

describe('every other flag', () => {
  it.each<[string, object]>([
    ['-tls-cert c -tls-key k -tls-ca a', { tls: { certFile: 'c', keyFile: 'k', caFile: 'a' } }],
    ['-socket-mode 0600', { socketMode: 0o600 }],
    ['-max-message 1GiB', { maxMessageBytes: 1024 ** 3 }],
    ['-max-clients 5', { maxClients: 5 }],
    ['-connect-timeout 0.5', { connectTimeoutMs: 500 }],
    ['-keepalive 30', { keepAliveMs: 30_000 }],
    ['-channel-size 7', { channelSize: 7 }],
    ['-channel-bytes 1MiB', { channelBytes: 1024 ** 2 }],
    ['-slow-consumer drop-oldest', { slowConsumer: 'drop-oldest' }],
    ['-slow-consumer disconnect', { slowConsumer: 'disconnect' }],
    ['-slow-consumer-wait 250ms', { slowConsumerWaitMs: 250 }],
    ['-shutdown-timeout 3s', { shutdownTimeoutMs: 3_000 }],
    ['-ws-origin https://a -ws-origin https://{b,c}', { webSocketOrigins: ['https://a', 'https://{b,c}'] }],
  ])('%s', async (line, options) => {
    expect(await optionsOf(line)).toMatchObject(options);
    expect(await optionsOf('')).not.toMatchObject(options);
  });

  it('-refuse-filter makes a guard, and is a filter', async () => {
    const guard = (await optionsOf('-refuse-filter test/nosubscribe -refuse-filter secret/#')).guard!;
    const who = identityOfTest('me');
    expect(guard.maySubscribe(who, 'secret/a')).toBe("this broker refuses 'secret/#'");
    expect(guard.maySubscribe(who, 'test/subscribe')).toBeUndefined();
    expect((await optionsOf('')).guard).toBeUndefined();
    await expect(optionsOf('-refuse-filter a/#/b')).rejects.toThrow(
      "-refuse-filter 'a/#/b': # must be the whole last level",
    );
  });

  it.each(['-max-message 0', '-max-message 2GiB', '-max-clients 0', '-channel-size 0', '-socket-mode 9'])(
    '%s is out of bounds',
    async (line) => {
      await expect(optionsOf(line)).rejects.toThrow(UsageError);
    },
  );
});
