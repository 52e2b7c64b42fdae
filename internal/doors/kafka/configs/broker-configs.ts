import { TopicConfigType } from '../../../log/topic-configs.ts';
import type { KafkaParts } from '../handler.ts';

/** A setting of the broker, as Kafka calls it. None can be changed by a client: they are flags. */
export interface BrokerConfig {
  readonly name: string;
  readonly value: string;
  readonly type: TopicConfigType;
  readonly documentation: string;
}

/** The configs that tools ask a broker for, in the order of their names. */
export function brokerConfigs({ settings, nodes, logs }: KafkaParts): BrokerConfig[] {
  const { boolean, int, long, string } = TopicConfigType;
  return [
    {
      name: 'auto.create.topics.enable',
      value: String(settings.autoCreate),
      type: boolean,
      documentation: '-kafka-auto-create',
    },
    {
      name: 'broker.id',
      value: String(nodes.brokerId),
      type: int,
      documentation: 'the number of this broker',
    },
    { name: 'default.replication.factor', value: '1', type: int, documentation: 'there is one broker' },
    { name: 'delete.topic.enable', value: 'true', type: boolean, documentation: 'topics can be deleted' },
    { name: 'log.dirs', value: settings.dataDir ?? 'memory', type: string, documentation: '-data-dir' },
    {
      name: 'log.retention.bytes',
      value: logs.defaults.get('retention.bytes')!,
      type: long,
      documentation: '-keep-bytes',
    },
    {
      name: 'log.retention.ms',
      value: logs.defaults.get('retention.ms')!,
      type: long,
      documentation: '-keep-for',
    },
    {
      name: 'message.max.bytes',
      value: logs.defaults.get('max.message.bytes')!,
      type: int,
      documentation: 'the largest batch',
    },
    { name: 'min.insync.replicas', value: '1', type: int, documentation: 'there is one broker' },
    { name: 'node.id', value: String(nodes.brokerId), type: int, documentation: 'the number of this broker' },
    {
      name: 'num.partitions',
      value: String(settings.defaultPartitions),
      type: int,
      documentation: '-kafka-partitions',
    },
    {
      name: 'socket.request.max.bytes',
      value: String(settings.maxRequestBytes),
      type: int,
      documentation: 'the largest request',
    },
  ];
}
