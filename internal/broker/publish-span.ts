import type { Identity } from '../access/identity.ts';
import { inPairs, type OpenSpan, type Spans } from '../observe/spans.ts';
import type { Message } from './delivery/publication.ts';
import type { Receipt } from './delivery/receipt.ts';

/** Begins the span of a message that a client publishes, where it belongs to a trace. */
export function beginPublishSpan(
  spans: Spans,
  { topic, payload, clientId, qos = 0, properties }: Message,
  publisher: Identity | undefined,
): OpenSpan | undefined {
  const { userProperties } = properties ?? {};
  if (userProperties === undefined) return undefined;
  return spans.begin(inPairs(userProperties), {
    ...{ operation: 'publish', destination: topic, isAsked: true },
    attributes: {
      'messaging.operation.type': 'send',
      'messaging.client.id': clientId === '' ? undefined : clientId,
      'messaging.message.body.size': payload.length,
      'network.protocol.name': publisher?.door,
      'tinymq.qos': qos,
    },
  });
}

/** Ends a span when the message is safe, where its publisher waits for that. */
export function endWhenSettled(span: OpenSpan, receipt: Receipt | undefined): void {
  if (receipt === undefined) span.end();
  else receipt.whenSettled((problem) => span.end(problem?.code));
}
