import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { startHttp } from '../support/http-door.ts';

it('the page is small, compressed, kept by browsers, and loads nothing from elsewhere', async () => {
  const { http } = await startHttp();
  const index = await fetch(http);
  expect(index.headers.get('cache-control')).toBe('no-cache');
  const policy = index.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toContain('unsafe');
  const html = await index.text();
  const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
  expect(loaded).toHaveLength(3);
  let scriptBytes = 0;
  for (const path of loaded) {
    const file = await fetch(`${http}/${path}`);
    expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(file.headers.get('content-security-policy')).toBe(policy);
    if (path.endsWith('.js')) scriptBytes += (await file.arrayBuffer()).byteLength;
  }
  expect(scriptBytes).toBeLessThan(100_000);
});

it('a compressed file is the same file', async () => {
  const { http } = await startHttp();
  const html = await (await fetch(http)).text();
  const path = /src="([^"]+)"/.exec(html)![1]!;
  const hashes = await Promise.all(
    ['identity', 'br', 'gzip'].map(async (encoding) => {
      const answer = await fetch(`${http}/${path}`, { headers: { 'accept-encoding': encoding } });
      expect(answer.headers.get('content-encoding')).toBe(encoding === 'identity' ? null : encoding);
      return createHash('sha256')
        .update(Buffer.from(await answer.arrayBuffer()))
        .digest('hex');
    }),
  );
  expect(new Set(hashes).size).toBe(1);
});

it('a file that a browser has is not sent again, and each form of it has a tag of its own', async () => {
  const { http } = await startHttp();
  const tags = new Set<string>();
  for (const encoding of ['identity', 'br', 'gzip', 'br;q=0, gzip;q=0.5']) {
    const headers = { 'accept-encoding': encoding };
    const tag = (await fetch(http, { headers })).headers.get('etag')!;
    tags.add(tag);
    const again = await fetch(http, { headers: { ...headers, 'if-none-match': `"other", W/${tag}` } });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
    expect((await fetch(http, { headers: { ...headers, 'if-none-match': '"other"' } })).status).toBe(200);
  }
  expect(tags.size).toBe(3);
  const head = await fetch(http, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } });
  expect(head.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(Number(head.headers.get('content-length'))).toBe((await (await fetch(http)).text()).length);
});

it.each(['/ui/', '/ui/none.js', '/ui/index.html', '/ui/..%2fpage%2findex.html'])(
  'there is no file %s',
  async (path) => {
    const { http } = await startHttp();
    const answer = await fetch(`${http}${path}`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: 'no-such-route' });
  },
);
