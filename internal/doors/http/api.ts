import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import cors from '@fastify/cors';
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { readQueries } from '../../admin/query-types.ts';
import { MAX_PATH_CHARACTERS, STRICT_SCHEMAS } from '../../admin/routes.ts';
import { BrokerError, quoted } from '../../errors.ts';
import type { HttpContext } from './context.ts';
import { loginValueOf } from './login-cookie.ts';
import { type ProblemParts, sendProblem } from './problems.ts';
import { routeAdmin } from './routes/admin.ts';
import { routeHealth } from './routes/health.ts';
import { routeLogin } from './routes/login.ts';
import { routeMetrics } from './routes/metrics.ts';
import { routePage } from './routes/page.ts';
import { routePublish } from './routes/publish.ts';
import { routeRead } from './routes/read.ts';
import { thingOf } from './topic-path.ts';

export interface ApiParts {
  context: HttpContext;
  /** In the description of the API. */
  version: string;
}

/** Answers one request. */
export type Api = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes the routes of the door. Every one has a schema, and `/openapi.json` is made of them. */
export async function makeApi({ context, version }: ApiParts): Promise<Api> {
  const { guard } = context;
  const { maxMessageBytes, logger } = context.parts;
  const problems: ProblemParts = {
    logger,
    refused: (request, refusal) => context.socketOf(request).refused(refusal, thingOf(request)),
    isNobodys: (request) =>
      request.headers.authorization === undefined &&
      loginValueOf(request) === undefined &&
      context.socketOf(request.raw).certificate === undefined,
  };
  const app = fastify({
    bodyLimit: maxMessageBytes,
    // What a client sends is what it means: nothing is turned into another type, nothing unknown is dropped in silence.
    ajv: STRICT_SCHEMAS,
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
  const paths = servedPaths(app);
  acceptAnyBody(app);
  readQueries(app);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SAFE_HEADERS);
    if (!isProbe(request.url)) guard.check(request);
    // Before the framework looks at a body that nobody wants.
    if (request.is404) throw unanswered(request, reply, paths);
  });
  await app.register(cors, {
    origin: (origin, answer) => answer(null, origin !== undefined && guard.mayUse(origin)),
    exposedHeaders: ['tinymq-offset', 'tinymq-published-at', 'tinymq-client-id', 'user-property'],
    credentials: true,
  });
  await app.register(swagger, { openapi: describe(version) });
  await app.register(async (routes) => {
    await routePage(routes);
    routeLogin(routes, context);
    routeHealth(routes, context);
    routeMetrics(routes, context);
    routePublish(routes, context);
    routeRead(routes, context);
    routeAdmin(routes, context);
    routes.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  });
  await app.ready();
  return (request, response) => app.routing(request, response);
}

/** A path that is served, with its methods. */
interface ServedPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Why nobody answers a request: its path, or its method. */
function unanswered(
  { url, method }: FastifyRequest,
  reply: FastifyReply,
  paths: ReadonlyMap<string, ServedPath>,
): BrokerError {
  const path = url.split('?', 1)[0]!;
  const served = [...paths.values()].filter(({ pattern }) => pattern.test(path));
  const allowed = new Set(served.flatMap(({ methods }) => [...methods]));
  const tried = `${method} ${quoted(path)}`;
  if (allowed.size === 0) return new BrokerError('no-such-route', tried);
  reply.header('allow', [...allowed].join(', '));
  return new BrokerError('method-not-allowed', tried);
}

/** The paths by how they are written, filled as routes are added. */
function servedPaths(app: FastifyInstance): ReadonlyMap<string, ServedPath> {
  const paths = new Map<string, ServedPath>();
  app.addHook('onRoute', ({ path, method }) => {
    // Preflights of any path.
    if (path === '*') return;
    const known = paths.get(path) ?? { pattern: patternOf(path), methods: new Set() };
    for (const each of [method].flat()) known.methods.add(each);
    paths.set(path, known);
  });
  return paths;
}

/** What a path may be whose fields stand behind colons. */
function patternOf(path: string): RegExp {
  const source = path.replace(/[.]/g, '\\.').replace(/:\w+/g, '[^/]+').replace(/\*$/, '.*');
  return new RegExp(`^${source}$`, 's');
}

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
        login: {
          ...{ type: 'apiKey', in: 'cookie', name: 'tinymq-session-8080' },
          description: 'Set by /login. The number is the port of the URL.',
        },
      },
    },
    security: [{}, { basic: [] }, { bearer: [] }, { login: [] }],
  };
}
