import type { Broker } from '../../broker/broker.ts';
import type { MessageProperties, NewMessage } from '../../broker/delivery/publication.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import { checkPublishable } from '../../broker/routing/publishable-topic.ts';
import { QOS_LEVELS, type Qos } from '../../lib/qos.ts';
import { type HeaderValues, pairsOf } from './headers.ts';

/** How a broker publishes a message of the app that it runs in. */
export interface BrokerPublishOptions {
  /** Default: 0. */
  qos?: Qos;
  /** Whether its topic remembers it for later subscribers. */
  retain?: boolean;
  /** What MQTT calls user properties. */
  headers?: HeaderValues;
  /** After so many milliseconds nobody wants it any more. */
  expiresIn?: number;
  contentType?: string;
  /** Where an answer is expected, and what it is to be known by. */
  replyTo?: string;
  correlation?: Uint8Array;
}

/**
 * Publishes; resolves when it is safe with everybody who keeps it.
 *
 * @throws BrokerError, RangeError where the options are wrong.
 */
export async function publishByApp(
  broker: Broker,
  topic: string,
  data: string | Uint8Array,
  options: BrokerPublishOptions = {},
): Promise<void> {
  checkPublishable(topic);
  const { qos = 0, retain = false, expiresIn } = options;
  if (!QOS_LEVELS.includes(qos)) throw new RangeError(`qos is 0, 1 or 2, not ${qos}`);
  const payload = typeof data === 'string' ? Buffer.from(data) : new Uint8Array(data);
  const message: NewMessage = {
    topic,
    payload,
    clientId: '',
    qos,
    retain,
    properties: propertiesOf(options),
  };
  if (expiresIn !== undefined) {
    if (!(expiresIn > 0))
      throw new RangeError(`expiresIn is a number of milliseconds above 0, not ${expiresIn}`);
    message.expiresAtMs = broker.clock.now() + expiresIn;
  }
  const receipt = new Receipt();
  broker.publishMessage(message, { receipt });
  await receipt.settled();
  if (receipt.problem !== undefined) throw receipt.problem;
}

function propertiesOf(options: BrokerPublishOptions): MessageProperties | undefined {
  const { headers, contentType, replyTo, correlation } = options;
  const properties: MessageProperties = {};
  if (contentType !== undefined) properties.contentType = contentType;
  if (replyTo !== undefined) properties.responseTopic = replyTo;
  if (correlation !== undefined) properties.correlationData = new Uint8Array(correlation);
  if (headers !== undefined) properties.userProperties = pairsOf(headers);
  return Object.keys(properties).length === 0 ? undefined : properties;
}
