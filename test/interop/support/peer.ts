import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApacheKafka } from '../../support/apache-kafka.ts';
import { startBrokerProcess } from '../../support/broker-process.ts';

const isKafka = process.env.INTEROP_PEER === 'apache-kafka';

/** The broker that the clients are tried with. */
export interface Peer extends AsyncDisposable {
  /** `host:port` for clients; another one after a restart. */
  readonly bootstrap: string;
  /** Stops the broker in good order, and starts it on what it kept. */
  restart(): Promise<void>;
}

/**
 * Starts the broker: ours, or Apache Kafka with INTEROP_PEER=apache-kafka, which proves that what a case expects
 * is what Kafka does.
 */
export async function startPeer(): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-interop-'));
  const start = isKafka ? startKafka : startOurs;
  let running = await start(folder);
  return {
    get bootstrap() {
      return running.bootstrap;
    },
    async restart() {
      await running.stop();
      running = await start(folder);
    },
    async [Symbol.asyncDispose]() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Started {
  readonly bootstrap: string;
  stop(): Promise<void>;
}

function startKafka(logDir: string): Promise<Started> {
  return startApacheKafka({ logDir, heapMb: 512 });
}

async function startOurs(dataDir: string): Promise<Started> {
  const broker = await startBrokerProcess(['-kafka', 'localhost:0', '-data-dir', dataDir]);
  const { kafka } = JSON.parse(broker.stdout()) as { kafka: string[] };
  return {
    bootstrap: `localhost:${new URL(kafka[0]!).port}`,
    async stop() {
      const { code, stderr } = await broker.stop();
      if (code !== 0) throw new Error(`the broker ended with code ${code}: ${stderr}`);
    },
  };
}
