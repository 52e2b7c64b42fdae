import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BrokerError, quoted } from '../../../errors.ts';
import { acceptedEncodings } from './accepted-encodings.ts';
import { findPageFiles, INDEX, type PageFiles } from './page-files.ts';

/**
 * `/` and `/ui/`: the page for people, which `make build` writes. It asks for no password, as it shows nothing by itself:
 * what it asks the door for, it asks for whoever looks at it.
 */
export async function routePage(app: FastifyInstance): Promise<void> {
  const files = findPageFiles(import.meta.url);
  app.get('/', { schema: { hide: true } }, (request, reply) => {
    if (files === undefined) throw new BrokerError('no-such-route', 'the page is not built: run make build');
    return send(files, INDEX, request, reply);
  });
  app.get<{ Params: { name: string } }>('/ui/:name', { schema: { hide: true } }, (request, reply) => {
    const { name } = request.params;
    if (files === undefined || !FILE.test(name)) throw noFile(name);
    return send(files, name, request, reply);
  });
}

/** What the build writes for the page to load; its compressed forms are no files of their own. */
const FILE = /^[\w-]+\.(?:js|css|svg|txt)$/;
/** A file with a hash in its name never changes. */
const HASHED = /-[0-9A-Z]{8}\.\w+$/;
const FOR_EVER = 'public, max-age=31536000, immutable';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

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
  vary: 'accept-encoding',
};

/** Sends a file in the smallest form that its client takes, or says that the client has it already. */
function send(files: PageFiles, name: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const accepted = acceptedEncodings(request.headers['accept-encoding']);
  const compressed = FORMS.filter(({ encoding }) => accepted.has(encoding));
  for (const { encoding, ending } of [...compressed, PLAIN]) {
    const bytes = files.read(`${name}${ending}`);
    if (bytes === undefined) continue;
    const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    reply.headers({ ...PAGE_HEADERS, etag: tag, 'cache-control': HASHED.test(name) ? FOR_EVER : 'no-cache' });
    if (hasAlready(request, tag)) return reply.code(304).send();
    if (encoding !== undefined) reply.header('content-encoding', encoding);
    return reply.type(TYPES[extname(name)]!).send(bytes);
  }
  throw noFile(name);
}

const PLAIN = { encoding: undefined, ending: '' };
/** The forms that the build writes of each file, the smallest first. */
const FORMS = [
  { encoding: 'br', ending: '.br' },
  { encoding: 'gzip', ending: '.gz' },
];

function hasAlready(request: FastifyRequest, tag: string): boolean {
  const known = request.headers['if-none-match'];
  return (
    known === '*' || (known?.split(',').some((each) => each.trim().replace(/^W\//, '') === tag) ?? false)
  );
}

function noFile(name: string): BrokerError {
  return new BrokerError('no-such-route', `the page has no file ${quoted(name)}`);
}
