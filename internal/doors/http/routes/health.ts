import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../context.ts';

/** `/livez`, `/readyz`, `/healthz`: for whoever watches the process. They ask for no password and tell no names. */
export function routeHealth(app: FastifyInstance, { parts }: HttpContext): void {
  const { health } = parts;
  app.get('/livez', { schema: livezSchema }, async (_request, reply) =>
    reply.type('text/plain').send('ok\n'),
  );
  app.get('/readyz', { schema: readyzSchema }, async (_request, reply) => {
    if (health.isReady) return reply.type('text/plain').send('ok\n');
    const failing = Object.entries(health.read().checks).filter(([, { status }]) => status === 'fail');
    const lines = failing.map(([name, { problem }]) => `${name}: ${problem}\n`);
    return reply.code(503).type('text/plain').send(lines.join(''));
  });
  app.get('/healthz', { schema: healthzSchema }, async (_request, reply) => {
    const report = health.read();
    return reply
      .code(report.status === 'fail' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send(report);
  });
}

const ok = { type: 'string', description: 'ok' } as const;

const livezSchema = {
  operationId: 'livez',
  tags: ['health'],
  summary: 'Whether the process answers',
  response: { 200: { description: 'It does.', content: { 'text/plain': { schema: ok } } } },
} as const;

const readyzSchema = {
  operationId: 'readyz',
  tags: ['health'],
  summary: 'Whether clients should be sent here',
  response: {
    200: { description: 'They should.', content: { 'text/plain': { schema: ok } } },
    503: {
      description: 'They should not; a line for each reason.',
      content: { 'text/plain': { schema: { type: 'string' } } },
    },
  },
} as const;

const reportSchema = {
  type: 'object',
  properties: {
    status: { type: 'string', enum: ['pass', 'warn', 'fail'] },
    checks: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        properties: {
          status: { type: 'string', enum: ['pass', 'warn', 'fail'] },
          problem: { type: 'string' },
        },
        required: ['status'],
        additionalProperties: true,
      },
    },
  },
  required: ['status', 'checks'],
} as const;

const healthzSchema = {
  operationId: 'healthz',
  tags: ['health'],
  summary: 'How each part of the broker is',
  response: { 200: reportSchema, 503: reportSchema },
} as const;
