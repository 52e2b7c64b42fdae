import type { Logger } from '../../broker/broker.ts';
import type { Logs } from '../../log/logs.ts';
import type { Api, RequestOf, ResponseOf } from '../../protocol/kafka/schema.ts';

/** What answers the requests of one API; every file of handlers/ exports one, and together they are the dispatch table. */
export interface Handler<A extends Api = Api> {
  readonly api: A;
  /**
   * Whether requests behind this one on the same connection may begin before it is answered. Answers go out in the
   * order of the requests all the same.
   */
  readonly isConcurrent: boolean;
  /**
   * The answer; undefined for none at all. What is thrown is answered with {@link Handler.api}'s error fields where the
   * handler knows how, so that it should only throw what nobody foresaw: the connection is closed then.
   */
  handle(request: RequestOf<A>, context: RequestContext): Answer<A> | Promise<Answer<A>>;
}

export type Answer<A extends Api> = ResponseOf<A> | undefined;

/** What a handler knows about the request and who sent it. */
export interface RequestContext {
  readonly parts: KafkaParts;
  readonly version: number;
  /** As the request's header says; empty for null. */
  readonly clientId: string;
  readonly client: KafkaClient;
}

/** One connection, seen from its handlers. */
export interface KafkaClient {
  /** The peer's address without the port, such as `127.0.0.1`. */
  readonly host: string;
  /** Where this client reaches the broker: the address that it dialled, or the configured one. */
  readonly advertised: { readonly host: string; readonly port: number };
  /** Aborted when the connection is gone, so that nothing waits for nobody. */
  readonly closed: AbortSignal;
}

/** What all handlers share. */
export interface KafkaParts {
  readonly logs: Logs;
  readonly settings: KafkaSettings;
  /** 22 characters, the same for ever. */
  readonly clusterId: string;
  readonly log: Logger;
}

export interface KafkaSettings {
  /** Topics that a client asks for come to be. */
  readonly autoCreate: boolean;
  /** Partitions of a topic where nobody says how many. */
  readonly defaultPartitions: number;
  /** Bytes of the largest request. */
  readonly maxRequestBytes: number;
}

/** The one broker of the cluster. */
export const NODE_ID = 1;

/** Ties a handler to its API, so that its types follow from the schema. */
export function defineHandler<A extends Api>(
  api: A,
  handle: Handler<A>['handle'],
  { isConcurrent = false }: { isConcurrent?: boolean } = {},
): Handler<A> {
  return { api, isConcurrent, handle };
}
