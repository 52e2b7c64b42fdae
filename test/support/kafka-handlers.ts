import type { Access } from '../../internal/access/access.ts';
import type { Handler, KafkaClient, KafkaParts } from '../../internal/doors/kafka/handler.ts';
import { RequestAccess } from '../../internal/doors/kafka/request-access.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { Spans } from '../../internal/observe/spans.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  SIZE_BYTES,
} from '../../internal/protocol/kafka/exchange.ts';
import type { Api, InputOf, ValueOf } from '../../internal/protocol/kafka/schema.ts';
import { accessOfTest } from './access.ts';

/** Who asks a handler, and what it works with. */
export interface Asker {
  readonly parts: Partial<KafkaParts>;
  readonly client?: object;
  readonly access?: Access;
}

/** Asks a handler, by way of the bytes of this version. */
export async function askHandler<A extends Api>(
  handler: Handler<A>,
  version: number,
  request: InputOf<A['request']>,
  { parts, client = {}, access = accessOfTest('client') }: Asker,
): Promise<ValueOf<A['response']>> {
  const { api } = handler;
  const header = { correlationId: 1, clientId: 'client' };
  const sent = Buffer.concat(encodeRequest(api, version, header, request)).subarray(SIZE_BYTES);
  const { body } = decodeRequest(api, sent);
  const context = {
    parts: { spans: new Spans(systemClock), ...parts } as KafkaParts,
    version,
    clientId: 'client',
    client: { messages: { received: 0, sent: 0 }, ...client } as KafkaClient,
    access: new RequestAccess(access, handler.needs),
    answer: { memory: undefined },
    refused: () => {},
  };
  const answer = (await handler.handle(body, context))!;
  const got = Buffer.concat(encodeResponse(api, version, 1, answer)).subarray(SIZE_BYTES);
  return decodeResponse(api, version, got).body;
}
