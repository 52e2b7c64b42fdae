import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import type { TlsOptions } from '@nats-io/transport-node';
import { monitorPageBytes, natsConnectMs } from '../limits/cluster.ts';
import { StoreUnavailableError } from '../store/store-error.ts';

/** What `/varz` of a server says, as far as it matters here. */
export interface ServerVariables {
  readonly server_name: string;
  readonly tags?: readonly string[];
  readonly jetstream?: { readonly config?: { readonly sync_always?: boolean; readonly store_dir?: string } };
}

/**
 * A page of a NATS server's monitor, which is JSON.
 *
 * @throws StoreUnavailableError where it cannot be had.
 */
export async function monitorPage<T>(monitor: string, page: string, tls?: TlsOptions): Promise<T> {
  const url = new URL(page, monitor);
  try {
    return JSON.parse(await fetched(url, tls)) as T;
  } catch (error) {
    const reason = `the monitor of a NATS server at ${monitor} does not answer: ${(error as Error).message}`;
    throw new StoreUnavailableError('failed', reason, { cause: error });
  }
}

function fetched(url: URL, tls: TlsOptions | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getHttps : getHttp;
    const options = { ...tls, signal: AbortSignal.timeout(natsConnectMs) };
    const request = get(url, options, (response) => {
      const { statusCode } = response;
      if (statusCode !== 200) {
        response.resume();
        reject(new Error(`HTTP ${statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > monitorPageBytes) request.destroy(new Error('its page is too large'));
        else chunks.push(chunk);
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString()));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
