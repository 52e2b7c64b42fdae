import type { DoorEntry } from '../door.ts';
import { type KafkaOptions, kafkaOptionKinds } from './options.ts';

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
  // A broker that does not open it does not load its code.
  open: async (parts, options) => (await import('./open.ts')).openKafka(parts, options),
};
