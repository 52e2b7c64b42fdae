import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { BrokerError, quoted } from '../../../errors.ts';

const INDEX = 'index.html';

/**
 * `/` and `/ui/`: the page for people, which `make build` writes. It asks for no password, as it shows nothing by itself:
 * what it asks the door for, it asks for whoever looks at it.
 */
export async function routePage(app: FastifyInstance): Promise<void> {
  const root = pageFolder(import.meta.url);
  await app.register(fastifyStatic, { root: root ?? '/', serve: false, preCompressed: true });
  app.get('/', { schema: { hide: true } }, (_request, reply) => {
    if (root === undefined) throw new BrokerError('no-such-route', 'the page is not built: run make build');
    return reply
      .headers({ ...PAGE_HEADERS, 'cache-control': 'no-cache' })
      .sendFile(INDEX, { cacheControl: false });
  });
  app.get<{ Params: { name: string } }>('/ui/:name', { schema: { hide: true } }, (request, reply) => {
    const { name } = request.params;
    // The build may have written others meanwhile, while somebody works on the page.
    if (root === undefined || name === INDEX || !readdirSync(root).includes(name)) {
      throw new BrokerError('no-such-route', `the page has no file ${quoted(name)}`);
    }
    const isForEver = HASHED.test(name);
    return reply
      .headers(PAGE_HEADERS)
      .sendFile(name, { immutable: isForEver, maxAge: isForEver ? '365d' : 0 });
  });
}

/** A file with a hash in its name never changes. */
const HASHED = /-[0-9A-Z]{8}\.\w+$/;

/** Nothing from elsewhere, nothing inline, nobody's frame. */
const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Where the built page lies: beside the built broker, or in `dist` where the broker runs from its source. */
function pageFolder(beside: string): string | undefined {
  const places = ['./page/', '../../../../dist/page/'].map((path) => fileURLToPath(new URL(path, beside)));
  return places.find((path) => existsSync(`${path}${INDEX}`));
}
