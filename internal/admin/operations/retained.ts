import { THE_BROKER } from '../../access/policy.ts';
import { messageBytes } from '../../broker/delivery/message-bytes.ts';
import type { Message } from '../../broker/delivery/publication.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import { isExpired } from '../../broker/retained/retained.ts';
import { checkPublishable } from '../../broker/routing/publishable-topic.ts';
import { BrokerError, quoted } from '../../errors.ts';
import { maxImportBytes, maxImportedMessages } from '../../limits/admin.ts';
import { filterProblem } from '../../topic.ts';
import { formOf, MESSAGE_FORM, type MessageForm, messageOf } from '../message-form.ts';
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

const FILTER = {
  ...text,
  description: 'Topics that this filter matches; all but those of the broker itself unless given.',
};

export const listRetained = defineOperation({
  ...{ name: 'retained list', summary: 'Shows which topics have a retained message.' },
  ...{ method: 'GET', path: '/retained', needs: undefined },
  query: objectOf({ ...PAGE_QUERY, filter: FILTER }, []),
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
  async run({ broker }: BrokerParts, { filter, ...page }: RetainedQuery, caller: Caller) {
    const { items, next } = await pageOf(matching(broker, filter), page, {
      keyOf: ({ topic }) => [topic],
      isShown: ({ topic }) => maySee(caller, topic),
    });
    return { retained: items.map(shown), next };
  },
});

/** @throws BrokerError `invalid-filter`. */
function matching({ retained }: BrokerParts['broker'], filter: string | undefined): Iterable<Message> {
  if (filter === undefined) return retained.ofClients();
  const problem = filterProblem(filter);
  if (problem !== undefined) throw new BrokerError('invalid-filter', `filter ${quoted(filter)}: ${problem}`);
  return retained.find(filter);
}

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
    if (broker.retained.get(topic) === undefined) throw noRetained(topic);
    const receipt = new Receipt();
    broker.retained.set({ topic, payload: new Uint8Array(0), clientId: '' }, receipt);
    await receipt.settled();
    if (receipt.problem !== undefined) throw receipt.problem;
    return {};
  },
});

function noRetained(topic: string): BrokerError {
  return new BrokerError('no-such-object', `topic ${quoted(topic)} has no retained message`);
}

export const getRetained = defineOperation({
  ...{ name: 'retained get', summary: 'Gives the retained message of a topic, with all that is kept of it.' },
  ...{ method: 'GET', path: '/retained/:topic' },
  needs: {
    action: 'subscribe',
    resource: ({ topic }: { topic: string }) => ({ kind: 'topic', name: topic }),
  },
  parameters: objectOf({ topic: { ...text, description: 'Each / in it is written %2F.' } }),
  answer: MESSAGE_FORM,
  async run({ broker }: BrokerParts, { topic }: { topic: string }) {
    const message = broker.retained.get(topic);
    if (message === undefined || isExpired(message, broker.clock.now())) throw noRetained(topic);
    return formOf(message);
  },
});

export const exportRetained = defineOperation({
  ...{
    name: 'retained export',
    summary: 'Gives retained messages with their payloads, in the order of topics.',
  },
  ...{ method: 'GET', path: '/export/retained', needs: undefined },
  query: objectOf({ ...PAGE_QUERY, filter: FILTER }, []),
  answer: objectOf({ messages: listOf(MESSAGE_FORM), total: number, next: PAGE_ANSWER.next! }, [
    'messages',
    'total',
  ]),
  async run({ broker }: BrokerParts, { filter, ...page }: RetainedQuery, caller: Caller) {
    const mayHave = ({ topic }: Message) => caller.may('subscribe', 'topic', topic);
    const { items, total, next } = await pageOf(matching(broker, filter), page, {
      keyOf: ({ topic }) => [topic],
      isWanted: mayHave,
      bytesOf: messageBytes,
    });
    return { messages: items.map(formOf), total, next };
  },
});

export const importRetained = defineOperation({
  ...{
    name: 'retained import',
    summary:
      'Publishes retained messages, with the names of those who once did; those that have expired are left out.',
  },
  ...{ method: 'POST', path: '/import/retained', needs: { action: 'admin', resource: THE_BROKER } },
  maxBodyBytes: maxImportBytes,
  body: objectOf({ messages: { ...listOf(MESSAGE_FORM), maxItems: maxImportedMessages } }),
  answer: objectOf({ imported: number, expired: number }),
  async run({ broker }: BrokerParts, { messages }: { messages: readonly MessageForm[] }) {
    // All are looked at before the first of them is published.
    const given = messages.map(messageOf);
    const current = given.filter((message) => !isExpired(message, broker.clock.now()));
    const receipts = current.map((message) => {
      const receipt = new Receipt();
      broker.publishMessage(message, { receipt });
      return receipt;
    });
    await Promise.all(receipts.map((receipt) => receipt.settled()));
    const problem = receipts.find((receipt) => receipt.problem !== undefined)?.problem;
    if (problem !== undefined) throw problem;
    return { imported: current.length, expired: given.length - current.length };
  },
});
