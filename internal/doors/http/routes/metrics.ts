import type { FastifyInstance } from 'fastify';
import { problemSchema } from '../../../admin/problems.ts';
import {
  METRIC_PREFIX,
  metricsText,
  OPEN_METRICS_TYPE,
  PROMETHEUS_TYPE,
} from '../../../observe/metrics-text.ts';
import type { HttpContext } from '../context.ts';

/** `/metrics`: what the broker counts, for Prometheus. */
export function routeMetrics(app: FastifyInstance, context: HttpContext): void {
  app.get('/metrics', { schema: metricsSchema }, async (request, reply) => {
    const access = await context.accessOf(request);
    access.check('describe', 'broker', 'broker');
    const isOpenMetrics = request.headers.accept?.includes('application/openmetrics-text') ?? false;
    const text = metricsText(context.parts.metrics, isOpenMetrics ? 'openmetrics' : 'prometheus');
    return reply.type(isOpenMetrics ? OPEN_METRICS_TYPE : PROMETHEUS_TYPE).send(text);
  });
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
