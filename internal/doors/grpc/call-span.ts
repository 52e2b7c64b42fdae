import type { Identity } from '../../access/identity.ts';
import type { TopicLog } from '../../log/logs.ts';
import { liveTopicOf } from '../../log/names.ts';
import { type FindHeader, inPairs, type Spans } from '../../observe/spans.ts';
import { Status, type StatusCode } from '../../protocol/grpc/status.ts';

/** The span of a call that produces messages, from its beginning until they are safe. */
export class CallSpan {
  /** Where the last message went. */
  topic: TopicLog | undefined;
  messages = 0;
  readonly #spans: Spans;
  readonly #header: FindHeader;
  readonly #startedMs: number;

  constructor(spans: Spans, trace: readonly (readonly [name: string, value: string])[]) {
    this.#spans = spans;
    this.#header = inPairs(trace);
    this.#startedMs = spans.nowMs;
  }

  /** The call is over. One that produced nothing is no span: its client has one of its own. */
  end({ name }: TopicLog, status: StatusCode, { clientId }: Pick<Identity, 'clientId'>): void {
    const span = this.#spans.begin(
      this.#header,
      {
        ...{ operation: 'publish', destination: liveTopicOf(name), isAsked: true },
        attributes: {
          'messaging.operation.type': 'send',
          'messaging.client.id': clientId === '' ? undefined : clientId,
          'messaging.batch.message_count': this.messages > 1 ? this.messages : undefined,
          'network.protocol.name': 'grpc',
          'tinymq.log': name,
        },
      },
      this.#startedMs,
    );
    span?.end(status === Status.OK ? undefined : `grpc-status-${status}`);
  }
}
