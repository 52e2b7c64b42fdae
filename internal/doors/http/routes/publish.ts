import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../../../access/access.ts';
import { problemSchema } from '../../../admin/problems.ts';
import type { Message } from '../../../broker/delivery/publication.ts';
import { Receipt } from '../../../broker/delivery/receipt.ts';
import { checkPublishable } from '../../../broker/routing/publishable-topic.ts';
import type { HttpContext } from '../context.ts';
import { HeldAnswer } from '../held-answer.ts';
import { propertiesOf } from '../message-headers.ts';
import { topicOfPath } from '../topic-path.ts';

interface PublishQuery {
  qos: 0 | 1;
  retain?: string;
  expiry?: number;
  client?: string;
  property?: readonly string[];
}

/** `POST /topics/sensors/temp`: the body becomes the payload of a message. */
export function routePublish(app: FastifyInstance, context: HttpContext): void {
  const { broker } = context.parts;
  const accesses = new WeakMap<FastifyRequest, Access>();
  // Before anything of the body is read.
  const onRequest = async (request: FastifyRequest<{ Querystring: { client?: unknown } }>) => {
    const { client } = request.query;
    const clientId = typeof client === 'string' ? client : undefined;
    accesses.set(request, await context.accessOf(request, { clientId, messages: 1 }));
  };
  app.post<{ Querystring: PublishQuery; Body: Buffer | undefined }>(
    '/topics/*',
    { schema: publishSchema, onRequest },
    async (request, reply) => {
      const { qos, retain, expiry, property } = request.query;
      const access = accesses.get(request)!;
      const topic = topicOfPath(request.raw.url ?? '');
      checkPublishable(topic);
      access.check('publish', 'topic', topic);
      const { clientId } = access.identity;
      const message: Message = {
        ...{ topic, payload: request.body ?? NO_BYTES, clientId, qos },
        retain: isSet(retain),
        properties: propertiesOf(request.raw, property),
        expiresAtMs: expiry === undefined ? undefined : broker.clock.now() + 1000 * expiry,
      };
      const receipt = qos === 0 ? undefined : new Receipt();
      const source = new HeldAnswer();
      const origin = { kind: 'client', clientId } as const;
      broker.publishMessage(message, {
        ...{ byteLength: message.payload.length, origin, source, receipt, publisher: access.identity },
      });
      context.socketOf(request.raw).messages.received++;
      await source.released();
      if (receipt === undefined) return reply.code(202).send();
      await receipt.settled();
      if (receipt.problem !== undefined) throw receipt.problem;
      return reply.code(204).send();
    },
  );
}

const NO_BYTES = new Uint8Array(0);

/** A flag of a query: `?retain`, `?retain=true`, `?retain=1`. */
export function isSet(flag: string | undefined): boolean {
  return flag !== undefined && flag !== 'false' && flag !== '0';
}

const publishSchema = {
  operationId: 'publish',
  tags: ['messages'],
  summary: 'Publish a message',
  description:
    'The body is the payload, whatever it is. Content-Type, Response-Topic, Correlation-Data (base64) and User-Property ' +
    '(NAME=VALUE, any number of them) go with it.',
  params: {
    type: 'object',
    properties: {
      '*': { type: 'string', pattern: '^[^+#\\u0000]+$', description: 'The topic, levels divided by /.' },
    },
    required: ['*'],
  },
  querystring: {
    type: 'object',
    properties: {
      qos: {
        type: 'integer',
        enum: [0, 1],
        default: 0,
        description: '1: answer when the message is on the disk of whoever keeps it.',
      },
      retain: {
        type: 'string',
        description: 'Keep it as the last message of its topic; an empty body clears that.',
      },
      expiry: {
        type: 'number',
        minimum: 0,
        maximum: 4_294_967_295,
        description: 'Seconds after which nobody wants it any more.',
      },
      client: {
        type: 'string',
        minLength: 1,
        maxLength: 1_024,
        description: 'The client id of the publisher.',
      },
      property: {
        type: 'array',
        items: { type: 'string', pattern: '^[^=]+=' },
        description:
          'NAME=VALUE, any number of times: a user property, for pages, whose headers browsers join.',
      },
    },
    additionalProperties: false,
  },
  response: {
    202: { type: 'null', description: 'It was published (QoS 0).' },
    204: { type: 'null', description: 'It is safe (QoS 1).' },
    default: problemSchema,
  },
} as const;
