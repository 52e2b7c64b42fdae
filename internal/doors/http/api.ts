import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import cors from '@fastify/cors';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { BrokerError, quoted } from '../../errors.ts';
import type { BrowserGuard } from './browser-guard.ts';
import type { HttpContext } from './context.ts';
import { type ProblemParts, sendProblem } from './problems.ts';
import { routeHealth } from './routes/health.ts';
import { routeMetrics } from './routes/metrics.ts';
import { routePage } from './routes/page.ts';
import { routePublish } from './routes/publish.ts';
import { routeRead } from './routes/read.ts';

export interface ApiParts {
  context: HttpContext;
  guard: BrowserGuard;
  /** In the description of the API. */
  version: string;
}

/** Answers one request. */
export type Api = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes the routes of the door. Every one has a schema, and `/openapi.json` is made of them. */
export async function makeApi({ context, guard, version }: ApiParts): Promise<Api> {
  const { maxMessageBytes, logger } = context.parts;
  const problems: ProblemParts = {
    logger,
    refused: (request, refusal) => context.socketOf(request).refused(refusal),
  };
  const app = fastify({
    bodyLimit: maxMessageBytes,
    // What a client sends is what it means: nothing is turned into another type, nothing unknown is dropped in silence.
    ajv: { customOptions: { coerceTypes: 'array', removeAdditional: false } },
    // The path of a topic may be as long as a topic, and end in a slash that belongs to it.
    routerOptions: {
      maxParamLength: MAX_PATH_CHARACTERS,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
    },
    // The door has servers of its own, on any transport, and hands their requests over.
    frameworkErrors: (error, _request, reply) => sendProblem(reply, error, problems),
    serverFactory: (handler) => createServer(handler),
  });
  app.setErrorHandler((error, _request, reply) => sendProblem(reply, error, problems));
  const methods = methodsByPath(app);
  acceptAnyBody(app);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SAFE_HEADERS);
    if (!isProbe(request.url)) guard.check(request);
    // Before the framework looks at a body that nobody wants.
    if (request.is404) throw unanswered(request, reply, methods);
  });
  await app.register(cors, {
    origin: (origin, answer) => answer(null, origin !== undefined && guard.mayUse(origin)),
    exposedHeaders: ['tinymq-offset', 'tinymq-published-at', 'tinymq-client-id', 'user-property'],
    credentials: true,
  });
  await app.register(swagger, { openapi: describe(version) });
  await app.register(async (routes) => {
    await routePage(routes);
    routeHealth(routes, context);
    routeMetrics(routes, context);
    routePublish(routes, context);
    routeRead(routes, context);
    routes.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  });
  await app.ready();
  return (request, response) => app.routing(request, response);
}

const TOPICS = '/topics/';

/** Why nobody answers a request: its path, or its method. */
function unanswered(
  { url, method }: FastifyRequest,
  reply: FastifyReply,
  methods: ReadonlyMap<string, ReadonlySet<string>>,
): BrokerError {
  const [path] = url.split('?', 1);
  const allowed = methods.get(path.startsWith(TOPICS) ? `${TOPICS}*` : path);
  const tried = `${method} ${quoted(path)}`;
  if (allowed === undefined) return new BrokerError('no-such-route', tried);
  reply.header('allow', [...allowed].join(', '));
  return new BrokerError('method-not-allowed', tried);
}

/** The methods of each path, filled as routes are added. */
function methodsByPath(app: FastifyInstance): ReadonlyMap<string, ReadonlySet<string>> {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ path, method }) => {
    const known = methods.get(path) ?? new Set();
    for (const each of [method].flat()) known.add(each);
    methods.set(path, known);
  });
  return methods;
}

/** The longest topic, with each of its bytes escaped. */
const MAX_PATH_CHARACTERS = 3 * 65_535;

/** A payload may be anything, and stays as it is. */
function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** Those who watch the process call it by any name, and learn nothing that is a secret. */
function isProbe(url: string): boolean {
  return /^\/(livez|readyz|healthz)(\?|$)/.test(url);
}

const SAFE_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' };

function describe(version: string): FastifyDynamicSwaggerOptions['openapi'] {
  return {
    openapi: '3.1.0',
    info: { title: 'tinymq', version, description: 'The HTTP door of a tinymq broker.' },
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
    security: [{}, { basic: [] }, { bearer: [] }],
  };
}
