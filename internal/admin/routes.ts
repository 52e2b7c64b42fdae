import type { FastifyInstance, FastifyPluginAsync, FastifyRequest, FastifyServerOptions } from 'fastify';
import { BrokerError } from '../errors.ts';
import { maxRequestBytes } from '../limits/admin.ts';
import { OPERATIONS, STREAMS } from './all.ts';
import { sendEvents } from './events.ts';
import {
  type AdminOperation,
  type AdminStream,
  type BrokerParts,
  type Caller,
  type JsonSchema,
  objectOf,
  text,
} from './operation.ts';
import { problemSchema } from './problems.ts';
import { refusalOf } from './refusals.ts';

/** Says who sent a request, before anything of its body is read. @throws BrokerError. */
export type CallerOf = (request: FastifyRequest) => Promise<Caller> | Caller;

/**
 * How a server has to check requests: as the schemas say, and nothing is changed or left out in silence. What stands in a
 * query is text, which `readQueries` gives its type.
 */
export const STRICT_SCHEMAS: NonNullable<FastifyServerOptions['ajv']> = {
  customOptions: { removeAdditional: false, coerceTypes: false },
  onCreate: compileLate,
};

type AjvOptions = NonNullable<FastifyServerOptions['ajv']>;
type Ajv = Parameters<NonNullable<AjvOptions['onCreate']>>[0];

/** Has a schema compiled when a request first needs it: all of them take a tenth of a second, in which nobody is served. */
function compileLate(ajv: Ajv): void {
  const compile = ajv.compile.bind(ajv);
  ajv.compile = ((schema: object) => {
    let compiled: ReturnType<typeof compile> | undefined;
    const check: { (data: unknown): unknown; errors?: unknown } = (data) => {
      compiled ??= compile(schema);
      const isRight = compiled(data);
      check.errors = compiled.errors;
      return isRight;
    };
    return check;
  }) as typeof ajv.compile;
}

/** The longest name of a user, a session or a topic, with each of its bytes escaped. */
export const MAX_PATH_CHARACTERS = 3 * 65_535;

/** All operations as routes, for a server of any kind. It answers what they throw: a BrokerError where it is a refusal. */
export function adminRoutes(parts: BrokerParts, callerOf: CallerOf): FastifyPluginAsync {
  return async (routes) => {
    takeJsonOnly(routes);
    // Answers are what the operations say they are; a test compares them with their schemas.
    routes.setSerializerCompiler(() => JSON.stringify);
    for (const operation of OPERATIONS) mount(routes, operation, parts, callerOf);
    for (const stream of STREAMS) mountStream(routes, stream, parts, callerOf);
  };
}

function takeJsonOnly(routes: FastifyInstance): void {
  routes.removeAllContentTypeParsers();
  routes.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    routes.getDefaultJsonParser('error', 'error'),
  );
}

function mount(
  routes: FastifyInstance,
  operation: AdminOperation<object, unknown, BrokerParts>,
  parts: BrokerParts,
  callerOf: CallerOf,
): void {
  const { method, path, parameters, query, body, answer, summary, name } = operation;
  const callers = new WeakMap<FastifyRequest, Caller>();
  routes.route({
    ...{ method, url: path, bodyLimit: operation.maxBodyBytes ?? maxRequestBytes },
    schema: {
      ...{ summary, operationId: name.replaceAll(' ', '-'), tags: [path.split('/', 2)[1]!] },
      ...(parameters && { params: parameters }),
      querystring: query ?? NO_QUERY,
      ...(body && { body }),
      response: { 200: answer, default: problemSchema },
    },
    async onRequest(request) {
      const caller = await callerOf(request);
      checkNeeds(operation, request.params as object, caller);
      callers.set(request, caller);
    },
    async handler(request) {
      const input = {
        ...(request.body as object | null),
        ...(request.query as object),
        ...(request.params as object),
      };
      return operation.run(parts, input, callers.get(request)!);
    },
    errorHandler(error, _request, _reply) {
      if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') throw new BrokerError('request-too-large');
      if (error.validation !== undefined) throw new BrokerError('malformed-http-request', error.message);
      throw refusalOf(error);
    },
  });
}

function mountStream(
  routes: FastifyInstance,
  stream: AdminStream<object>,
  parts: BrokerParts,
  callerOf: CallerOf,
): void {
  const { path, query, event, summary, name, needs } = stream;
  routes.get(path, {
    schema: {
      ...{ summary, operationId: name, tags: [path.split('/', 2)[1]!] },
      querystring: query ?? NO_QUERY,
      response: {
        200: { content: { 'text/event-stream': { schema: eventOf(event) } } },
        default: problemSchema,
      },
    },
    async onRequest(request) {
      checkNeeds({ needs }, {}, await callerOf(request));
    },
    handler(request, reply) {
      sendEvents(reply, (send, end) => stream.open(parts, request.query as object, send, end));
    },
    errorHandler(error) {
      if (error.validation !== undefined) throw new BrokerError('malformed-http-request', error.message);
      throw refusalOf(error);
    },
  });
}

/** One of server-sent events, as OpenAPI describes it. */
function eventOf(data: JsonSchema): JsonSchema {
  const json = { ...text, contentMediaType: 'application/json', contentSchema: data };
  return { type: 'object', properties: { data: json }, required: ['data'] };
}

const NO_QUERY = objectOf({});

function checkNeeds<Input extends object>(
  { needs }: Pick<AdminOperation<Input, unknown, BrokerParts>, 'needs'>,
  input: Input,
  caller: Caller,
): void {
  if (needs === undefined) return;
  const { action, resource } = needs;
  const { kind, name } = typeof resource === 'function' ? resource(input) : resource;
  caller.check(action, kind, name);
}
