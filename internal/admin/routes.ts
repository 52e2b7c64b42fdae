import type { FastifyInstance, FastifyPluginAsync, FastifyRequest, FastifyServerOptions } from 'fastify';
import { AccessError, type AccessErrorCode } from '../access/access-error.ts';
import { RuleError } from '../access/rules/parse-rules.ts';
import { BrokerError } from '../errors.ts';
import { maxAdminRequestBytes } from '../limits/access.ts';
import { OPERATIONS } from './all.ts';
import type { AdminOperation, AdminParts } from './operation.ts';

/** Says no, by an error, to whoever may not do something. The owner of the socket may do everything. */
export type Authorize = (request: FastifyRequest, operation: AdminOperation) => Promise<void> | void;

/** How the server checks requests: as the schemas say, and nothing is changed or left out in silence. */
export const ADMIN_SERVER_OPTIONS: FastifyServerOptions = {
  bodyLimit: maxAdminRequestBytes,
  routerOptions: { maxParamLength: 10_000 },
  ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
};

/** All operations as routes, for a server of any kind. */
export function adminRoutes(parts: AdminParts, authorize: Authorize = () => {}): FastifyPluginAsync {
  return async (server) => {
    server.setErrorHandler(
      (error: Error & { statusCode?: number; validation?: unknown }, _request, reply) => {
        const { status, code } = kindOf(error);
        void reply.code(status).send({ code, message: error.message });
      },
    );
    for (const operation of OPERATIONS) mount(server, operation, parts, authorize);
  };
}

function mount(
  server: FastifyInstance,
  operation: AdminOperation,
  parts: AdminParts,
  authorize: Authorize,
): void {
  const { method, path, parameters, body, answer, summary, name } = operation;
  server.route({
    ...{ method, url: path },
    schema: {
      ...{ summary, operationId: name.replace(' ', '-') },
      ...(parameters && { params: parameters }),
      ...(body && { body }),
      response: { 200: answer },
    },
    preHandler: async (request) => authorize(request, operation),
    handler: async (request) =>
      operation.run(parts, { ...(request.body as object | null), ...(request.params as object) }),
  });
}

const STATUS: Record<AccessErrorCode, number> = {
  invalid: 400,
  exists: 409,
  'not-found': 404,
  declared: 409,
};

function kindOf(error: Error & { statusCode?: number }): { status: number; code: string } {
  if (error instanceof AccessError) return { status: STATUS[error.code], code: error.code };
  if (error instanceof RuleError) return { status: 400, code: 'invalid' };
  if (error instanceof BrokerError) return { status: 403, code: error.code };
  const isOfClient = error.statusCode !== undefined && error.statusCode < 500;
  return isOfClient
    ? { status: error.statusCode!, code: 'invalid' }
    : { status: 503, code: 'store-unavailable' };
}
