import type { Access } from '../../../access/access.ts';
import type { Broker } from '../../../broker/broker.ts';
import type { TopicEntry } from '../../../broker/routing/topic-table.ts';
import type { BrokerError } from '../../../errors.ts';
import { mqttTopicAliases } from '../../../limits/mqtt.ts';
import { MqttError } from '../../../protocol/mqtt/mqtt-error.ts';
import type { PublishFields } from '../../../protocol/mqtt/publish-fields.ts';
import { FieldReader } from '../../../protocol/mqtt/reader.ts';

const TOPIC_LENGTH_BYTES = 2;

/** The topics that one client publishes to: its aliases, and what it may do. */
export class PublishTopics {
  readonly #broker: Broker;
  readonly #access: Access;
  #aliases: Map<number, TopicEntry> | undefined;

  constructor(broker: Broker, access: Access) {
    this.#broker = broker;
    this.#access = access;
  }

  /**
   * The topic of a message, which may be an alias: those are valid for this connection and direction only
   * [MQTT-3.3.2-10] [MQTT-3.3.2-12].
   *
   * @throws MqttError; BrokerError `invalid-topic`, `reserved-topic`, `not-authorized`.
   */
  of(view: DataView, bytes: Uint8Array, fields: PublishFields): TopicEntry {
    const { topicAlias } = fields.properties;
    if (topicAlias === undefined) return this.plain(view, bytes, fields);
    // [MQTT-3.3.2-9]
    if (topicAlias > mqttTopicAliases) {
      throw new MqttError('invalidTopicAlias', `PUBLISH: topic alias ${topicAlias} of ${mqttTopicAliases}`);
    }
    if (fields.topicStart === fields.topicEnd) {
      const topic = this.#aliases?.get(topicAlias);
      if (topic === undefined) {
        throw new MqttError('protocolError', `PUBLISH: topic alias ${topicAlias} stands for no topic yet`);
      }
      // The rules may have changed since the alias was agreed.
      this.#access.checkPublish(topic);
      return topic;
    }
    const topic = this.plain(view, bytes, fields);
    this.#aliases ??= new Map();
    this.#aliases.set(topicAlias, topic);
    return topic;
  }

  /** The same for a message without an alias. */
  plain(view: DataView, bytes: Uint8Array, { topicStart, topicEnd }: PublishFields): TopicEntry {
    let topic: TopicEntry;
    try {
      topic = this.#broker.topic(view, topicStart, topicEnd);
    } catch (error) {
      // Bytes that are no text are malformed; any other fault is an invalid name.
      if ((error as BrokerError).code === 'invalid-topic') {
        new FieldReader(bytes, topicStart - TOPIC_LENGTH_BYTES, topicEnd, 'PUBLISH').text('topic');
      }
      throw error;
    }
    this.#access.checkPublish(topic);
    return topic;
  }
}
