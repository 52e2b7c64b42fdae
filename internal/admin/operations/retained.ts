import type { Message } from '../../broker/delivery/publication.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import { checkPublishable } from '../../broker/routing/publishable-topic.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { filterProblem } from '../../topic.ts';
import {
  type BrokerParts,
  type Caller,
  defineOperation,
  listOf,
  number,
  objectOf,
  text,
  time,
} from '../operation.ts';
import { PAGE_ANSWER, PAGE_QUERY, type PageQuery, pageOf } from '../pages.ts';
import { maySee } from './visible.ts';

interface RetainedQuery extends PageQuery {
  readonly filter?: string;
}

export const listRetained = defineOperation({
  ...{ name: 'retained list', summary: 'Shows which topics have a retained message.' },
  ...{ method: 'GET', path: '/retained', needs: undefined },
  query: objectOf(
    { ...PAGE_QUERY, filter: { ...text, description: 'Topics that this filter matches.' } },
    [],
  ),
  answer: objectOf(
    {
      retained: listOf(
        objectOf(
          {
            ...{ topic: text, payloadBytes: number, qos: number, clientId: text },
            ...{ contentType: text, expiresAt: time },
          },
          ['topic', 'payloadBytes', 'qos', 'clientId'],
        ),
      ),
      next: PAGE_ANSWER.next!,
    },
    ['retained'],
  ),
  async run({ broker }: BrokerParts, { filter = '#', ...page }: RetainedQuery, caller: Caller) {
    const problem = filterProblem(filter);
    if (problem !== undefined)
      throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${problem}`);
    const { items, next } = await pageOf(broker.retained.find(filter), page, {
      keyOf: ({ topic }) => [topic],
      isShown: ({ topic }) => maySee(caller, topic),
    });
    return { retained: items.map(shown), next };
  },
});

function shown({ topic, payload, qos = 0, clientId, properties, expiresAtMs }: Message) {
  return {
    ...{ topic, payloadBytes: payload.length, qos, clientId },
    contentType: properties?.contentType,
    expiresAt: expiresAtMs === undefined ? undefined : new Date(expiresAtMs).toISOString(),
  };
}

export const removeRetained = defineOperation({
  ...{
    name: 'retained remove',
    summary: 'Removes the retained message of a topic; nobody is sent anything.',
  },
  ...{ method: 'DELETE', path: '/retained/:topic' },
  needs: { action: 'delete', resource: ({ topic }: { topic: string }) => ({ kind: 'topic', name: topic }) },
  parameters: objectOf({ topic: { ...text, description: 'Each / in it is written %2F.' } }),
  answer: objectOf({}),
  async run({ broker }: BrokerParts, { topic }: { topic: string }) {
    checkPublishable(topic);
    if (broker.retained.get(topic) === undefined)
      throw new BrokerError('no-such-object', `topic ${quoted(topic)} has no retained message`);
    const receipt = new Receipt();
    broker.retained.set({ topic, payload: new Uint8Array(0), clientId: '' }, receipt);
    await receipt.settled();
    if (receipt.problem !== undefined) throw receipt.problem;
    return {};
  },
});
