/**
 * The client SDK for browsers: the same as for Node, over `ws://` and `wss://`.
 *
 * @packageDocumentation
 */
import { BaseClient } from './client.ts';
import type { ConnectOptions } from './options.ts';
import { browserPlatform } from './wire-browser.ts';

export * from './public.ts';

/** A client over WebSocket. */
export class Client extends BaseClient {
  /** @throws TinymqError `invalid-address`, `invalid-client-id`. */
  constructor(options: ConnectOptions = {}) {
    super(options, browserPlatform);
  }
}

/**
 * Connects to a broker.
 *
 * @param where a URL, or everything as options.
 * @throws ConnectError, RefusedError, TimeoutError.
 */
export function connect(where: string | ConnectOptions = {}, options: ConnectOptions = {}): Promise<Client> {
  return new Client(
    typeof where === 'string' ? { ...options, url: where } : { ...where, ...options },
  ).connect();
}
