import { startApacheKafka } from '../../test/support/apache-kafka.ts';
import { BROKER_CORE, canPin, problemOfProgram } from '../processes.ts';
import type { KafkaPeer, KafkaServer } from './peer.ts';

/** What Kafka's own scripts give a broker. */
const HEAP_MB = 1024;
/** Its JVM compiles what is called often again and again, on the core on which it also serves. */
const WARM_UP_SECONDS = 12;

/** Apache Kafka from Maven Central, broker and controller in one process, with its defaults. */
export const apacheKafka: KafkaPeer = {
  name: 'kafka',
  problem: () => problemOfProgram('java') ?? problemOfProgram('mvn'),
  kafka: [{ label: '', warmUpSeconds: WARM_UP_SECONDS, start: startKafka }],
};

async function startKafka(folder: string): Promise<KafkaServer> {
  const kafka = await startApacheKafka({
    logDir: folder,
    heapMb: HEAP_MB,
    cpu: canPin ? BROKER_CORE : undefined,
  });
  return {
    pid: kafka.pid,
    kafkaPort: Number(kafka.bootstrap.split(':')[1]),
    liveAddress: undefined,
    output: () => '',
    end: () => kafka.stop(),
    async kill() {
      kafka.kill();
      await kafka.stop();
    },
  };
}
