import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { startHttp } from '../support/http-door.ts';

/** fetch does not let a test choose these headers. */
function status(
  http: string,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`${http}${path}`, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on('error', reject);
    asked.end();
  });
}

const NOT_HERE = 421;

describe('a request for another host', () => {
  it.each([
    ['localhost', 200],
    ['localhost:8080', 200],
    ['LOCALHOST', 200],
    ['127.0.0.1:1', 200],
    ['[::1]:8080', 200],
    ['192.168.1.7', 200],
    ['broker', 200],
    ['broker:8080', 200],
    ['app.localhost', 200],
    ['broker.example.com:8080', 200],
    ['example.com', NOT_HERE],
    ['evil.com:8080', NOT_HERE],
    ['127.0.0.1.evil.com', NOT_HERE],
    ['broker.example.com.evil.com', NOT_HERE],
    ['localhost.evil.com', NOT_HERE],
  ])('%s is answered with %i', async (host, expected) => {
    const { http } = await startHttp({
      http: { listen: ['http://127.0.0.1:0'], hosts: ['broker.example.com'] },
    });
    expect(await status(http, '/metrics', { host })).toBe(expected);
  });

  it('is answered where it only asks how the broker is', async () => {
    const { http } = await startHttp();
    for (const path of ['/livez', '/readyz', '/healthz']) {
      expect(await status(http, path, { host: 'tinymq.prod.svc.cluster.local' })).toBe(200);
    }
  });
});

describe('a web page', () => {
  const PAGES = 'https://*.example.com';

  it.each([
    ['https://app.example.com', true],
    ['https://evil.com', false],
    ['https://app.example.com.evil.com', false],
    ['http://app.example.com', false],
    ['null', false],
  ])('of %s may publish: %s', async (origin, may) => {
    const { http } = await startHttp({ http: { listen: ['http://127.0.0.1:0'], origins: [PAGES] } });
    expect(await status(http, '/topics/a', { origin }, 'POST')).toBe(may ? 202 : 403);
  });

  it('of the door itself may', async () => {
    const { http } = await startHttp();
    expect(await status(http, '/topics/a', { origin: http }, 'POST')).toBe(202);
    expect(await status(http, '/topics/a', { origin: http.replace('127.0.0.1', 'localhost') }, 'POST')).toBe(
      403,
    );
  });

  it('is told by CORS that it may read, if it may', async () => {
    const { http } = await startHttp({ http: { listen: ['http://127.0.0.1:0'], origins: [PAGES] } });
    const ask = (origin: string) =>
      fetch(`${http}/topics/a`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      });
    const allowed = await ask('https://app.example.com');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://app.example.com',
    ]);
    expect((await ask('https://evil.com')).headers.get('access-control-allow-origin')).toBeNull();
  });
});
