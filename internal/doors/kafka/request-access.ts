import type { Access } from '../../access/access.ts';
import { type Action, type ResourceKind, THE_BROKER } from '../../access/policy.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { liveTopicOf } from '../../log/names.ts';
import { KafkaErrorCode } from '../../protocol/kafka/error-codes.ts';
import { type KafkaError, kafkaError } from './errors.ts';

/** Hears of what a request asked for in vain. */
export type RefusalListener = (refusal: BrokerError) => void;

/** An action on a kind of resource that a handler asks about, such as `write topic`. */
export type Need = `${Action} ${ResourceKind}`;

/**
 * The permissions of the client of a request, in Kafka's words. A handler can ask about nothing but what it says that it needs
 * where it is defined, so that the table of needs cannot be wrong.
 */
export class RequestAccess {
  readonly #access: Access;
  readonly #needs: readonly Need[];
  readonly #refused: RefusalListener;

  constructor(access: Access, needs: readonly Need[], refused: RefusalListener = () => {}) {
    this.#access = access;
    this.#needs = needs;
    this.#refused = refused;
  }

  /** Kafka's error for the kind of a resource, where the client may not do this with the one of this name. */
  refusalOf(need: Need, name: string): KafkaError | undefined {
    this.#checkNeed(need);
    const [action, kind] = need.split(' ') as [Action, ResourceKind];
    return this.#refusal(action, kind, kind === 'topic' ? liveTopicOf(name) : name);
  }

  #refusal(action: Action, kind: ResourceKind, name: string): KafkaError | undefined {
    const reason = this.#access.refusal(action, kind, name);
    if (reason === undefined) return undefined;
    const about = {
      topic: kind === 'topic' ? name : undefined,
      rule: this.#access.decidingRule(action, kind, name),
    };
    this.#refused(new BrokerError('not-authorized', `${action} ${kind} ${quoted(name)}: ${reason}`, about));
    return kafkaError(ERRORS[kind], reason);
  }

  /** TOPIC_AUTHORIZATION_FAILED where the client may not do this with a topic; a log is asked about by its live name. */
  topicRefusal(action: Action, logName: string): KafkaError | undefined {
    return this.refusalOf(`${action} topic`, logName);
  }

  /** Whether there is nothing to ask, because everybody may do everything. */
  get isOpen(): boolean {
    return this.#access.isOpen;
  }

  /** TOPIC_AUTHORIZATION_FAILED where the client may not publish to a live topic. */
  publishRefusal(topic: string): KafkaError | undefined {
    this.#checkNeed('publish topic');
    const refusal = this.#refusal('publish', 'topic', topic);
    return refusal && kafkaError(refusal.errorCode, `topic ${quoted(topic)}: ${refusal.errorMessage}`);
  }

  /** The same where it may not publish in the name of a client; who writes of itself that it is one of that name, does. */
  publishAsRefusal(clientId: string): KafkaError | undefined {
    const refusal = this.refusalOf('alter session', clientId);
    const what = `the header tinymq.client says ${quoted(clientId)}`;
    return refusal && kafkaError(KafkaErrorCode.topicAuthorizationFailed, `${what}: ${refusal.errorMessage}`);
  }

  /** Whether the client may do this with a topic; nothing is refused by the question. */
  mayTopic(action: Action, logName: string): boolean {
    this.#checkNeed(`${action} topic`);
    return this.#access.may(action, 'topic', liveTopicOf(logName));
  }

  /** Whether there is any topic with which the client may do this. */
  mayAnyTopic(action: Action): boolean {
    this.#checkNeed(`${action} topic`);
    return this.#access.mayAnywhere(action);
  }

  /** Whether the client may do this with a group; nothing is refused by the question. */
  mayGroup(action: Action, groupId: string): boolean {
    this.#checkNeed(`${action} group`);
    return this.#access.may(action, 'group', groupId);
  }

  /** The same of the broker itself. */
  mayBroker(action: Action): boolean {
    this.#checkNeed(`${action} broker`);
    return this.#access.may(action, THE_BROKER.kind, THE_BROKER.name);
  }

  /** GROUP_AUTHORIZATION_FAILED where the client may not do this with a group. */
  groupRefusal(action: Action, groupId: string): KafkaError | undefined {
    return this.refusalOf(`${action} group`, groupId);
  }

  /** CLUSTER_AUTHORIZATION_FAILED where the client may not do this with the broker itself. */
  brokerRefusal(action: Action): KafkaError | undefined {
    return this.refusalOf(`${action} broker`, THE_BROKER.name);
  }

  /** Kafka's bits of what the client may do with a topic. */
  topicOperations(logName: string): number {
    return this.#operations('topic', liveTopicOf(logName), TOPIC_OPERATIONS);
  }

  groupOperations(groupId: string): number {
    return this.#operations('group', groupId, GROUP_OPERATIONS);
  }

  /** None where the client may not describe the broker, as in Kafka. */
  brokerOperations(): number {
    const { kind, name } = THE_BROKER;
    return this.#access.may('describe', kind, name) ? this.#operations(kind, name, BROKER_OPERATIONS) : 0;
  }

  #checkNeed(need: Need): void {
    if (!this.#needs.includes(need)) throw new Error(`the handler does not need ${need}`);
  }

  #operations(kind: ResourceKind, name: string, operations: readonly Operation[]): number {
    return operations.reduce(
      (bits, operation) =>
        this.#access.may(ACTIONS[operation], kind, name) ? bits | (1 << operation) : bits,
      0,
    );
  }
}

const ERRORS: Record<ResourceKind, KafkaErrorCode> = {
  topic: KafkaErrorCode.topicAuthorizationFailed,
  group: KafkaErrorCode.groupAuthorizationFailed,
  'transactional-id': KafkaErrorCode.transactionalIdAuthorizationFailed,
  broker: KafkaErrorCode.clusterAuthorizationFailed,
  // No request of Kafka's is about one, but a record may name one.
  session: KafkaErrorCode.clusterAuthorizationFailed,
};

/** Numbers of Kafka's AclOperation, each with the action that stands for it here. */
const ACTIONS = {
  3: 'read',
  4: 'write',
  5: 'create',
  6: 'delete',
  7: 'alter',
  8: 'describe',
  9: 'admin',
  10: 'describe-configs',
  11: 'alter-configs',
  12: 'write',
} as const satisfies Record<number, Action>;
type Operation = keyof typeof ACTIONS;

const TOPIC_OPERATIONS = [3, 4, 5, 6, 7, 8, 10, 11] as const;
const GROUP_OPERATIONS = [3, 6, 8, 10, 11] as const;
const BROKER_OPERATIONS = [5, 7, 8, 9, 10, 11, 12] as const;
