/**
 * The client SDK for Node:
 *
 *     import { connect } from 'tinymq/client';
 *     const client = await connect('tcp://localhost:1883');
 *     await client.subscribe('sensors/#', (message) => console.log(message.topic, message.text()));
 *     await client.publish('sensors/temp', '22.5');
 *
 * @packageDocumentation
 */
import '../../internal/lib/needed-runtime.ts';
import { BaseClient } from './client.ts';
import type { ConnectOptions } from './options.ts';
import { nodePlatform } from './wire-node.ts';

export * from './public.ts';

/** A client over tcp, tls, a unix socket or WebSocket. */
export class Client extends BaseClient {
  /** @throws TinymqError `invalid-address`, `invalid-client-id`. */
  constructor(options: ConnectOptions = {}) {
    super(options, nodePlatform);
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
