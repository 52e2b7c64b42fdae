import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame, FrameType, frameSize, TOPIC_OFFSET } from '../../internal/protocol/frame/frame.ts';
import { freePort } from '../../test/support/free-port.ts';
import { writeKafkaDirectory } from '../../test/support/kafka-directory.ts';
import { BROKER_CORE, start, untilListening } from '../processes.ts';
import { writeManyRules } from './many-rules.ts';
import { mqtt } from './mqtt.ts';
import type { Address, GrpcPeer, GrpcServer, KafkaPeer, KafkaServer, LivePeer, Wire } from './peer.ts';

/** tinymq's own frames. */
export const frames: Wire = {
  connect: (clientId) => encodeFrame(FrameType.connect, '', '', clientId),
  subscribe: (filter) => encodeFrame(FrameType.subscribe, filter, '', ''),
  unsubscribe: (filter) => encodeFrame(FrameType.unsubscribe, filter, '', ''),
  ping: (clientId) => encodeFrame(FrameType.ping, '', '', clientId),
  pong: (clientId) => encodeFrame(FrameType.pong, '', '', clientId),
  publish: (topic, payload, clientId) => encodeFrame(FrameType.publish, topic, payload, clientId),
  delivery: (topic, payloadBytes, publisherId) => ({
    bytes: frameSize(Buffer.byteLength(topic), payloadBytes, Buffer.byteLength(publisherId)),
    payloadOffset: TOPIC_OFFSET + Buffer.byteLength(topic) + 4,
  }),
  greetsBeforeTls: false,
};

/** Until the store's threads are at speed too. */
const WARM_UP_SECONDS = 2;

/** The broker of this checkout, as it was built. */
export const tinymq = tinymqAt('tinymq', join(import.meta.dirname, '..', '..'));

/** Flags that a broker gets beside those of its listeners; it may write files into its folder. */
type MoreFlags = (folder: string) => readonly string[];

/** The broker of this checkout with 100 users and 200 rules. */
export const tinymqWithRules = tinymqAt('tinymq-rules', join(import.meta.dirname, '..', '..'), (folder) => [
  '-users',
  writeManyRules(folder),
]);

/** The broker that was built in `checkout`. */
export function tinymqAt(
  name: string,
  checkout: string,
  moreFlags: MoreFlags = () => [],
): LivePeer & KafkaPeer & GrpcPeer {
  const program = join(checkout, 'bin', 'broker');
  return {
    name,
    transports: ['tcp', 'tls', 'unix'],
    problem: () => (existsSync(program) ? undefined : `${program} is not there: make build writes it`),
    command: ({ address, certificates, folder, keptFilter }) => ({
      program,
      args: [
        '-quiet',
        '-listen',
        urlOf(address),
        ...['-data-dir', join(folder, 'data')],
        ...(keptFilter === undefined ? [] : ['-keep', keptFilter]),
        ...moreFlags(folder),
        ...(certificates ? ['-tls-cert', certificates.certFile, '-tls-key', certificates.keyFile] : []),
      ],
    }),
    wire: frames,
    mqtt,
    kafka: [
      {
        label: '',
        warmUpSeconds: WARM_UP_SECONDS,
        start: (folder) => startWithKafka(program, 'commit', [...inDataDir(folder), ...moreFlags(folder)]),
      },
      {
        label: 'fsync os',
        warmUpSeconds: WARM_UP_SECONDS,
        start: (folder) => startWithKafka(program, 'os', [...inDataDir(folder), ...moreFlags(folder)]),
      },
      {
        label: 'log dir',
        warmUpSeconds: WARM_UP_SECONDS,
        start: (folder) => startWithKafka(program, 'commit', [...inLogDir(folder), ...moreFlags(folder)]),
      },
      {
        label: 'log dir, fsync os',
        warmUpSeconds: WARM_UP_SECONDS,
        start: (folder) => startWithKafka(program, 'os', [...inLogDir(folder), ...moreFlags(folder)]),
      },
    ],
    startWithGrpc: (folder) => startWithGrpc(program, folder, moreFlags(folder)),
  };
}

function inDataDir(folder: string): readonly string[] {
  return ['-data-dir', join(folder, 'data')];
}

/** The logs in a directory as a Kafka has it. */
function inLogDir(folder: string): readonly string[] {
  const directory = join(folder, 'log-dir');
  if (!existsSync(directory)) writeKafkaDirectory(directory);
  return ['-kafka-log-dir', directory];
}

async function startWithKafka(
  program: string,
  fsync: 'commit' | 'os',
  moreFlags: readonly string[],
): Promise<KafkaServer> {
  const kafkaPort = await freePort();
  const liveAddress: Address = { transport: 'tcp', port: await freePort() };
  const broker = start(
    {
      program,
      args: [
        '-quiet',
        ...['-listen', urlOf(liveAddress)],
        ...['-kafka', `127.0.0.1:${kafkaPort}`],
        ...['-fsync', fsync],
        ...moreFlags,
      ],
    },
    BROKER_CORE,
  );
  await untilListening(broker, { transport: 'tcp', port: kafkaPort });
  return {
    pid: broker.pid,
    kafkaPort,
    liveAddress,
    output: broker.output,
    end: broker.end,
    kill: broker.kill,
  };
}

async function startWithGrpc(
  program: string,
  folder: string,
  moreFlags: readonly string[],
): Promise<GrpcServer> {
  const grpcPort = await freePort();
  const args = ['-quiet', '-grpc', `127.0.0.1:${grpcPort}`, '-data-dir', join(folder, 'data'), ...moreFlags];
  const broker = start({ program, args }, BROKER_CORE);
  await untilListening(broker, { transport: 'tcp', port: grpcPort });
  return { pid: broker.pid, grpcPort, output: broker.output, end: broker.end };
}

function urlOf(address: Address): string {
  return address.transport === 'unix'
    ? `unix://${address.path}`
    : `${address.transport}://127.0.0.1:${address.port}`;
}
