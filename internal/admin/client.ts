import { request } from 'node:http';
import { ACCESS_ERROR_CODES, AccessError } from '../access/access-error.ts';
import { Failure } from '../lib/failure.ts';
import { adminTimeoutMs } from '../limits/access.ts';
import type { AdminOperation } from './operation.ts';
import { shortSocketPath } from './socket-path.ts';

/** Does operations on a broker that runs, over the socket of its owner. */
export class AdminClient {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws AccessError where the broker refuses it; the error of the system where nobody is there. */
  async call<Input extends object, Output>(
    { method, path, body, name }: AdminOperation<Input, Output>,
    input: Input,
  ): Promise<Output> {
    const used = new Set<string>();
    const url = path.replace(/:(\w+)/g, (_, field: string) => {
      used.add(field);
      return encodeURIComponent(String((input as Record<string, unknown>)[field]));
    });
    const rest = Object.fromEntries(Object.entries(input).filter(([field]) => !used.has(field)));
    const { status, text } = await this.#send(method, url, body === undefined ? undefined : rest);
    const answer = parsed(text);
    if (status === 200) return answer as Output;
    const { code, message = `the broker answered ${status} to ${name}` } = answer as Partial<Refused>;
    const refusal = ACCESS_ERROR_CODES.find((known) => known === code);
    throw refusal === undefined ? new Failure(message) : new AccessError(refusal, message);
  }

  #send(method: string, url: string, body: object | undefined): Promise<{ status: number; text: string }> {
    const socket = shortSocketPath(this.#path);
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const options = {
        socketPath: socket.path,
        method,
        path: url,
        headers,
        agent: false,
        timeout: adminTimeoutMs,
      };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }),
        );
      });
      sent.on('timeout', () => sent.destroy(new Failure('the broker does not answer')));
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    }).finally(() => socket.close());
  }
}

interface Refused {
  code: string;
  message: string;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure('what answers there is no broker of tinymq');
  }
}
