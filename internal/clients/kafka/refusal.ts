import { Failure } from '../../lib/failure.ts';
import { printableText } from '../../lib/printable.ts';
import { isRetriable, KafkaErrorCode, kafkaErrorLabel } from '../../protocol/kafka/error-codes.ts';

/** Kafka said no; the message is what it said, with the name of its error, and what can be done. */
export class KafkaRefusal extends Failure {
  readonly code: number;

  /**
   * @param what what was refused, such as `topic 'a'`.
   * @param message Kafka's own words, where it has any.
   */
  constructor(what: string, code: number, message?: string | null) {
    const said =
      message === undefined || message === null || message === '' ? '' : `: ${printableText(message)}`;
    const advice = ADVICE[code] === undefined ? '' : ` (${ADVICE[code]})`;
    super(`${printableText(what)}: ${kafkaErrorLabel(code)}${said}${advice}`);
    this.code = code;
  }

  /** Whether the same request may succeed in a moment. */
  get isRetriable(): boolean {
    return isRetriable(this.code) && this.code !== KafkaErrorCode.unknownTopicOrPartition;
  }
}

/** @throws KafkaRefusal for any code but 0. */
export function demand(what: string, code: number, message?: string | null): void {
  if (code !== KafkaErrorCode.none) throw new KafkaRefusal(what, code, message);
}

/** What to do about the errors that people meet. */
const ADVICE: Record<number, string | undefined> = {
  [KafkaErrorCode.unknownTopicOrPartition]: "'tinymq topics list' shows the topics that exist",
  [KafkaErrorCode.topicAlreadyExists]: '-if-not-exists makes that no error',
  [KafkaErrorCode.inconsistentGroupProtocol]: 'its members share by another assignor than range',
  [KafkaErrorCode.nonEmptyGroup]: 'stop its members first; tinymq groups describe GROUP -members shows them',
  [KafkaErrorCode.groupIdNotFound]: "'tinymq groups list' shows the groups that exist",
  [KafkaErrorCode.unknownMemberId]: 'the group has members: stop them first',
  [KafkaErrorCode.rebalanceInProgress]: 'the group is settling who is in it: try again in a moment',
  [KafkaErrorCode.messageTooLarge]: 'raise max.message.bytes of the topic, or send less at once',
  [KafkaErrorCode.recordListTooLarge]: 'send less at once',
  [KafkaErrorCode.invalidReplicationFactor]: 'there are fewer brokers than that',
  [KafkaErrorCode.topicAuthorizationFailed]: 'this client may not do that with the topic',
  [KafkaErrorCode.groupAuthorizationFailed]: 'this client may not do that with the group',
  [KafkaErrorCode.clusterAuthorizationFailed]: 'this client may not administer the broker',
  [KafkaErrorCode.topicDeletionDisabled]: 'the broker has delete.topic.enable=false',
  [KafkaErrorCode.kafkaStorageError]: "the broker's disk fails or is full: see its log",
  [KafkaErrorCode.unsupportedCompressionType]: 'choose another -compression',
};
