import type { IncomingHttpHeaders } from 'node:http';
import { httpLoginMs } from '../../limits/http.ts';

const NAME = 'tinymq-session';
const MS_PER_SECOND = 1_000;

/** The value of the login that a browser shows; undefined where it shows none. */
export function loginValueOf({ cookie }: IncomingHttpHeaders): string | undefined {
  for (const pair of cookie?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (pair.slice(0, equals).trim() === NAME) return pair.slice(equals + 1).trim();
  }
  return undefined;
}

/** Has the browser show a login with each request of the page. No script reads it, and no page of others sends it. */
export function loginCookie(value: string, isSecure: boolean): string {
  return cookie(value, httpLoginMs / MS_PER_SECOND, isSecure);
}

/** Has the browser forget it. */
export function noLoginCookie(isSecure: boolean): string {
  return cookie('', 0, isSecure);
}

function cookie(value: string, maxAgeSeconds: number, isSecure: boolean): string {
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeSeconds}`;
  return `${NAME}=${value}; ${flags}${isSecure ? '; Secure' : ''}`;
}
