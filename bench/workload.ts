/** What flows in a case of live messages. */

/** How a case's connections reach the broker. */
export type Transport = 'tcp' | 'tls' | 'unix';

/** Which topics are published to, and in which order. */
export type Topics =
  | { kind: 'one' }
  /** `count` topics in turn, so that no two messages in a row have the same. */
  | { kind: 'in-turn'; count: number }
  /** `count` topics of four to six levels; topic number n is published to 1/n as often as the first. */
  | { kind: 'deep'; count: number };

/** Who subscribes to what. */
export type Subscribers =
  /** Each of `count` subscribers to the one topic. */
  | { kind: 'topic'; count: number }
  /** Each of `count` subscribers to `#`. */
  | { kind: 'everything'; count: number }
  /** As many subscribers as topics, each to its own. */
  | { kind: 'own' }
  /** `filters` filters, most with wildcards, over the deep topics, shared out among `count` subscribers. */
  | { kind: 'filters'; count: number; filters: number };

/** Messages that flow from publishers to subscribers. */
export interface Workload {
  transport: Transport;
  payloadBytes: number;
  topics: Topics;
  publishers: number;
  subscribers: Subscribers;
}

/** Of MQTT's levels of delivery those with acknowledgements. */
export type AcknowledgedQos = 1 | 2;
