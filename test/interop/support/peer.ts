import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApacheKafka } from '../../support/apache-kafka.ts';
import { startBrokerProcess } from '../../support/broker-process.ts';

const isKafka = process.env.INTEROP_PEER === 'apache-kafka';

/** The broker that the clients are tried with. */
export interface Peer extends AsyncDisposable {
  /** `host:port` for clients; another one after a restart, unless that was asked for. */
  readonly bootstrap: string;
  /** Stops the broker in good order, and starts it on what it kept. */
  restart(): Promise<void>;
  /** Ends the broker as a crash would, and starts it on what it kept. */
  crash(): Promise<void>;
}

/**
 * Starts the broker: ours, or Apache Kafka with INTEROP_PEER=apache-kafka, which proves that what a case expects
 * is what Kafka does.
 */
export async function startPeer({ keepsPort = false } = {}): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-interop-'));
  const start = isKafka ? startKafka : startOurs;
  let running = await start(folder, 0);

  async function restartAfter(end: () => Promise<void>): Promise<void> {
    const port = keepsPort ? Number(running.bootstrap.split(':')[1]) : 0;
    await end();
    running = await start(folder, port);
  }

  return {
    get bootstrap() {
      return running.bootstrap;
    },
    restart: () => restartAfter(() => running.stop()),
    crash: () => restartAfter(() => running.kill()),
    async [Symbol.asyncDispose]() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Started {
  readonly bootstrap: string;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

function startKafka(logDir: string, port: number): Promise<Started> {
  return startApacheKafka({ logDir, heapMb: 512, ...(port === 0 ? {} : { port }) });
}

async function startOurs(dataDir: string, port: number): Promise<Started> {
  const broker = await startBrokerProcess(['-kafka', `localhost:${port}`, '-data-dir', dataDir]);
  const { kafka } = JSON.parse(broker.stdout()) as { kafka: string[] };
  return {
    bootstrap: `localhost:${new URL(kafka[0]).port}`,
    async stop() {
      const { code, stderr } = await broker.stop();
      if (code !== 0) throw new Error(`the broker ended with code ${code}: ${stderr}`);
    },
    async kill() {
      await broker.stop('SIGKILL');
    },
  };
}
