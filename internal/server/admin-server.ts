import fastify, { type FastifyInstance } from 'fastify';
import { type BrokerParts, OWNER } from '../admin/operation.ts';
import { readQueries } from '../admin/query-types.ts';
import { adminRoutes, MAX_PATH_CHARACTERS, STRICT_SCHEMAS } from '../admin/routes.ts';
import type { Logger } from '../broker/broker.ts';
import { sendProblem } from '../doors/http/problems.ts';
import { BrokerError, quoted } from '../errors.ts';

/** The server behind the socket of the owner, who may do everything. */
export async function makeAdminServer(parts: BrokerParts, logger: Logger): Promise<FastifyInstance> {
  const problems = { logger, refused() {}, isNobodys: () => false };
  const server = fastify({
    ajv: STRICT_SCHEMAS,
    routerOptions: { maxParamLength: MAX_PATH_CHARACTERS },
    frameworkErrors: (error, _request, reply) => sendProblem(reply, error, problems),
  });
  server.setErrorHandler((error, _request, reply) => sendProblem(reply, error, problems));
  server.setNotFoundHandler(({ method, url }) => {
    throw new BrokerError('no-such-route', `${method} ${quoted(url)}`);
  });
  readQueries(server);
  await server.register(adminRoutes(parts, () => OWNER));
  await server.ready();
  return server;
}
