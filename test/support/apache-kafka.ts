import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ended, run } from './broker-process.ts';
import { installedOnce, mustRun } from './installed-once.ts';

const POM = fileURLToPath(new URL('kafka-peer/pom.xml', import.meta.url));
/** Any will do: one broker is the whole cluster. */
const CLUSTER_ID = 'dGlueW1xLXRlc3QtcGVlcg';
const DEFAULT_HEAP_MB = 256;
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const LOG_ERRORS_ONLY = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
/** A JVM and a controller election on a machine that is busy. */
const START_PATIENCE_MS = 120_000;
const STOP_PATIENCE_MS = 30_000;
const READY_POLL_MS = 100;

/** What a tool said and how it ended. */
export type ToolResult = Pick<Ended, 'stdout' | 'stderr' | 'code'>;

/** A broker of Apache Kafka 4.3 in a process of its own, to compare with. */
export interface ApacheKafka extends AsyncDisposable {
  /** `host:port` for clients. */
  readonly bootstrap: string;
  readonly pid: number;
  /** Where its logs and its metadata are. */
  readonly logDir: string;
  /** Runs a class of Apache Kafka to its end, such as `org.apache.kafka.tools.TopicCommand`. */
  run(mainClass: string, args: readonly string[], options?: { input?: string }): Promise<ToolResult>;
  /** Ends it in good order and removes `logDir`, unless that was given. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would; what it wrote stays. Resolves when it has ended. */
  kill(): Promise<void>;
}

export interface ApacheKafkaOptions {
  /** Where to keep everything. What an earlier broker left there is used; without it, a new temporary folder. */
  logDir?: string;
  /** Lines of `server.properties`, over those here. */
  properties?: Record<string, string>;
  /** The only processor to run on. */
  cpu?: number;
  heapMb?: number;
  /** Where clients come, such as the port of a broker that was here before; any that is free without it. */
  port?: number;
}

/** Whether Apache Kafka can run here: Java, and Maven to fetch it. */
export function hasJava(): boolean {
  return ['java', 'mvn'].every((command) => spawnSync(command, ['-version']).status === 0);
}

/** Starts Apache Kafka and waits until it answers. Throws what it said if it ends instead. */
export async function startApacheKafka(options: ApacheKafkaOptions = {}): Promise<ApacheKafka> {
  const classpath = await kafkaClasspath();
  const logDir = options.logDir ?? mkdtempSync(join(tmpdir(), 'apache-kafka-'));
  mkdirSync(logDir, { recursive: true });
  const [freePort, controllerPort] = await freePorts(2);
  const clientPort = options.port ?? freePort;
  const bootstrap = `127.0.0.1:${clientPort}`;
  const file = join(logDir, 'server.properties');
  writeFileSync(file, serverProperties(logDir, bootstrap, `127.0.0.1:${controllerPort}`, options.properties));
  if (!existsSync(join(logDir, 'meta.properties'))) await format(file);

  const heap = [`-Xms${DEFAULT_HEAP_MB / 2}m`, `-Xmx${options.heapMb ?? DEFAULT_HEAP_MB}m`];
  const command = ['java', ...heap, LOG_ERRORS_ONLY, '-cp', classpath, 'kafka.Kafka', file];
  if (options.cpu !== undefined) command.unshift('taskset', '-c', String(options.cpu));
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-10_000);
    });
  }
  const kill = () => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      hasEnded = true;
      process.off('exit', kill);
      resolve();
    };
    child.once('error', (error) => {
      said += error.message;
      end();
    });
    child.once('close', end);
  });

  const deadline = performance.now() + START_PATIENCE_MS;
  while (!(await answers(clientPort))) {
    if (!hasEnded && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
      continue;
    }
    kill();
    throw new Error(`Apache Kafka did not start: ${said}`);
  }

  async function stop(): Promise<void> {
    child.kill('SIGTERM');
    const patience = setTimeout(kill, STOP_PATIENCE_MS);
    await ended;
    clearTimeout(patience);
    if (options.logDir === undefined) rmSync(logDir, { recursive: true, force: true });
  }

  return {
    bootstrap,
    pid: child.pid!,
    logDir,
    run: runKafkaClass,
    stop,
    kill() {
      kill();
      return ended;
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Runs a class of Apache Kafka, against whichever broker its arguments name. */
export async function runKafkaClass(
  mainClass: string,
  args: readonly string[],
  options: { input?: string } = {},
): Promise<ToolResult> {
  const classpath = await kafkaClasspath();
  // Tools live for a second: a compiler that optimizes would cost more than it brings.
  const jvm = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', LOG_ERRORS_ONLY, '-cp', classpath];
  return run('java', [...jvm, mainClass, ...args], options);
}

/** The class path of Apache Kafka, its Java client and its tools; fetched with Maven the first time. */
export async function kafkaClasspath(): Promise<string> {
  const folder = await installedOnce('apache-kafka', readFileSync(POM, 'utf8'), async (into) => {
    if (!hasJava()) throw new Error('Apache Kafka as a test peer needs java and mvn in the PATH');
    await mustRun('mvn', [
      '-q',
      '-B',
      '-f',
      POM,
      'dependency:copy-dependencies',
      `-DoutputDirectory=${into}`,
    ]);
  });
  return join(folder, '*');
}

/** One process that is broker and controller; internal topics are small and groups do not wait for members. */
function serverProperties(
  logDir: string,
  client: string,
  controller: string,
  properties: Record<string, string> = {},
): string {
  const all: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    listeners: `PLAINTEXT://${client},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${client}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': logDir,
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    // Its default is half of the small heap, in one piece, which is not always there.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
    ...properties,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

async function format(propertiesFile: string): Promise<void> {
  const args = ['format', '-t', CLUSTER_ID, '-c', propertiesFile];
  const { code, stdout, stderr } = await runKafkaClass('kafka.tools.StorageTool', args);
  if (code !== 0) throw new Error(`the storage of Apache Kafka was not formatted: ${stdout}${stderr}`);
}

/**
 * Ports that nobody listens on now. They are below those which the system gives to outgoing connections: one of
 * those might take the port before Kafka does, even the connection that asks whether Kafka is there yet.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** ApiVersions v0: length, key 18, version 0, correlation id 0, no client id. */
const API_VERSIONS = Buffer.from('0000000a' + '0012' + '0000' + '00000000' + 'ffff', 'hex');

/** Whether a broker answers ApiVersions there; Kafka does so when it is ready to serve. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (isReady: boolean) => {
      socket.destroy();
      resolve(isReady);
    };
    socket.setTimeout(5_000, () => done(false));
    socket.once('connect', () => socket.write(API_VERSIONS));
    socket.once('data', () => done(true));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}
