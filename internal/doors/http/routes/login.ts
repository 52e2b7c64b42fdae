import type { FastifyInstance } from 'fastify';
import type { Access } from '../../../access/access.ts';
import type { Credentials } from '../../../access/authenticator.ts';
import { THE_BROKER } from '../../../access/policy.ts';
import { problemSchema } from '../../../admin/problems.ts';
import { BrokerError } from '../../../errors.ts';
import { maxLoginRequestBytes } from '../../../limits/http.ts';
import { peerOf } from '../../clients/admission.ts';
import type { HttpContext } from '../context.ts';
import { loginCookie, loginValueOf, noLoginCookie } from '../login-cookie.ts';

type LoginBody = { user: string; password: string } | { token: string };

/** `/login`, `/logout`, `/me`: who looks at the page. */
export function routeLogin(app: FastifyInstance, context: HttpContext): void {
  app.register(async (routes) => {
    routes.removeAllContentTypeParsers();
    const parse = routes.getDefaultJsonParser('error', 'error');
    routes.addContentTypeParser('application/json', { parseAs: 'string' }, parse);
    routes.post<{ Body: LoginBody }>(
      '/login',
      { schema: loginSchema, bodyLimit: maxLoginRequestBytes },
      async (request, reply) => {
        context.guard.checkPage(request);
        const { parts, logins } = context;
        const socket = context.socketOf(request.raw);
        const peer = peerOf(socket, socket.door, socket.door);
        const access = await parts.admission.admit(peer, credentialsOf(request.body), false);
        socket.identity = access.identity;
        if (access.identity.user === undefined)
          throw new BrokerError('bad-credentials', 'nobody is known here: there is nothing to log in to');
        const before = loginValueOf(request);
        if (before !== undefined) logins.end(before);
        const cookie = loginCookie(logins.add(access), request);
        return reply.header('set-cookie', cookie).header('cache-control', 'no-store').send(shown(access));
      },
    );
  });
  app.post('/logout', { schema: logoutSchema }, async (request, reply) => {
    context.guard.checkPage(request);
    const value = loginValueOf(request);
    if (value !== undefined) context.logins.end(value);
    return reply.header('set-cookie', noLoginCookie(request)).code(204).send();
  });
  app.get('/me', { schema: meSchema }, async (request, reply) => {
    const access = await context.accessOf(request);
    return reply.header('cache-control', 'no-store').send(shown(access));
  });
}

function credentialsOf(body: LoginBody): Credentials {
  if ('token' in body) return { kind: 'token', token: body.token };
  return { kind: 'password', user: body.user, password: new TextEncoder().encode(body.password) };
}

/** Who somebody is, and what they may do to the broker as a whole. */
function shown(access: Access): object {
  const { user, groups } = access.identity;
  const may = (action: 'admin' | 'describe' | 'alter') =>
    access.may(action, THE_BROKER.kind, THE_BROKER.name);
  return { user, groups, may: { admin: may('admin'), describe: may('describe'), alter: may('alter') } };
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const me = {
  type: 'object',
  properties: {
    user: { ...text, description: 'Left out for somebody who has shown no credentials.' },
    groups: { type: 'array', items: text },
    may: {
      type: 'object',
      description: 'What the broker itself may be asked for, and done to.',
      properties: { admin: flag, describe: flag, alter: flag },
      required: ['admin', 'describe', 'alter'],
    },
  },
  required: ['groups', 'may'],
} as const;

const loginSchema = {
  operationId: 'login',
  tags: ['login'],
  summary: 'Log in with a browser',
  description: 'Sets a cookie that pages of the door send with each request, and nobody else.',
  body: {
    anyOf: [
      {
        type: 'object',
        properties: { user: text, password: text },
        required: ['user', 'password'],
        additionalProperties: false,
      },
      { type: 'object', properties: { token: text }, required: ['token'], additionalProperties: false },
    ],
  },
  response: { 200: me, default: problemSchema },
} as const;

const logoutSchema = {
  operationId: 'logout',
  tags: ['login'],
  summary: 'Log out',
  response: { 204: { type: 'null', description: 'Nobody is logged in.' }, default: problemSchema },
} as const;

const meSchema = {
  operationId: 'me',
  tags: ['login'],
  summary: 'Who asks, and what they may do',
  response: { 200: me, default: problemSchema },
} as const;
