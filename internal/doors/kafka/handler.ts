import type { AccessDirectory } from '../../access/directory.ts';
import type { RateName } from '../../access/limits/limit.ts';
import { THE_BROKER } from '../../access/policy.ts';
import type { Logger } from '../../broker/broker.ts';
import type { BrokerError } from '../../errors.ts';
import type { Groups } from '../../groups/groups.ts';
import type { LentMemory, MemoryPool } from '../../lib/lent-memory.ts';
import type { Delivery } from '../../live/delivery.ts';
import type { Logs } from '../../log/logs.ts';
import type { Nodes } from '../../log/nodes.ts';
import type { ProducerIds } from '../../log/producer-ids.ts';
import type { Spans } from '../../observe/spans.ts';
import type { Api, RequestOf, ResponseOf } from '../../protocol/kafka/schema.ts';
import type { Authentication } from './authentication.ts';
import type { KafkaError } from './errors.ts';
import type { FetchSessions } from './fetch/sessions.ts';
import type { Need, RequestAccess } from './request-access.ts';
import type { Slices } from './slices.ts';
import type { Throttle } from './throttle.ts';

/** Answers the requests of one API; every file of handlers/ exports one, and together they are the dispatch table. */
export interface Handler<A extends Api = Api> {
  readonly api: A;
  /**
   * Whether requests behind this one on the same connection may begin before it is answered. Answers go out in the
   * order of the requests all the same.
   */
  readonly isConcurrent: boolean;
  /** The permissions that it asks for before it does anything. */
  readonly needs: readonly Need[];
  /** Whether it is served to a client that has not said who it is. */
  readonly isBeforeAuthentication: boolean;
  /** The rates that it uses: a client that owes some of them waits before it is served. */
  readonly meters: readonly RateName[];
  /**
   * The answer; undefined for none at all. Whatever is thrown closes the connection, and anything but
   * {@link CloseConnection} is logged as a bug: errors that can be foreseen are answers.
   */
  handle(request: RequestOf<A>, context: RequestContext): Answer<A> | Promise<Answer<A>>;
}

/** Thrown by a handler that has no other way to say that something is wrong. */
export class CloseConnection extends Error {
  override readonly name = 'CloseConnection';
}

export type Answer<A extends Api> = ResponseOf<A> | undefined;

/** A handler's view of the request and its client. */
export interface RequestContext {
  readonly parts: KafkaParts;
  readonly version: number;
  /** As the request's header says; empty for null. */
  readonly clientId: string;
  readonly client: KafkaClient;
  readonly access: RequestAccess;
  readonly answer: AnswerMemory;
  /** Takes note of records that were refused, for whoever asks why. Refusals by the rules are told by {@link access}. */
  refused(refusal: BrokerError): void;
}

/** The answer to a request, before it is there. */
export interface AnswerMemory {
  /** What its bytes lie in, if that is to be used again: it is given back when the answer has left. */
  memory: LentMemory | undefined;
}

/** One connection, seen from its handlers. */
export interface KafkaClient {
  /** The peer's address without the port, such as `127.0.0.1`. */
  readonly host: string;
  /** The address at which this client reaches the broker: the one that it dialled, or the configured one. */
  readonly advertised: { readonly host: string; readonly port: number };
  /** Aborted when the peer is gone or the broker stops, so that nothing waits for nobody. */
  readonly closed: AbortSignal;
  /** The client's login. */
  readonly authentication: Authentication;
  /** Holds it to its limits. */
  readonly throttle: Throttle;
  /** Records that it has produced and was given so far. */
  readonly messages: { received: number; sent: number };
  /** Settles when the batches that this client has sent so far were checked; undefined where none is being checked. */
  checking: Promise<unknown> | undefined;
}

/** The services that all handlers share. */
export interface KafkaParts {
  readonly logs: Logs;
  readonly groups: Groups;
  /** Brings what is in logs to live subscribers. */
  readonly delivery: Delivery;
  readonly settings: KafkaSettings;
  readonly producerIds: ProducerIds;
  readonly fetchSessions: FetchSessions;
  /** For batches that are read from the disk. */
  readonly fetchMemory: MemoryPool;
  /** Time of the event loop, shared among all requests. */
  readonly slices: Slices;
  /** 22 characters, the same for ever. */
  readonly clusterId: string;
  /** The brokers that clients may be sent to. */
  readonly nodes: Nodes;
  /** The level of Kafka's feature of this name (features.ts). */
  readonly metadataVersion: number;
  readonly logger: Logger;
  /** Told of batches with records that belong to a trace. */
  readonly spans: Spans;
  /** Users, rules and limits; undefined where the app around the broker decides on its own. */
  readonly directory: AccessDirectory | undefined;
}

export interface KafkaSettings {
  /** Whether a topic is created when a client first asks for it. */
  readonly autoCreate: boolean;
  /** The logs are those of a Kafka, which needs its own topics. */
  readonly isKafkaDirectory: boolean;
  /** Partitions of a topic where nobody says how many. */
  readonly defaultPartitions: number;
  /** The folder of the logs; undefined where they are kept in memory. */
  readonly dataDir: string | undefined;
  /** Bytes of the largest request. */
  readonly maxRequestBytes: number;
}

export interface HandlerOptions<A extends Api> {
  /** The permission that the request needs as a whole; without it the request is refused unread. */
  first?: WholeNeed<A>;
  /** The permissions that the handler itself asks for. */
  needs?: readonly Need[];
  isConcurrent?: boolean;
  isBeforeAuthentication?: boolean;
  meters?: readonly RateName[];
}

/** The permission that a request needs as a whole. */
export interface WholeNeed<A extends Api> {
  readonly need: Need;
  /** The name of the resource; the broker itself, where it is not said. */
  nameOf?(request: RequestOf<A>): string;
  /** The answer to a client that may not do this. */
  refused(error: KafkaError, request: RequestOf<A>, version: number): ResponseOf<A>;
}

/** Ties a handler to its API, so that its types follow from the schema. */
export function defineHandler<A extends Api>(
  api: A,
  handle: Handler<A>['handle'],
  options: HandlerOptions<A>,
): Handler<A> {
  const { first, needs = [], isConcurrent = false, isBeforeAuthentication = false, meters = [] } = options;
  const shared = { api, isConcurrent, isBeforeAuthentication, meters };
  if (first === undefined) return { ...shared, needs, handle };
  return {
    ...shared,
    needs: [first.need, ...needs],
    handle(request, context) {
      const denial = context.access.refusalOf(first.need, first.nameOf?.(request) ?? THE_BROKER.name);
      return denial === undefined
        ? handle(request, context)
        : first.refused(denial, request, context.version);
    },
  };
}
