import type { FastifyRequest } from 'fastify';
import { httpLoginMs } from '../../limits/http.ts';

const MS_PER_SECOND = 1_000;

/** What a request says of who sent it, and where to. */
type CookieRequest = Pick<FastifyRequest, 'headers' | 'protocol'>;

/** The value of the login that a browser shows; undefined where it shows none. */
export function loginValueOf(request: CookieRequest): string | undefined {
  const name = nameFor(request);
  for (const pair of request.headers.cookie?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

/** Has the browser show a login with each request of the page. No script reads it, and no page of others sends it. */
export function loginCookie(value: string, request: CookieRequest): string {
  return cookie(value, httpLoginMs / MS_PER_SECOND, request);
}

/** Has the browser forget it. */
export function noLoginCookie(request: CookieRequest): string {
  return cookie('', 0, request);
}

function cookie(value: string, maxAgeSeconds: number, request: CookieRequest): string {
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}`;
  return `${nameFor(request)}=${value}; ${flags}${request.protocol === 'https' ? '; Secure' : ''}`;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * The name of the cookie. A browser keeps cookies by host and sends them to every port of it (RFC 6265, section 8.5), so the
 * port stands in the name: two brokers on one machine would end each other's logins. It is the port that the browser
 * sees, which a proxy or a container may map to another one here.
 */
function nameFor({ headers: { host = '' }, protocol }: CookieRequest): string {
  const port = /:(\d{1,5})$/.exec(host)?.[1] ?? DEFAULT_PORTS[protocol];
  return `tinymq-session-${port}`;
}
