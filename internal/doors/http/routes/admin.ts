import type { FastifyInstance } from 'fastify';
import { adminRoutes } from '../../../admin/routes.ts';
import type { HttpContext } from '../context.ts';

/** The operations on the broker, for whoever the rules allow them. */
export function routeAdmin(app: FastifyInstance, context: HttpContext): void {
  app.register(adminRoutes(context.parts.admin, (request) => context.accessOf(request)));
}
