import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { Failure } from '../lib/failure.ts';
import { adminTimeoutMs } from '../limits/access.ts';
import type { AdminOperation, AdminStream } from './operation.ts';
import type { Problem } from './problems.ts';
import { shortSocketPath } from './socket-path.ts';

/** Does operations on a broker that runs, over the socket of its owner. */
export class AdminClient {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws Failure where the broker refuses it; the error of the system where nobody is there. */
  async call<Input extends object, Output>(
    {
      method,
      path,
      body,
      name,
    }: Pick<AdminOperation<Input, Output, never>, 'method' | 'path' | 'body' | 'name' | 'run'>,
    input: Input,
  ): Promise<Output> {
    const used = new Set<string>();
    const url = path.replace(/:(\w+)/g, (_, field: string) => {
      used.add(field);
      return encodeURIComponent(String((input as Record<string, unknown>)[field]));
    });
    const rest = Object.fromEntries(Object.entries(input).filter(([field]) => !used.has(field)));
    const { status, text } =
      body === undefined
        ? await this.#send(method, url + queryOf(rest), undefined)
        : await this.#send(method, url, rest);
    const answer = parsed(text);
    if (status === 200) return answer as Output;
    const { detail = `the broker answered ${status} to ${name}` } = answer as Partial<Problem>;
    throw new Failure(detail);
  }

  /**
   * Watches until the broker ends it.
   *
   * @throws Failure where the broker refuses it; the error of the system where nobody is there.
   */
  async watch<Input extends object, Event>(
    { path }: AdminStream<Input, Event>,
    input: Input,
    take: (event: Event) => void,
  ): Promise<void> {
    const socket = shortSocketPath(this.#path);
    try {
      const options = {
        socketPath: socket.path,
        path: path + queryOf(Object.fromEntries(Object.entries(input))),
        agent: false,
      };
      const [response] = (await once(request(options).end(), 'response')) as [IncomingMessage];
      response.setEncoding('utf8');
      if (response.statusCode !== 200) {
        const { detail } = parsed((await response.toArray()).join('')) as Problem;
        throw new Failure(detail);
      }
      let rest = '';
      for await (const chunk of response) {
        const events = (rest + chunk).split('\n\n');
        rest = events.pop()!;
        for (const event of events) if (event.startsWith('data: ')) take(JSON.parse(event.slice(6)) as Event);
      }
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        ? new Failure('the broker has stopped')
        : error;
    } finally {
      socket.close();
    }
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

/** What is not said is left out. */
function queryOf(fields: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(said.map(([name, value]): [string, string] => [name, String(value)]));
  return said.length === 0 ? '' : `?${query}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure('what answers there is no broker of tinymq');
  }
}
