import type { DoorEntry } from '../door.ts';
import { type KafkaOptions, kafkaOptionKinds } from './options.ts';

/** A broker that does not open it does not load its code. */
const load = () => import('./open.ts');

export const kafkaEntry: DoorEntry<KafkaOptions> = {
  name: 'kafka',
  title: 'Kafka',
  clients: 'Kafka',
  page: 'kafka.md',
  serves: ['Kafka'],
  listening: {
    defaultUrl: 'tcp://localhost:9092',
    schemes: { tcp: 'tcp', tls: 'tls', kafka: 'tcp', plaintext: 'tcp', ssl: 'tls' },
    defaultPorts: { tcp: 9092, tls: 9092 },
  },
  options: kafkaOptionKinds,
  needsLogs: true,
  authenticates: true,
  load,
  open: async (parts, options) => (await load()).openKafka(parts, options),
};
