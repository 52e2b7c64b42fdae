import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type RequestOptions, request as secureRequest } from 'node:https';
import { Failure } from '../lib/failure.ts';
import { adminTimeoutMs } from '../limits/access.ts';
import type { AdminOperation, AdminStream } from './operation.ts';
import type { Problem } from './problems.ts';
import { shortSocketPath } from './socket-path.ts';

/** One request to a broker that runs. */
export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: object | undefined;
  /** How long the connection may be silent; 0: for ever. */
  readonly timeoutMs: number;
}

/** Carries requests to a broker. @throws the error of the system where nobody is there. */
export type AdminTransport = (asked: AdminRequest) => Promise<IncomingMessage>;

/** Does operations on a broker that runs. */
export class AdminClient {
  readonly #open: AdminTransport;

  constructor(open: AdminTransport) {
    this.#open = open;
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
    const response = await this.#open({
      method,
      ...(body === undefined ? { path: url + queryOf(rest) } : { path: url, body: rest }),
      timeoutMs: adminTimeoutMs,
    });
    const answer = parsed(await textOf(response));
    if (response.statusCode === 200) return answer as Output;
    throw refusalOf(response, answer, name);
  }

  /**
   * Watches until the broker ends it.
   *
   * @param begun called when the broker watches: it tells of whatever happens from then on.
   * @throws Failure where the broker refuses it; the error of the system where nobody is there.
   */
  async watch<Input extends object, Event>(
    { path, name }: AdminStream<Input, Event>,
    input: Input,
    take: (event: Event) => void,
    begun: () => void = () => {},
  ): Promise<void> {
    const query = queryOf(Object.fromEntries(Object.entries(input)));
    const response = await this.#open({ method: 'GET', path: path + query, timeoutMs: 0 });
    if (response.statusCode !== 200) throw refusalOf(response, parsed(await textOf(response)), name);
    begun();
    response.setEncoding('utf8');
    try {
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
    }
  }
}

/** The broker wants to know who asks. */
export class Unauthenticated extends Failure {}

function refusalOf({ statusCode }: IncomingMessage, answer: unknown, name: string): Failure {
  const { detail = `the broker answered ${statusCode} to ${name}` } = answer as Partial<Problem>;
  return statusCode === 401 ? new Unauthenticated(detail) : new Failure(detail);
}

/** Over the socket of the owner in the folder of a broker. */
export function socketTransport(path: string): AdminTransport {
  return async (asked) => {
    const socket = shortSocketPath(path);
    try {
      return await ask(request, { socketPath: socket.path }, asked, {});
    } finally {
      socket.close();
    }
  };
}

/** How a broker is reached by its HTTP door. */
export interface HttpPlace {
  readonly url: URL;
  /** The header, asked for at each request. */
  authorization(): string | undefined;
  /** Who signed the certificate of the broker (PEM), where the machine does not know it. */
  readonly ca?: string | undefined;
}

/** Over the HTTP door. */
export function httpTransport({ url, authorization, ca }: HttpPlace): AdminTransport {
  const { protocol, hostname, port, pathname } = url;
  const base = pathname.replace(/\/$/, '');
  const host = { hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port };
  const isSecure = protocol === 'https:';
  return (asked) => {
    const shown = authorization();
    const headers: Record<string, string> = shown === undefined ? {} : { authorization: shown };
    const place = isSecure ? { ...host, ca } : host;
    return ask(isSecure ? secureRequest : request, place, { ...asked, path: base + asked.path }, headers);
  };
}

async function ask(
  open: typeof request,
  place: RequestOptions,
  { method, path, body, timeoutMs }: AdminRequest,
  given: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const headers = body === undefined ? given : { ...given, 'content-type': 'application/json' };
  const sent = open({ ...place, method, path, headers, agent: false, timeout: timeoutMs });
  sent.on('timeout', () => sent.destroy(new Failure('the broker does not answer')));
  const [response] = (await once(sent.end(body && JSON.stringify(body)), 'response')) as [IncomingMessage];
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  return Buffer.concat(await response.toArray()).toString();
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
