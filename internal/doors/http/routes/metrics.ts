import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { doorTotals } from '../../../admin/door-totals.ts';
import { objectSamples } from '../../../admin/object-samples.ts';
import { problemSchema } from '../../../admin/problems.ts';
import { mostObjectsMeasured, objectsMeasured } from '../../../limits/observe.ts';
import {
  METRIC_PREFIX,
  metricsText,
  OPEN_METRICS_TYPE,
  objectsText,
  PROMETHEUS_TYPE,
} from '../../../observe/metrics-text.ts';
import type { HttpContext } from '../context.ts';

/** `/metrics` and `/metrics/per-object`: what the broker counts, for Prometheus. */
export function routeMetrics(app: FastifyInstance, context: HttpContext): void {
  const { metrics, connections, admin } = context.parts;
  app.get('/metrics', { schema: metricsSchema }, async (request, reply) => {
    const access = await context.accessOf(request);
    access.check('describe', 'broker', 'broker');
    await doorTotals(connections);
    return answer(request, reply, (format) => metricsText(metrics, format));
  });
  app.get<{ Querystring: { limit: number } }>(
    '/metrics/per-object',
    { schema: objectsSchema },
    async (request, reply) => {
      const access = await context.accessOf(request);
      const samples = await objectSamples(admin, access, request.query.limit);
      return answer(request, reply, (format) => objectsText(samples, format));
    },
  );
}

function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  textIn: (format: 'prometheus' | 'openmetrics') => string,
): FastifyReply {
  const isOpenMetrics = request.headers.accept?.includes('application/openmetrics-text') ?? false;
  const type = isOpenMetrics ? OPEN_METRICS_TYPE : PROMETHEUS_TYPE;
  return reply.type(type).send(textIn(isOpenMetrics ? 'openmetrics' : 'prometheus'));
}

const text = {
  schema: { type: 'string', description: `Metrics, with names that begin with ${METRIC_PREFIX}.` },
} as const;

const metricsSchema = {
  operationId: 'metrics',
  tags: ['metrics'],
  summary: 'What the broker counts',
  response: {
    200: {
      description: 'The text format of Prometheus, or OpenMetrics for whoever accepts that.',
      content: { 'text/plain': text, 'application/openmetrics-text': text },
    },
    default: problemSchema,
  },
} as const;

const objectsSchema = {
  ...metricsSchema,
  operationId: 'metrics-per-object',
  summary: 'What single clients, topics and groups did, as far as the caller may see them',
  querystring: {
    type: 'object',
    properties: {
      limit: {
        ...{ type: 'integer', minimum: 1, maximum: mostObjectsMeasured, default: objectsMeasured },
        description: 'At most so many of each kind.',
      },
    },
    additionalProperties: false,
  },
} as const;
