import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyRequest } from 'fastify';
import { BrokerError, quoted } from '../../errors.ts';
import { micromatch } from '../../lib/micromatch.ts';
import { isOneOf } from '../../transport/page-origins.ts';

/**
 * Keeps web pages out that the door did not serve: whoever runs a broker also visits pages of others, and those could
 * send requests to it.
 */
export class BrowserGuard {
  readonly #hosts: readonly string[];
  readonly #origins: readonly string[];

  /**
   * @param hosts globs of names for the broker, beside those that no stranger can have.
   * @param origins globs of origins whose pages are let in.
   */
  constructor(hosts: readonly string[], origins: readonly string[]) {
    this.#hosts = hosts;
    this.#origins = origins;
  }

  /** @throws BrokerError `foreign-host`, `foreign-origin`. */
  check(request: FastifyRequest): void {
    const { host = '', origin } = request.headers;
    // With TLS the name is that of a certificate, which a stranger's page does not get.
    if (request.protocol === 'http' && !this.#isOurs(host)) {
      throw new BrokerError('foreign-host', `the request is for the host ${quoted(host)}`);
    }
    if (origin === undefined || this.mayUse(origin) || origin === `${request.protocol}://${host}`) return;
    throw new BrokerError('foreign-origin', `a page of ${quoted(origin)} sent the request`);
  }

  /**
   * A login with a browser counts for pages of the door itself, and for nobody else: other programs of the same machine
   * are the same site to a browser.
   *
   * @throws BrokerError `foreign-origin`.
   */
  checkOwnPage(request: FastifyRequest): void {
    this.checkPage(request);
    const { origin, 'sec-fetch-site': site } = request.headers;
    // A browser says one of both with whatever changes something.
    if (origin !== undefined || site !== undefined || isReading(request.method)) return;
    throw new BrokerError('foreign-origin', 'nothing says which page sent the request');
  }

  /** The same for what changes nothing that is there. @throws BrokerError `foreign-origin`. */
  checkPage({ headers, protocol }: FastifyRequest): void {
    const { host = '', origin, 'sec-fetch-site': site } = headers;
    const isForeign = origin !== undefined && origin !== `${protocol}://${host}`;
    if (!isForeign && (site === undefined || site === 'same-origin' || site === 'none')) return;
    throw new BrokerError('foreign-origin', `a page of ${quoted(origin ?? String(site))} sent the request`);
  }

  /** Whether pages of this origin are let in, and may read the answers. */
  mayUse(origin: string): boolean {
    return isOneOf(origin, this.#origins);
  }

  /**
   * Whether a page that is reached by this name cannot be a stranger's: an owner of a name can let it lead here once the
   * page is loaded (DNS rebinding), but nobody owns an address or a name without dots.
   */
  #isOurs(host: string): boolean {
    const name = host.replace(/:\d*$/, '').toLowerCase();
    if (!name.includes('.') && !name.startsWith('[')) return true;
    if (isIP(name.replace(/^\[|\]$/g, '')) !== 0 || name.endsWith('.localhost')) return true;
    if (name === OWN_NAME) return true;
    return this.#hosts.length > 0 && micromatch().isMatch(name, this.#hosts as string[]);
  }
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

const OWN_NAME = hostname().toLowerCase();
